"""Train ResNet50 on folders of photos; end with an artifact that the serving code has loaded.

One process:
    python -m training.train --data dogImages --model-dir build/model --pretrained weights.safetensors

Two processes on one machine:
    torchrun --nproc-per-node 2 training/train.py --data dogImages --model-dir build/model

Two SageMaker hosts: the entry point `training/train.py` with the hyperparameter `sagemaker_torch_distributed_enabled`;
the toolkit runs torchrun on each, and the SM_* variables are the defaults of the options.
"""

import copy
import math
import os
import signal
import sys
import time
import traceback
from itertools import islice
from pathlib import Path

if not __package__:  # started as a file, by torchrun or by the SageMaker toolkit
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else PID 1 is deaf to it while torch is imported

import torch
from torch import nn

from inference.artifact import ArtifactError, sha256
from inference.photo.preprocessing import Preprocessing
from training import checkpoint, distributed, failure
from training.checkpoint import CheckpointError, Progress
from training.config import Config
from training.data.batches import Material
from training.data.dataset import DataError, DataSet, scan
from training.data.features import FeatureMaterial
from training.data.images import PhotoMaterial
from training.data.memory import photo_budget
from training.distributed import World, WorldError
from training.evaluation.evaluate import evaluate
from training.evaluation.predictions import figures
from training.export.artifact import ExportError, annotate, claim, export, prove, source_hash
from training.log import emit
from training.model import head
from training.model.backbone import begin_epoch, build, fingerprint, keep_head
from training.model.weights import WeightsError
from training.optim import adamw, chunk_of, full_precision, learn, mixed_precision, set_rate
from training.report.findings import findings
from training.report.page import publish, render
from training.signals import Stop


class DivergedError(Exception):
    """The loss is no number any more. The message is one sentence with the remedy."""


SENTENCES = (DataError, WeightsError, WorldError, CheckpointError, DivergedError, ExportError, ArtifactError)
"""What ends a run with a sentence and no traceback."""


