"""train.py pinned to one core. Each log line has the processor time that the process has used so far."""

import os
import sys
import time
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from training import log

plain = log.emit


def emit(**fields: object) -> None:
    plain(**fields, processor_s=time.process_time())


log.emit = emit

from training import distributed, train  # noqa: E402 - they bind `emit` when they are imported
from training.config import Config  # noqa: E402

if __name__ == "__main__":
    cores = os.environ["CORES"].split(",")
    os.sched_setaffinity(0, {int(cores[int(os.environ["RANK"])])})
    distributed.exit_now(train.main(Config.from_command_line()))
