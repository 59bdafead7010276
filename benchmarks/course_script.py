"""The course's script, as the reference: a 2048-128-classes head on a frozen ResNet50, every photo in every epoch.

    python -m benchmarks.course_script --data dogImages --pretrained resnet50.safetensors

Written from the script's description, without its mistakes: this version trains on `train` (not `test`), runs all its
epochs (not one) and uses the GPU if there is one. Its method is unchanged: Adam, RandomResizedCrop(224) and a flip,
photos resized to 224 x 224 without keeping their aspect ratio for evaluation, no normalisation, the whole network in
fp32, and no separate process for decoding. It prints one `key=value` line for each epoch. `elapsed_s` counts from the
start of the process and excludes the evaluation on `test`, which only measures the epoch's accuracy.
"""

import time

STARTED = time.monotonic()

import argparse  # noqa: E402 - the measured time includes the import of torch
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
from PIL import ImageFile  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchvision import transforms  # noqa: E402
from torchvision.datasets import ImageFolder  # noqa: E402

from training.log import emit  # noqa: E402
from training.model.backbone import RESNET50, Backbone  # noqa: E402
from training.model.network import build  # noqa: E402


def main(backbone: Backbone = RESNET50) -> None:
    parser = argparse.ArgumentParser(description="The course's script: frozen ResNet50, every photo in every epoch.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pretrained", required=True, help="torchvision resnet50 weights")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32, help="the course uses 2 to 64 (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as in the course: one of its photos is truncated
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    evaluation = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor()])
    augmentation = transforms.Compose(
        [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    )
    splits = {
        split: ImageFolder(str(options.data / split), augmentation if split == "train" else evaluation)
        for split in ("train", "valid", "test")
    }
    loaders = {
        split: DataLoader(photos, batch_size=options.batch_size, shuffle=split == "train")
        for split, photos in splits.items()
    }

    classes = len(splits["train"].classes)
    model = build(classes, options.pretrained, backbone)
    for parameter in model.parameters():
        parameter.requires_grad = False
    head = nn.Sequential(nn.Linear(backbone.width, 128), nn.ReLU(inplace=True), nn.Linear(128, classes))
    model.set_submodule(backbone.head, head)
    model.to(device)
    optimizer = torch.optim.Adam(head.parameters(), lr=options.learning_rate)
    emit(stage="start", photos=len(splits["train"]), device=device, elapsed_s=time.monotonic() - STARTED)

    excluded_s = 0.0
    for epoch in range(1, options.epochs + 1):
        train_loss = train_epoch(model, loaders["train"], optimizer, device)
        valid_accuracy = accuracy(model, loaders["valid"], device)
        elapsed = time.monotonic() - STARTED - excluded_s
        before = time.monotonic()
        test_accuracy = accuracy(model, loaders["test"], device)
        excluded_s += time.monotonic() - before
        emit(
            epoch=epoch,
            of=options.epochs,
            train_loss=train_loss,
            valid_accuracy=valid_accuracy,
            test_accuracy=test_accuracy,
            elapsed_s=elapsed,
        )


Photos = DataLoader[tuple[torch.Tensor, torch.Tensor]]


def train_epoch(model: nn.Module, photos: Photos, optimizer: torch.optim.Optimizer, device: torch.device) -> float:
    """One epoch. Returns the mean loss.

    In training mode, as in the course: the frozen backbone's batch-norm layers update their statistics from these
    photos, which compensates for most of the missing normalisation.
    """
    model.train()
    total, count = 0.0, 0
    for inputs, targets in photos:
        loss = nn.functional.cross_entropy(model(inputs.to(device)), targets.to(device))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        total += loss.item() * len(targets)
        count += len(targets)
    return total / count


def accuracy(model: nn.Module, photos: Photos, device: torch.device) -> float:
    """Share of the photos whose predicted breed is correct."""
    model.eval()
    correct = count = 0
    with torch.no_grad():
        for inputs, targets in photos:
            correct += int((model(inputs.to(device)).argmax(1) == targets.to(device)).sum())
            count += len(targets)
    return correct / count


if __name__ == "__main__":
    main()
