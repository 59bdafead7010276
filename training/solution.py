"""Train on this machine with plain PyTorch: the photos in dogImages/, the result in TrainedModels/, and a page about it
in TrainedModels/report/.

    python3 solution.py
    python3 solution.py --mode full --epochs 10 --pretrained weights.safetensors

Uses the GPU where there is one. Ctrl-C loses nothing: the same command goes on from there. It runs the very
code of the SageMaker job, and takes its options (--help).
"""

import sys
from pathlib import Path

if not __package__:  # started as a file, or through a link to it
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from training.config import Config

REQUIREMENTS = Path(__file__).resolve().with_name("requirements.txt")
DATA = Path("dogImages")
MODELS = Path("TrainedModels")


def main() -> int:
    """Exit status 0 with an artifact in MODELS; otherwise a sentence on stderr."""
    folders = {
        "data": DATA,
        "model_dir": MODELS,
        "checkpoint_dir": MODELS / "checkpoints",
        "report_dir": MODELS / "report",
    }
    config = Config.from_command_line(defaults=folders)
    if not config.data.is_dir():
        print(
            f"There is no folder {config.data.resolve()} with the photos. Bring them with `kennel-data` on the "
            "training host, with `aws s3 sync s3://YOUR-BUCKET/data dogImages`, or unpack the course's dogImages.zip "
            "(https://s3-us-west-1.amazonaws.com/udacity-aind/dog-project/dogImages.zip) here.",
            file=sys.stderr,
        )
        return 1
    try:
        from training import distributed, train  # only now: importing torch takes seconds
    except ModuleNotFoundError as error:
        print(
            f"This Python ({sys.executable}) has no {error.name}. On the DLAMI use /opt/pytorch/bin/python, "
            f"elsewhere install torch and torchvision; then run: python -m pip install -r {REQUIREMENTS}",
            file=sys.stderr,
        )
        return 1
    return distributed.exit_now(train.main(config))


if __name__ == "__main__":
    sys.exit(main())
