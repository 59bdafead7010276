"""Pretrained weights: a .safetensors file, an artifact's, or ImageNet's, downloaded. No pickle is opened."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from contract.names import same_text
from training.model.backbone import Backbone
from training.model.download import downloaded
from training.model.weights_file import WeightsError, bare, unreadable, weights_file

_LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Weights:
    state: Mapping[str, torch.Tensor]
    """Tensors by parameter name."""
    labels: str | None
    """What `labels_note` returned when the file was written; None if the file is not an artifact's."""
    source: str
    """The file, for error messages."""


def labels_note(labels: Sequence[str]) -> str:
    """Which breed each class of the head is, as text for the metadata of a .safetensors file."""
    return json.dumps(list(labels))


def is_of_breeds(note: str | None, labels: Sequence[str]) -> bool:
    """Whether `labels_note` wrote the note for exactly these breeds in this order. Names are compared as text."""
    try:
        names = json.loads(note or "")
    except ValueError:
        return False
    return isinstance(names, list) and [same_text(str(name)) for name in names] == [*map(same_text, labels)]


def metadata(labels: Sequence[str]) -> dict[str, str]:
    """Metadata to save with the weights of an artifact; `load` returns the labels from it."""
    return {"format": "pt", _LABELS: labels_note(labels)}


def load(pretrained: str, backbone: Backbone) -> Weights:
    """The weights in a .safetensors file, in the only such file of a folder, or "imagenet", which is downloaded once.

    Raises WeightsError if there are none, or they cannot be read.
    """
    path = _imagenet(backbone) if pretrained == "imagenet" else weights_file(Path(pretrained))
    try:
        with safe_open(path, framework="pt") as file:
            note = file.metadata() or {}
            state = {bare(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise unreadable(path, error) from error
    return Weights(state, note.get(_LABELS), pretrained)


def _imagenet(backbone: Backbone) -> Path:
    if backbone.imagenet is None:
        raise WeightsError(
            f"There are no ImageNet weights to download for {backbone.name}; name a file (--pretrained)."
        )
    return downloaded(backbone.imagenet)
