"""The failure file: one sentence, which SageMaker shows as the job's FailureReason."""

from pathlib import Path

CHARACTERS = 1024
"""SageMaker shows no more."""


def clear(folder: Path | None) -> None:
    """Forget the failure of an earlier run in the same folder."""
    if folder:
        (folder / "failure").unlink(missing_ok=True)


def record(folder: Path | None, sentence: str) -> None:
    """Write the sentence, unless another process of this host has written the cause before: the first one knows it."""
    if not folder:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "failure").open("x", encoding="utf-8", errors="replace") as file:
            file.write(sentence[:CHARACTERS])
    except OSError:  # already written, or nowhere to write: stderr has the sentence in any case
        return
