"""How long a checkpoint of a whole ResNet50 keeps the training waiting, and when it is on the disk.

    python -m benchmarks.checkpoints
    python -m benchmarks.checkpoints --folder /opt/ml/checkpoints

The training waits for the copy of its state. Afterwards a thread writes, and may still hold the interpreter lock: the
longest time in which another thread could not run is printed too. Other programs on the machine make it longer.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.processor import print_processor
from contract.options import recipe
from training import checkpoint
from training.checkpoint import Progress
from training.checkpoint_writer import CheckpointWriter
from training.model.backbone import RESNET50
from training.model.network import build
from training.optim import adamw

LOOK_S = 0.0005


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Seconds that a checkpoint takes, and keeps the training waiting.")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: a temporary folder)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args(arguments)
    print_processor()
    tensors = state()
    print(f"{sum(tensor.nbytes for tensor in tensors.values()) / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        writer = CheckpointWriter(Path(temporary), "0" * 16)
        for number in range(options.rounds):
            began, own = time.perf_counter(), time.thread_time()
            writer.save(Progress(number), tensors, {}, skip_if_busy=False)
            copied, spent = time.perf_counter() - began, time.thread_time() - own
            longest, looked = 0.0, time.perf_counter()
            while writer.busy:
                time.sleep(LOOK_S)
                longest, looked = max(longest, time.perf_counter() - looked), time.perf_counter()
            print(
                f"the training waits {copied:.3f} s (its processor time {spent:.3f} s); on the disk after "
                f"{looked - began:.2f} s; longest wait of another thread meanwhile {longest:.3f} s"
            )
        writer.close()
    return 0


def state() -> dict[str, torch.Tensor]:
    """What a checkpoint of full mode contains, after one step."""
    network = build(133, "none", RESNET50).to(memory_format=torch.channels_last)
    optimizer = adamw(network, recipe("full", pretrained=False))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    weights = network.state_dict()
    return {
        **{f"network.{name}": tensor for name, tensor in weights.items()},
        **{f"best.{name}": tensor.clone() for name, tensor in weights.items()},
        **checkpoint.flatten_optimizer(optimizer),
    }


if __name__ == "__main__":
    sys.exit(main())
