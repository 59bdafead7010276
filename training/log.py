"""The log lines of a training job: `key=value` pairs, which SageMaker's metric regular expressions search."""

import sys


def line(**fields: object) -> str:
    """`key=value` pairs in the order given; floats with four decimals, text with spaces in double quotes."""
    return " ".join(f"{name}={_text(value)}" for name, value in fields.items())


def emit(**fields: object) -> None:
    """Print one line in a single write: SageMaker's toolkit may turn two writes into two log lines."""
    sys.stdout.write(line(**fields) + "\n")
    sys.stdout.flush()


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    text = " ".join(str(value).split()).replace('"', "'")
    text = text.encode(errors="replace").decode()  # a file name may contain bytes that are not UTF-8
    return f'"{text}"' if " " in text or not text else text
