"""Fit a new head to the features of the frozen backbone: the start of fine-tuning.

A head with random weights would send meaningless gradients into a trained backbone. Every process fits the same head to
the same features, so the processes exchange nothing while it is fitted.
"""

import torch
from torch import nn

from contract.options import TrainingOptions, recipe
from inference.photo.preprocessing import Preprocessing
from training.data.dataset import DataSet
from training.data.features import FeatureBatches
from training.distributed import World
from training.model.backbone import Backbone
from training.optim import adamw, set_rate

DEFAULTS = TrainingOptions()
"""The epochs and the batch size of frozen mode, whose recipe is used too. The options of a full run are about
fine-tuning."""


def fit(
    model: nn.Module, data: DataSet, *, backbone: Backbone, preprocessing: Preprocessing, seed: int, world: World
) -> None:
    """Train the model's head, in place, on the features of the training photos. This takes seconds."""
    batches = FeatureBatches(
        data,
        model,
        backbone=backbone,
        preprocessing=preprocessing,
        world=world,
        batch_size=max(DEFAULTS.batch_size, world.size),
        seed=seed,
        splits=("train",),
    )
    head = backbone.head_of(model).to(world.device)
    optimizer = adamw(head, recipe("frozen", pretrained=True))
    steps = DEFAULTS.epochs * batches.steps()
    for epoch in range(DEFAULTS.epochs):
        for step, (features, targets) in enumerate(batches.global_epoch(epoch), start=epoch * batches.steps()):
            set_rate(optimizer, step / steps)
            loss = nn.functional.cross_entropy(head(features), targets)
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
