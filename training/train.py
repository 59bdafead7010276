"""Train ResNet50 on folders of photos; end with an artifact that the serving code has loaded.

One process:
    python -m training.train --data dogImages --model-dir build/model --pretrained weights.safetensors

Two processes on one machine:
    torchrun --nproc-per-node 2 training/train.py --data dogImages --model-dir build/model

Two SageMaker hosts: the entry point `training/train.py` with the hyperparameter `sagemaker_torch_distributed_enabled`;
the toolkit runs torchrun on each, and the SM_* variables are the defaults of the options.
"""

import contextlib
import copy
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:  # started as a file, by torchrun or by the SageMaker toolkit
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from inference.artifact import ArtifactError
from inference.classifier import usable_cores
from inference.images import Preprocessing
from training import checkpoint, distributed
from training.config import Config
from training.data import DataError, DataSet, scan
from training.distributed import World, WorldError
from training.export import ExportError, export, prove, source_hash
from training.material import FeatureMaterial, Material, PhotoMaterial
from training.metrics import emit
from training.model import WeightsError, build

SENTENCES = (DataError, WeightsError, WorldError, ExportError, ArtifactError)
"""What ends a run with a sentence and no traceback."""

BACKBONE_RATE = 0.1
"""Full mode from pretrained weights: the backbone learns at this share of the head's rate."""

WARM_UP = 0.15
"""Share of the steps over which the rate rises to its peak."""


def train(config: Config, world: World) -> dict[str, float]:
    """One run, from the photos to the proven artifact. Returns the metrics of the epoch that was kept."""
    started = time.monotonic()
    torch.manual_seed(config.seed)

    # -- data
    data = scan(config.data)
    preprocessing = Preprocessing.for_size(config.image_size)
    if world.is_first:
        counts = {split: len(photos) for split, photos in data.splits.items()}
        emit(
            stage="start",
            mode=config.mode,
            breeds=len(data.labels),
            **counts,
            processes=world.size,
            device=world.device,
        )

    # -- model: in frozen mode only the head is a network to train, over features that are computed once
    model = build(len(data.labels), config.pretrained)
    autocast, scaler = mixed_precision(world.device)
    material: Material
    if config.mode == "frozen":
        material = FeatureMaterial(
            data,
            model,
            preprocessing=preprocessing,
            world=world,
            autocast=autocast(),
            batch_size=config.batch_size,
            seed=config.seed,
        )
        network: nn.Module = model.fc.to(world.device)
        autocast = contextlib.nullcontext  # the head is too small to gain from half precision
    else:
        workers = spare_cores() if config.workers is None else config.workers
        material = PhotoMaterial(
            data,
            preprocessing=preprocessing,
            world=world,
            batch_size=config.batch_size,
            seed=config.seed,
            workers=workers,
        )
        network = model.to(world.device).to(memory_format=torch.channels_last)
    report_skipped(data, world)
    if material.steps() == 0:
        raise DataError(
            f"Too few training photos can be decoded for {world.size} processes; see the photos skipped above."
        )

    # -- optimiser
    trained = DistributedDataParallel(network) if world.size > 1 else network
    optimizer = torch.optim.AdamW(parameter_groups(network, config), lr=config.learning_rate)
    loss_of = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing, reduction="sum")
    steps = config.epochs * material.steps()

    # -- resume
    first_epoch, best = 0, {"valid_loss": math.inf}
    best_weights = copy.deepcopy(network.state_dict())
    saved = checkpoint.newest(config.checkpoint_dir, world) if config.checkpoint_dir else None
    if saved is not None:
        tensors, meta = saved
        if meta["identity"] == identity(config, data):
            network.load_state_dict(strip(tensors, "network."))
            checkpoint.restore_optimizer(optimizer, tensors)
            best_weights, best, first_epoch = strip(tensors, "best."), meta["best"], meta["epoch"] + 1
            if world.is_first:
                emit(stage="resume", epoch=first_epoch)
        elif world.is_first:
            emit(stage="resume", ignored="the checkpoint is of other data or other hyperparameters")

    # -- epochs
    for epoch in range(first_epoch, config.epochs):
        trained.train()
        total_loss = total_count = 0.0
        for step, batch in enumerate(material.epoch(epoch), start=epoch * material.steps()):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * one_cycle(step / steps)
            with autocast():
                outputs = trained(batch.inputs.to(world.device))
            loss = loss_of(outputs.float(), batch.targets.to(world.device))
            # DDP averages over the processes; this makes the average the mean over the global batch, tails included.
            scaler.scale(loss * world.size / batch.global_count).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            total_loss += loss.item()
            total_count += len(batch.targets)
        # Each process has seen other photos, so their norm layers hold other running statistics.
        world.average([buffer for buffer in network.buffers() if buffer.is_floating_point()])
        train_loss, count = world.total(total_loss, total_count)
        if not math.isfinite(train_loss):
            raise WeightsError(
                f"The loss of epoch {epoch} is {train_loss}; lower --learning-rate ({config.learning_rate})."
            )
        valid_loss, valid_accuracy = evaluate(network, material, "valid", world, autocast)
        if world.is_first:
            emit(
                epoch=epoch + 1,
                of=config.epochs,
                train_loss=train_loss / count,
                valid_loss=valid_loss,
                valid_accuracy=valid_accuracy,
                elapsed_s=time.monotonic() - started,
            )
        if valid_loss <= best["valid_loss"]:
            best = {"epoch": epoch + 1, "valid_loss": valid_loss, "valid_accuracy": valid_accuracy}
            best_weights = copy.deepcopy(network.state_dict())
        due = (epoch + 1) % config.checkpoint_every == 0 or epoch + 1 == config.epochs
        if config.checkpoint_dir and world.is_first and due:
            checkpoint.write(
                config.checkpoint_dir,
                epoch,
                {
                    **{f"network.{name}": tensor for name, tensor in network.state_dict().items()},
                    **{f"best.{name}": tensor for name, tensor in best_weights.items()},
                    **checkpoint.flatten_optimizer(optimizer),
                },
                {"epoch": epoch, "best": best, "identity": identity(config, data)},
            )

    # -- evaluate the epoch that is kept
    network.load_state_dict(best_weights)
    test_loss, test_accuracy = evaluate(network, material, "test", world, autocast)
    metrics = {**best, "test_loss": test_loss, "test_accuracy": test_accuracy}

    # -- export and prove: the other processes are done
    distributed.leave()
    if world.is_first:
        emit(stage="export")
        manifest = export(
            model,
            config.model_dir,
            data=data,
            preprocessing=preprocessing,
            precision=config.precision,
            training={
                "source": source_hash(),
                "data": data.version,
                "photos": {split: len(photos) for split, photos in data.splits.items()},
                "skipped": sorted(data.skipped),
                "hyperparameters": config.hyperparameters(),
                "processes": world.size,
                "torch": torch.__version__,
                "metrics": metrics,
            },
        )
        served_accuracy = prove(config.model_dir, data.used("test"))
        if abs(served_accuracy - test_accuracy) > 0.02 + 1 / len(data.splits["test"]):
            raise ExportError(f"The artifact scores {served_accuracy:.3f} on test, the network {test_accuracy:.3f}.")
        emit(
            **metrics,
            served_test_accuracy=served_accuracy,
            precision=manifest.precision,
            model=manifest.id,
            elapsed_s=time.monotonic() - started,
        )
    return metrics


