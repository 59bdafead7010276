"""train.py with a small network in ResNet50's place, as a script: a launch costs seconds, and all else is real.

SMALL_TIMEOUT_S, where it is set, takes the place of the seconds after which a host counts as lost.
"""

import datetime
import os
import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.distributed.dogs import use_small_network
from training import distributed, train
from training.config import Config

if __name__ == "__main__":
    use_small_network()
    if "SMALL_TIMEOUT_S" in os.environ:
        distributed.TIMEOUT = datetime.timedelta(seconds=float(os.environ["SMALL_TIMEOUT_S"]))
    distributed.exit_now(train.main(Config.from_command_line()))
