"""The log lines of a training job: `key=value` pairs, which SageMaker's metric regular expressions search."""

import sys

from contract.text import indented, printable


def line(**fields: object) -> str:
    """`key=value` pairs in the order given; floats with four decimals, text with spaces in double quotes."""
    return " ".join(f"{name}={_text(value)}" for name, value in fields.items())


def emit(**fields: object) -> None:
    """Print one line in a single write: SageMaker's toolkit may turn two writes into two log lines."""
    sys.stdout.write(line(**fields) + "\n")
    sys.stdout.flush()


def emit_error(sentence: str) -> None:
    """Print a sentence on stderr. Lines after its first are indented, since no program reads them."""
    print(indented(sentence), file=sys.stderr, flush=True)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    # no pair within a text: a photo's name may be valid_accuracy=1.jpg
    text = printable(" ".join(str(value).split())).replace('"', "'").replace("=", "\\x3d")
    return f'"{text}"' if " " in text or not text else text
