"""Train on this machine with plain PyTorch: the photos in dogImages/, the result in TrainedModels/, and a page about it
in TrainedModels/report/.

    python3 solution.py
    python3 solution.py --mode full --epochs 10 --pretrained weights.safetensors

Uses the GPU if there is one. After Ctrl-C the same command resumes from the last checkpoint. It runs the code of the
SageMaker job and takes the same options (--help).
"""

import sys
from pathlib import Path

if not __package__:  # started as a file, or through a link to it
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from contract.utf8_mode import start_in_utf8_mode
from training.config import Config

REQUIREMENTS = Path(__file__).resolve().with_name("requirements-host.txt")
DATA = Path("dogImages")
MODELS = Path("TrainedModels")


def main() -> int:
    """Returns the exit status: 0 with an artifact in MODELS; otherwise there is a sentence on stderr."""
    folders = {
        "data": DATA,
        "model_dir": MODELS,
        "checkpoint_dir": MODELS / "checkpoints",
        "report_dir": MODELS / "report",
    }
    config = Config.from_command_line(defaults=folders)
    if not config.data.is_dir():
        print(
            f"The folder of photos {config.data.resolve()} does not exist. Copy the photos with `kennel-data` on the "
            "training host or with `aws s3 sync s3://YOUR-BUCKET/data dogImages`, or unpack the course's dogImages.zip "
            "(https://s3-us-west-1.amazonaws.com/udacity-aind/dog-project/dogImages.zip) here.",
            file=sys.stderr,
        )
        return 1
    try:
        from training import distributed, train  # only now: importing torch takes seconds
    except ModuleNotFoundError as error:
        print(
            f"The package {error.name} is not installed for this Python ({sys.executable}). On the training host run "
            "kennel-code, and `python3` in a login shell (bash -l). Elsewhere install torch and torchvision, then run: "
            f"python -m pip install --require-hashes -r {REQUIREMENTS}",
            file=sys.stderr,
        )
        return 1
    return distributed.exit_now(train.main(config))


if __name__ == "__main__":
    start_in_utf8_mode()
    sys.exit(main())
