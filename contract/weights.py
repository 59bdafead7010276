"""Pretrained weights: the file that is published for ResNet50, and what weights are called in the bucket.

`kennel weights upload` sends them, `make deploy` names the newest ones in the setting training.pretrained_uri, and the
training job's handler takes the digest of their content, not their place, into the name of the job.
docs/decisions/0077-weights-in-the-bucket.md
"""

import re
from dataclasses import dataclass

PREFIX = "weights/"
"""Where the storage stack's bucket holds weights. People write there, so nothing there expires."""

DIGITS = 16
"""Hexadecimal digits of the SHA-256 in the name of an object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedWeights:
    """A .safetensors file that is downloaded and checked."""

    name: str
    """Name of the copy in torch.hub's cache, without the suffix."""
    url: str
    sha256: str
    classes: int
    """Outputs of the head in the file. A new head always replaces it, because its classes are not breeds."""


# timm's copy of torchvision's IMAGENET1K_V1, which torchvision itself publishes only as a pickle. V1, not V2: the
# training of V2 scores higher on ImageNet, but its features transfer worse to a linear head.
RESNET50_IMAGENET = PublishedWeights(
    name="resnet50-imagenet1k-v1",
    url="https://huggingface.co/timm/resnet50.tv_in1k/resolve/78f3ecfdb38e06d9b8397f662e7ab8fee96026fa/model.safetensors",
    sha256="5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
    classes=1000,
)
"""What `--pretrained imagenet`, and a training job without weights in the bucket, downloads."""


def object_key(sha256: str) -> str:
    """The S3 key of ResNet50 weights with this content."""
    return f"{PREFIX}resnet50-{sha256[:DIGITS]}.safetensors"


def content_of(found: str) -> str:
    """The digits of the SHA-256 in an S3 key, or an empty text if `object_key` did not make it."""
    named = re.fullmatch(rf"{PREFIX}resnet50-([0-9a-f]{{{DIGITS}}})\.safetensors", found)
    return named[1] if named else ""


def identity(uri: str, bucket: str) -> str:
    """What distinguishes the weights at an S3 URI, or those of a job that has none and downloads them.

    In the storage stack's `bucket` it is their content, so that the same weights are the same training wherever they
    come from: ImageNet's have the identity of the download. Elsewhere it is the URI, because a name says nothing there.
    """
    digits = content_of(uri.removeprefix(f"s3://{bucket}/"))
    if digits == RESNET50_IMAGENET.sha256[:DIGITS]:
        return ""
    return digits or uri