def train(config: Config, world: World, stop: Stop | None = None) -> dict[str, float]:
    """One run, from the photos to the proven artifact. Returns the metrics of the epoch that was kept.

    Raises KeyboardInterrupt when `stop` is asked for, once what was learnt so far is saved.
    """
    started, stop = time.monotonic(), stop or Stop()
    torch.manual_seed(config.seed)
    if world.is_first:
        claim(config.model_dir)

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
    what_became_of_head = keep_head(model, config.pretrained, data.labels)
    if what_became_of_head and world.is_first:
        emit(stage="weights", head=what_became_of_head)
    run = identity(config, data, "" if config.pretrained == "none" else fingerprint(model))
    world.check_agreement("photos, weights and options", run)
    saved = checkpoint.newest(config.checkpoint_dir, run, world) if config.checkpoint_dir else None
    precision = mixed_precision(world.device)
    material: Material
    network: nn.Module
    if config.mode == "frozen":
        material = FeatureMaterial(
            data,
            model,
            preprocessing=preprocessing,
            world=world,
            batch_size=config.batch_size,
            seed=config.seed,
        )
        network, precision = model.fc.to(world.device), full_precision()
    else:
        if config.pretrained != "none" and saved is None:
            head.fit(model, data, preprocessing=preprocessing, config=config, world=world)
        material = PhotoMaterial(
            data,
            preprocessing=preprocessing,
            world=world,
            batch_size=config.batch_size,
            seed=config.seed,
            workers=config.workers,
            memory=photo_budget(config.photo_memory_gib),
        )
        network = model.to(world.device).to(memory_format=torch.channels_last)

    # -- optimiser
    trained = distributed.replicated(network, world)
    optimizer, scaler = adamw(network, config), precision.scaler
    loss_of = nn.CrossEntropyLoss(label_smoothing=config.recipe.label_smoothing, reduction="sum")
    steps = config.epochs * material.steps()

    # -- resume
    progress, best, loss_sum, count = Progress(), {"valid_loss_calibrated": math.inf}, 0.0, 0
    history: list[dict[str, float]] = []
    best_weights = copy.deepcopy(network.state_dict())
    if saved is not None:
        progress, tensors, meta = saved
        network.load_state_dict(strip(tensors, "network."))
        if "buffers" in tensors:
            distributed.restore_buffers(network, tensors["buffers"], world.rank)
        checkpoint.restore_optimizer(optimizer, tensors)
        if meta["scaler"]:  # a device without fp16 has saved none
            scaler.load_state_dict(meta["scaler"])
        best_weights, best = strip(tensors, "best."), meta["best"]
        history = meta.get("history", [])
        if world.is_first:
            loss_sum, count = meta["loss_sum"], meta["count"]
            emit(stage="resume", epoch=progress.epochs, step=progress.steps)
    elif config.checkpoint_dir and world.is_first and checkpoint.others(config.checkpoint_dir, run):
        emit(stage="resume", ignored="the checkpoints there are of other data, weights or hyperparameters")
    if saved is None and config.mode == "full" and config.pretrained != "none":
        # the fitted head alone, in case that fine-tuning makes nothing better
        best = {"epoch": 0, **evaluate(network, material, "valid", world, precision).figures()}
        history.append(best)
        if world.is_first:
            emit(stage="head", **best, elapsed_s=time.monotonic() - started)

    def save(progress: Progress, loss_sum: float = 0.0, count: float = 0, **buffers: torch.Tensor) -> None:
        if config.checkpoint_dir and world.is_first:
            tensors = {
                **{f"network.{name}": tensor for name, tensor in network.state_dict().items()},
                **{f"best.{name}": tensor for name, tensor in best_weights.items()},
                **checkpoint.flatten_optimizer(optimizer),
                **buffers,
            }
            meta = {
                "best": best,
                "history": history,
                "scaler": scaler.state_dict(),
                "loss_sum": loss_sum,
                "count": count,
            }
            checkpoint.write(config.checkpoint_dir, run, progress, tensors, meta)

    # -- epochs
    stop.defer()
    for epoch in range(progress.epochs, config.epochs):
        begin_epoch(trained, pretrained=config.pretrained != "none")
        done = progress.steps if epoch == progress.epochs else 0
        loss_sums = torch.tensor(loss_sum, dtype=torch.float64, device=world.device)
        sent, steps_before = distributed.bytes_sent(), done
        for batch in islice(material.epoch(epoch), done, None):
            set_rate(optimizer, (epoch * material.steps() + done) / steps)
            loss_sums += learn(
                trained,
                batch,
                loss_of=loss_of,
                optimizer=optimizer,
                precision=precision,
                world=world,
                chunk=chunk_of(config, world.device),
            )
            count += len(batch.targets)
            done += 1
            if world.anyone(stop.requested):
                buffers = distributed.buffers_of_all(network, world)
                save(Progress(epoch, done), *world.total(loss_sums.item(), count), buffers=buffers)
                world.anyone(False)  # a process that left now would have the others ended in the middle of it
                stop.now()
        per_step = (
            ((distributed.bytes_sent() or 0) - sent) // (done - steps_before)
            if sent is not None and done > steps_before
            else None
        )
        buffers = distributed.buffers_of_all(network, world)
        distributed.average_buffers(network, buffers)
        total_loss, total_count = world.total(loss_sums.item(), count)
        try:
            with stop.at_once():
                judgement = evaluate(network, material, "valid", world, precision)
        except (KeyboardInterrupt, RuntimeError):  # asked for, or another process is gone
            save(Progress(epoch, done), total_loss, total_count, buffers=buffers)
            raise
        loss_sum, count, train_loss = 0.0, 0, total_loss / total_count
        if not math.isfinite(train_loss + judgement.loss):
            raise DivergedError(
                f"The loss is no number any more in epoch {epoch + 1} (train {train_loss}, valid {judgement.loss}); "
                f"lower --learning-rate, which is {config.recipe.learning_rate}."
            )
        judged = {"epoch": epoch + 1, **judgement.figures()}
        history.append({**judged, "train_loss": train_loss})
        if world.is_first:
            emit(
                epoch=epoch + 1,
                of=config.epochs,
                train_loss=train_loss,
                **judgement.figures(),
                **({} if per_step is None else {"sent_bytes_per_step": per_step}),
                elapsed_s=time.monotonic() - started,
            )
        if judgement.calibrated_loss <= best["valid_loss_calibrated"]:
            best = judged
            best_weights = copy.deepcopy(network.state_dict())
        if (epoch + 1) % config.checkpoint_every == 0 or epoch + 1 == config.epochs:
            save(Progress(epoch + 1))
    stop.obey()

    # -- evaluate the epoch that is kept
    network.load_state_dict(best_weights)
    judgement = evaluate(network, material, "test", world, precision)
    metrics = {**best, "test_loss": judgement.loss, "test_accuracy": judgement.accuracy}
    if world.is_first:
        emit(stage="judged", elapsed_s=time.monotonic() - started)

    # -- export and prove, which may take minutes: the other processes are done, and nothing waits for them
    distributed.leave()
    if world.is_first:
        emit(stage="export")
        exported = export(
            model,
            config.model_dir,
            data=data,
            preprocessing=preprocessing,
            precision=config.precision,
            training={
                "source": source_hash(),
                "data": data.digest(),
                "run": run,
                "photos": {split: len(data.used(split)) for split in data.splits},
                "skipped": data.skipped,
                "truncated": data.truncated,
                "hyperparameters": config.hyperparameters(),
                "processes": world.size,
                "torch": torch.__version__,
                "metrics": metrics,
            },
        )
        valid = exported.valid
        test = prove(
            config.model_dir,
            data.used("test"),
            labels=data.labels,
            accuracy=judgement.accuracy,
            temperature=valid.temperature,
        )
        served = figures(valid, test)
        found = findings(test, data.labels).document()
        notes = {"metrics": {**metrics, **served}, "history": history, "test": found}
        manifest = annotate(config.model_dir, exported.manifest, notes)
        if config.report_dir:
            publish(
                config.report_dir,
                lambda: render(data=data, manifest=manifest, history=history, valid=valid, test=test),
            )
        emit(
            **metrics,
            **served,
            precision=manifest.precision,
            model=manifest.id,
            elapsed_s=time.monotonic() - started,
        )
    return metrics


