"""Two files with one sentence about a failure: SageMaker shows it as the job's FailureReason, torchrun prints it."""

import contextlib
import json
import os
import time
from pathlib import Path

CHARACTERS = 1024
"""SageMaker shows at most this many."""

_LATER_S = 60
"""torchrun prints the failure with the earliest time, in whole seconds. This is added to one that followed another."""


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


def tell_torchrun(sentence: str, *, root_cause: bool = True) -> None:
    """Write the sentence for torchrun, which ends with a page about the first failure: the sentence becomes its last
    line. Without this it says "To enable traceback see" and an address. Nothing is written unless torchrun is there.

    root_cause: whether this process failed by itself, and not because a peer did.

    The format is that of torch.distributed.elastic.multiprocessing.errors.
    """
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not path:
        return
    failed = int(time.time()) + (0 if root_cause else _LATER_S)
    content = {"message": {"message": sentence, "extraInfo": {"timestamp": str(failed)}}}
    with contextlib.suppress(OSError):  # the sentence is on stderr anyway
        Path(path).write_text(json.dumps(content), encoding="utf-8")
