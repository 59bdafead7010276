"""The failure file: one sentence, which SageMaker shows as the job's FailureReason."""

from pathlib import Path

CHARACTERS = 1024
"""SageMaker shows at most this many."""


def clear(folder: Path | None) -> None:
    """Delete the failure file of an earlier run."""
    if folder:
        (folder / "failure").unlink(missing_ok=True)


def record(folder: Path | None, sentence: str) -> None:
    """Write the sentence, unless another process of this host already has: the first failure is the root cause."""
    if not folder:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "failure").open("x", encoding="utf-8", errors="replace") as file:
            file.write(sentence[:CHARACTERS])
    except OSError:  # already written, or not writable: the sentence is on stderr anyway
        return
