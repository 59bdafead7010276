"""Compare captured requests with the test photos of the model:

    python -m inference.drift --captured DIR --model model.tar.gz --out DIR

Writes drift.json and drift.html. The exit status is 0 with drift and without, and 1 if the photos cannot be compared.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from inference.drift.comparison import compare
from inference.drift.errors import DriftError
from inference.drift.metrics import line
from inference.drift.page import write
from inference.drift.records import read
from inference.drift.reference import read_reference

EXIT_MESSAGE = "KENNEL_EXIT_MESSAGE"
"""Environment variable: a file to which an error is written too, as SageMaker shows it of a processing job."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _options(arguments)
    try:
        if not options.captured.is_dir():
            raise DriftError(f"There is no folder {options.captured}; name the folder of the capture records.")
        reference = read_reference(options.model)
        captured = read(options.captured, reference, most=options.most)
        comparison = compare(reference, captured.photos, records=captured.counts, period=captured.period)
        write(options.out, comparison)
    except DriftError as error:
        _report(str(error))
        return 1
    except OSError as error:
        _report(f"{error.filename} cannot be read or written ({error.strerror}); check the folders.")
        return 1
    if options.metrics:
        print(line(comparison, namespace=options.metrics, dimension=options.dimension, time_ms=int(time.time() * 1000)))
    print(comparison.sentence)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m inference.drift", description="Compare captured requests with the test photos of the model."
    )
    parser.add_argument("--captured", type=Path, required=True, metavar="DIR", help="capture records, at any depth")
    parser.add_argument("--model", type=Path, required=True, metavar="PATH", help="model.tar.gz, or its folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets drift.json and drift.html")
    parser.add_argument("--most", type=_count, default=2000, metavar="N", help="records to read (default: 2000)")
    parser.add_argument("--metrics", metavar="NAMESPACE", help="print the figures for CloudWatch, as one line")
    parser.add_argument("--dimension", type=_dimension, metavar="NAME=VALUE", help="of these metrics")
    options = parser.parse_args(arguments)
    if bool(options.metrics) != bool(options.dimension):
        parser.error("--metrics and --dimension belong together; give both.")
    return options


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of records; write 1 or more")
    return int(text)


def _dimension(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _report(sentence: str) -> None:
    if path := os.environ.get(EXIT_MESSAGE):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(sentence, encoding="utf-8")
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
