"""train.py with the small network instead of ResNet50, as a script: it starts in seconds, and everything else is real.

SMALL_TIMEOUT_S, if set, replaces the seconds after which a host counts as lost.
"""

import datetime
import os
import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.distributed.small_network import SMALL
from training import distributed, train
from training.config import Config

if __name__ == "__main__":
    if "SMALL_TIMEOUT_S" in os.environ:
        distributed.TIMEOUT = datetime.timedelta(seconds=float(os.environ["SMALL_TIMEOUT_S"]))
    distributed.exit_now(train.main(Config.from_command_line(), backbone=SMALL))
