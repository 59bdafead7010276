"""The channel `pretrained` of a rehearsed training job: a folder with one file, as SageMaker makes of an S3 object."""

import os
import shutil
from pathlib import Path

from contract.weights import RESNET50_IMAGENET
from training.model.download import Progress, downloaded
from training.model.weights_file import weights_file


def pretrained_channel(pretrained: str, folder: Path, progress: Progress | None = None) -> Path:
    """Put the weights into `folder`, from which all others are removed, and return it.

    pretrained: a .safetensors file, a folder that holds one, or `imagenet`, which is downloaded here: in a job whose
    weights are in the bucket no host downloads any. Raises WeightsError if there are none, or if they are a pickle.
    """
    path = downloaded(RESNET50_IMAGENET, progress) if pretrained == "imagenet" else weights_file(Path(pretrained))
    new = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        os.link(path.resolve(), new / path.name)  # the file may be a link, whose own name has the suffix
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, new / path.name)
    shutil.rmtree(folder, ignore_errors=True)  # only now: the weights may be those of the last rehearsal, in there
    return new.replace(folder)
