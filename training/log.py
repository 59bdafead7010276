"""The lines that a training job prints: `key=value`, one write each, so that CloudWatch's metric regexes find them."""

import sys


def line(**fields: object) -> str:
    """`key=value` pairs in the order given; floats with four decimals, text with spaces in double quotes."""
    return " ".join(f"{name}={_text(value)}" for name, value in fields.items())


def emit(**fields: object) -> None:
    """Print one line at once. SageMaker's toolkit re-prints what it reads by chunks: two writes, two log lines."""
    sys.stdout.write(line(**fields) + "\n")
    sys.stdout.flush()


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    text = " ".join(str(value).split()).replace('"', "'")
    text = text.encode(errors="replace").decode()  # a file's name may hold bytes that are not UTF-8
    return f'"{text}"' if " " in text or not text else text
