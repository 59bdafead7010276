"""The course's recipe, to be beaten: a head of 2048-128-classes on a frozen ResNet50 that sees every photo every epoch.

    python -m benchmarks.course_script --data dogImages --pretrained resnet50.safetensors

Written from its description, without its slips: it learns from `train` (not `test`), runs all its epochs (not one) and
uses the GPU where there is one. What makes it what it is stays: Adam, RandomResizedCrop(224) and a flip, photos
squashed to 224 x 224 for evaluation, no normalisation, the whole network in fp32, no second process that decodes. It
prints `key=value` lines, one an epoch; `elapsed_s` counts from the start of the process and leaves out the pass over
`test` that only tells how good the epoch is.
"""

import time

STARTED = time.monotonic()

import argparse  # noqa: E402 - importing torch is a part of the time that is measured
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
from PIL import ImageFile  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchvision import transforms  # noqa: E402
from torchvision.datasets import ImageFolder  # noqa: E402

from training.log import emit  # noqa: E402
from training.model.backbone import build  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description="The course's recipe: frozen ResNet50, every photo in every epoch.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pretrained", required=True, help="torchvision resnet50 weights")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32, help="the course has 2 to 64 (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as the course has it: one of its photos is cut off
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
    model = build(classes, options.pretrained)
    for parameter in model.parameters():
        parameter.requires_grad = False
    head = nn.Sequential(nn.Linear(2048, 128), nn.ReLU(inplace=True), nn.Linear(128, classes))
    model.fc = head
    model.to(device)
    optimizer = torch.optim.Adam(head.parameters(), lr=options.learning_rate)
    emit(stage="start", photos=len(splits["train"]), device=device, elapsed_s=time.monotonic() - STARTED)

    aside = 0.0
    for epoch in range(1, options.epochs + 1):
        train_loss = learn(model, loaders["train"], optimizer, device)
        valid_accuracy = accuracy(model, loaders["valid"], device)
        elapsed = time.monotonic() - STARTED - aside
        judging = time.monotonic()
        test_accuracy = accuracy(model, loaders["test"], device)
        aside += time.monotonic() - judging
        emit(
            epoch=epoch,
            of=options.epochs,
            train_loss=train_loss,
            valid_accuracy=valid_accuracy,
            test_accuracy=test_accuracy,
            elapsed_s=elapsed,
        )


Photos = DataLoader[tuple[torch.Tensor, torch.Tensor]]


def learn(model: nn.Module, photos: Photos, optimizer: torch.optim.Optimizer, device: torch.device) -> float:
    """One epoch. Returns the mean loss. In training mode, as the course has it: the norm layers of the frozen backbone
    take up the statistics of these photos, which makes good for most of the missing normalisation."""
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
    """Share of the photos whose breed is named rightly."""
    model.eval()
    right = count = 0
    with torch.no_grad():
        for inputs, targets in photos:
            right += int((model(inputs.to(device)).argmax(1) == targets.to(device)).sum())
            count += len(targets)
    return right / count


if __name__ == "__main__":
    main()