def identity(config: Config, data: DataSet, weights: str) -> str:
    """16 hex digits: two runs may share a checkpoint, and two processes a run, only where this is equal."""
    decisive = config.hyperparameters()
    del decisive["precision"]  # of the artifact alone
    every = (checkpoint.LAYOUT, sorted(decisive.items()), data.digest(), data.labels, weights)
    return sha256(repr(every).encode())[:16]


def strip(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def main(config: Config) -> int:
    """Exit status 0 with an artifact, 1 with a sentence on stderr and in the output folder's `failure`."""
    failure.clear(config.output_dir)
    stop = Stop()
    stop.listen()
    try:
        train(config, distributed.join(), stop)
    except SENTENCES as error:
        fail(config, str(error))
        return 1
    except KeyboardInterrupt as interrupt:
        remedy = "the same command goes on from there" if config.checkpoint_dir else "nothing was saved"
        print(f"Training was stopped; {remedy}.", file=sys.stderr)
        return 128 + int(*interrupt.args or [signal.SIGINT])
    except Exception as error:
        if distributed.is_lost_peer(error):
            reason = distributed.told() or f"Its log says why; here it is seen as: {error}"
            fail(config, f"Another process is gone, and this one cannot go on without it. {reason}", innocent=True)
        else:
            traceback.print_exc()
            fail(config, f"{type(error).__name__}: {error}")
        return 1
    return 0


def fail(config: Config, sentence: str, *, innocent: bool = False) -> None:
    """Say why, on stderr, where SageMaker takes its FailureReason from, and to the other processes."""
    print(f"Training failed (rank {os.environ.get('RANK', '0')}): {sentence}", file=sys.stderr, flush=True)
    failure.record(config.output_dir, sentence)
    if not innocent:
        distributed.tell(sentence)


if __name__ == "__main__":
    distributed.exit_now(main(Config.from_command_line()))