def evaluate(
    network: nn.Module, material: Material, split: str, world: World, autocast: Callable[[], Any]
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a split: every example counted once, over all processes."""
    network.eval()
    loss = right = count = 0.0
    with torch.inference_mode():
        for inputs, labels in material.examples(split):
            targets = labels.to(world.device)
            with autocast():
                outputs = network(inputs.to(world.device)).float()
            loss += nn.functional.cross_entropy(outputs, targets, reduction="sum").item() if len(targets) else 0.0
            right += (outputs.argmax(1) == targets).sum().item()
            count += len(targets)
    loss, right, count = world.total(loss, right, count)
    if not count:
        raise DataError(f"Not one photo in {split}/ can be decoded; see the photos skipped above.")
    return loss / count, right / count


def parameter_groups(network: nn.Module, config: Config) -> list[dict[str, Any]]:
    """No decay on biases and norm layers; a pretrained backbone learns more slowly than the fresh head."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        slow = config.mode == "full" and config.pretrained != "none" and not name.startswith("fc.")
        groups.setdefault((slow, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "peak": config.learning_rate * (BACKBONE_RATE if slow else 1.0),
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (slow, decays), parameters in groups.items()
    ]


def one_cycle(progress: float) -> float:
    """Share of the peak rate at `progress` (0..1) of the run: a linear rise, then half a cosine down to 1 %."""
    if progress < WARM_UP:
        return 0.01 + 0.99 * progress / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2


def mixed_precision(device: torch.device) -> tuple[Callable[[], Any], torch.amp.GradScaler]:
    """The half precision that the device computes faster, as a context factory, and the scaler that it calls for."""
    if device.type == "cuda":  # never bf16: the T4 of a g4dn has none, though PyTorch may say that it does
        return lambda: torch.autocast("cuda", dtype=torch.float16), torch.amp.GradScaler("cuda")
    cpu = torch.cpu.get_capabilities()
    native = bool(cpu.get("avx512_bf16") or cpu.get("amx_bf16"))
    return lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=native), torch.amp.GradScaler(
        "cpu", enabled=False
    )


def report_skipped(data: DataSet, world: World) -> None:
    """Name every photo that could not be used, in every process the same."""
    for name, reason in world.union({skipped.name: skipped.reason for skipped in data.skipped.values()}).items():
        split, breed, file = name.split("/", 2)
        photo = next(p for p in data.splits[split] if p.path == data.folder / split / breed / file)
        data.skip(photo, reason)
    if world.is_first:
        for skipped in data.skipped.values():
            emit(skipped=skipped.name, reason=skipped.reason)
        emit(stage="photos", skipped=len(data.skipped), used=sum(len(data.used(split)) for split in data.splits))


def identity(config: Config, data: DataSet) -> str:
    """Two runs may share a checkpoint only where this is equal."""
    return repr((sorted(config.hyperparameters().items()), data.version, data.labels))


def strip(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def spare_cores() -> int:
    """Processes that can load photos while this one trains: none where the CPU itself trains."""
    return max(0, usable_cores() - 1) if torch.cuda.is_available() else 0


def main() -> int:
    """Exit status 0 with an artifact, 1 with a sentence on stderr and in the output folder's `failure`."""
    config = Config.from_command_line()
    try:
        train(config, distributed.join())
    except SENTENCES as error:
        fail(config, str(error))
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the last epoch is in the checkpoint folder, if one was given.", file=sys.stderr)
        return 130
    except Exception as error:
        fail(config, f"{type(error).__name__}: {error}")
        raise
    return 0


def fail(config: Config, sentence: str) -> None:
    """Say why, on stderr and where SageMaker takes its FailureReason from."""
    rank = os.environ.get("RANK", "0")
    print(f"Training failed (rank {rank}): {sentence}", file=sys.stderr, flush=True)
    if config.output_dir:
        config.output_dir.mkdir(parents=True, exist_ok=True)
        (config.output_dir / "failure").write_text(sentence[:1024])


if __name__ == "__main__":
    status = main()
    # gloo aborts about one interpreter exit in sixteen on torch 2.13, and the other host then waits 300 s: skip it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
