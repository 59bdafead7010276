"""The head, fitted to the frozen backbone's features: where fine-tuning starts from.

A fresh head would send gradients of noise into a trained backbone. Every process fits the same head to the same
features, so nothing passes between them while it learns.
"""

from dataclasses import replace

import torch
from torch import nn
from torchvision.models import ResNet

from inference.photo.preprocessing import Preprocessing
from training.config import Config
from training.data.dataset import DataSet
from training.data.features import FeatureMaterial
from training.distributed import World
from training.optim import adamw, set_rate

EPOCHS = 20
BATCH_SIZE = 64
"""Both frozen mode's, as the recipe is. The options of a full run are about the fine-tuning."""


def fit(model: ResNet, data: DataSet, *, preprocessing: Preprocessing, config: Config, world: World) -> None:
    """Train the model's head, in place, on the training photos' features. Learning takes seconds."""
    material = FeatureMaterial(
        data,
        model,
        preprocessing=preprocessing,
        world=world,
        batch_size=max(BATCH_SIZE, world.size),
        seed=config.seed,
        splits=("train",),
    )
    model.fc.to(world.device)
    frozen = replace(config, mode="frozen", learning_rate=None, weight_decay=None, label_smoothing=None)
    optimizer = adamw(model.fc, frozen)
    steps = EPOCHS * material.steps()
    for epoch in range(EPOCHS):
        for step, (features, targets) in enumerate(material.whole_batches(epoch), start=epoch * material.steps()):
            set_rate(optimizer, step / steps)
            loss = nn.functional.cross_entropy(model.fc(features), targets)
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
