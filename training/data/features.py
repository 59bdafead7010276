"""Batches of features: the frozen backbone's output for every photo, computed once and shared by all processes."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from contract.photos import SPLITS
from inference.photo.preprocessing import Preprocessing
from training.data.batches import Batch, agree_on_skipped, global_batches, order
from training.data.dataset import DataSet
from training.data.extract import FeatureExtractor, extract
from training.distributed import World
from training.model.backbone import Backbone

_VIEWS = 2
"""A training photo and its mirror image are two examples of the same breed."""

_EVALUATED_TOGETHER = 4096
"""Features in one forward pass of the head."""


class FeatureBatches:
    """Features in memory: (examples, width) float32 on the device, all of them in every process."""

    def __init__(
        self,
        data: DataSet,
        model: nn.Module,
        *,
        backbone: Backbone,
        preprocessing: Preprocessing,
        world: World,
        batch_size: int,
        seed: int,
        splits: Sequence[str] = SPLITS,
    ) -> None:
        self._world, self._seed = world, seed
        extractor = FeatureExtractor(model, backbone, preprocessing, world.device)
        self._features: dict[str, torch.Tensor] = {}
        self._targets: dict[str, torch.Tensor] = {}
        for split in splits:
            photos = data.splits[split]
            views = _VIEWS if split == "train" else 1
            rows = extract(data, split, extractor, world, views)
            gathered = world.gather_rows(rows, len(photos), block=extractor.micro_batch)
            usable = gathered[:, -1] > 0
            # (photos, views * width) to (photos * views, width)
            self._features[split] = gathered[usable, :-1].reshape(-1, backbone.width)
            labels = torch.tensor([photo.label for photo in photos], device=world.device)[usable]
            self._targets[split] = labels.repeat_interleave(views)
        agree_on_skipped(data, world, all_read=tuple(splits) == SPLITS)
        self._batches = global_batches(len(self._targets["train"]), batch_size, world, least=1)

    def steps(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        for features, targets in self.global_epoch(number):
            own = slice(self._world.rank, None, self._world.size)
            yield Batch(features[own], targets[own], len(targets))

    def global_epoch(self, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The same batches, whole in every process: (n, width) features and (n,) class indices."""
        features, targets = self._features["train"], self._targets["train"]
        indices = order(len(targets), self._seed, number).to(self._world.device)
        for batch in self._batches:
            yield features[indices[batch]], targets[indices[batch]]

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        own = slice(self._world.rank, None, self._world.size)
        features, targets = self._features[split][own], self._targets[split][own]
        size = _EVALUATED_TOGETHER
        yield from zip(torch.split(features, size), torch.split(targets, size), strict=True)
