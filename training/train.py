"""Train ResNet50 on folders of photos; end with an artifact that the serving code has loaded.

One process:
    python -m training.train --data dogImages --model-dir build/model --pretrained weights.safetensors

Two processes on one machine:
    torchrun --nproc-per-node 2 training/train.py --data dogImages --model-dir build/model

Two SageMaker hosts: the entry point `training/train.py` with the hyperparameter `sagemaker_torch_distributed_enabled`;
the toolkit runs torchrun on each, and the SM_* variables are the defaults of the options.
"""

import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # started as a file, by torchrun or by the SageMaker toolkit
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # PID 1 would ignore it while torch is imported

import torch
from torch import nn

from contract.utf8_mode import start_in_utf8_mode
from inference.artifact import ArtifactError, sha256
from inference.photo.limits import decode_on
from inference.photo.preprocessing import Preprocessing
from inference.processor import instruction_sets
from training import checkpoint, distributed, failure, head, peers
from training.checkpoint import CheckpointError
from training.checkpoint_writer import copy_bytes
from training.config import Config
from training.data.batches import Batches
from training.data.cores import cores
from training.data.dataset import DataError, DataSet, scan
from training.data.features import FeatureBatches
from training.data.images import ImageBatches
from training.data.memory import photo_budget
from training.distributed import World, WorldError
from training.evaluation.evaluate import EvalResult
from training.evaluation.predictions import served_metrics
from training.evaluation.reference import reference_photos
from training.export.artifact import (
    ExportError,
    add_reference,
    annotate,
    check_writable,
    export,
    source_hash,
    verify_artifact,
)
from training.log import emit, emit_error
from training.model.backbone import RESNET50, Backbone, BackboneError
from training.model.network import build, fingerprint, keep_head
from training.model.weights_file import WeightsError
from training.precision import full_precision, mixed_precision
from training.report.findings import findings
from training.report.page import publish, render
from training.signals import Stop
from training.trainer import DivergedError, Trainer

EXPECTED_ERRORS = (
    ArtifactError,
    BackboneError,
    CheckpointError,
    DataError,
    DivergedError,
    ExportError,
    WeightsError,
    WorldError,
)
"""Errors whose message is written for the operator: they end the run without a traceback."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What the export needs to know about a finished training. Its model has the weights of the best epoch."""

    model: nn.Module
    data: DataSet
    preprocessing: Preprocessing
    run: str
    """Names the run: 16 hex digits."""
    history: list[dict[str, float]]
    metrics: dict[str, float]
    """Of the best epoch, and its loss and accuracy on `test`."""
    test: EvalResult
    started: float
    """By time.monotonic()."""


def train(config: Config, world: World, stop: Stop | None = None, *, backbone: Backbone = RESNET50) -> dict[str, float]:
    """One run, from the photos to the verified artifact. Returns the metrics of the best epoch.

    Raises KeyboardInterrupt if `stop` is requested, after a checkpoint was written.
    """
    trained = fit(config, world, stop or Stop(), backbone=backbone)
    distributed.leave()  # the export takes minutes, and the other processes need not wait for it
    if world.is_first:
        export_and_verify(trained, config, world)
    return trained.metrics


def fit(config: Config, world: World, stop: Stop, *, backbone: Backbone = RESNET50) -> Trained:
    """Train, and evaluate the best epoch on `test`."""
    started = time.monotonic()
    torch.manual_seed(config.seed)
    if world.is_first:
        check_writable(config.model_dir)

    # -- data
    decode_on(cores())
    data = scan(config.data, links_to=config.links_to)
    breeds = len(data.labels)
    preprocessing = Preprocessing.for_size(config.image_size)
    if world.is_first:
        counts = {split: len(photos) for split, photos in data.splits.items()}
        emit(
            stage="start",
            mode=config.mode,
            breeds=breeds,
            **counts,
            processes=world.size,
            device=world.device,
            processor=",".join(instruction_sets()),
        )

    # -- model
    model = build(breeds, config.pretrained, backbone)
    head_note = keep_head(model, config.pretrained, data.labels, backbone)
    if head_note and world.is_first:
        emit(stage="weights", head=head_note)
    run = run_id(config, data, fingerprint(model) if config.starts_pretrained else backbone.name)
    world.check_agreement("photos, weights and options", run)
    saved = checkpoint.newest(config.checkpoint_dir, run, world) if config.checkpoint_dir else None

    # -- batches: in frozen mode the head is trained alone, on features that are computed once
    fine_tuning = config.mode == "full" and config.starts_pretrained
    batches: Batches
    if config.mode == "frozen":
        batches = FeatureBatches(
            data,
            model,
            backbone=backbone,
            preprocessing=preprocessing,
            world=world,
            batch_size=config.batch_size,
            seed=config.seed,
        )
        network, precision = backbone.head_of(model).to(world.device), full_precision()
    else:
        if fine_tuning and saved is None:
            head.fit(model, data, backbone=backbone, preprocessing=preprocessing, seed=config.seed, world=world)
        batches = ImageBatches(
            data,
            preprocessing=preprocessing,
            world=world,
            batch_size=config.batch_size,
            seed=config.seed,
            workers=config.workers,
            memory=photo_budget(
                config.photo_memory_gib,
                reserved=copy_bytes(model) if config.checkpoint_dir and world.is_first else 0,
            ),
        )
        network = model.to(world.device).to(memory_format=torch.channels_last)
        precision = mixed_precision(world.device)

    # -- optimiser
    trainer = Trainer(
        network,
        batches,
        config=config,
        run=run,
        backbone=backbone,
        precision=precision,
        world=world,
        stop=stop,
        started=started,
    )

    # -- resume
    if saved is not None:
        trainer.resume(saved)
    elif config.checkpoint_dir and world.is_first and checkpoint.others(config.checkpoint_dir, run):
        emit(stage="resume", ignored="the checkpoints there are of other data, weights or hyperparameters")
    if fine_tuning and saved is None:
        trainer.evaluate_start()

    with trainer.checkpoints():
        # -- epochs
        trainer.fit()

        # -- evaluate
        trainer.load_best()
        test = trainer.evaluate("test")
    if world.is_first:
        emit(stage="evaluated", elapsed_s=time.monotonic() - started)
    return Trained(
        model=model,
        data=data,
        preprocessing=preprocessing,
        run=run,
        history=trainer.history,
        metrics={**trainer.best, "test_loss": test.loss, "test_accuracy": test.accuracy},
        test=test,
        started=started,
    )


def export_and_verify(trained: Trained, config: Config, world: World) -> None:
    """Write the artifact and the report, and verify the artifact with the code that will serve it."""
    data = trained.data

    # -- export
    emit(stage="export")
    exported = export(
        trained.model,
        config.model_dir,
        data=data,
        preprocessing=trained.preprocessing,
        precision=config.precision,
        training={
            "source": source_hash(),
            "data": data.digest(),
            "run": trained.run,
            "photos": {split: len(data.used(split)) for split in data.splits},
            "skipped": data.skipped,
            "truncated": data.truncated,
            "not_read": data.not_read,
            "hyperparameters": config.hyperparameters(),
            "processes": world.size,
            "torch": torch.__version__,
            "metrics": trained.metrics,
        },
    )

    # -- verify
    test = verify_artifact(
        config.model_dir,
        data.used("test"),
        labels=data.labels,
        accuracy=trained.test.accuracy,
        temperature=exported.valid.temperature,
    )
    served = served_metrics(exported.valid, test)

    # -- report
    notes = {
        "metrics": {**trained.metrics, **served},
        "history": trained.history,
        "test": findings(test, data.labels).document(),
    }
    manifest = add_reference(
        config.model_dir,
        annotate(config.model_dir, exported.manifest, notes),
        reference_photos(test, exported.manifest.preprocessing),
    )
    if config.report_dir:
        history, valid = trained.history, exported.valid
        publish(
            config.report_dir,
            lambda: render(data=data, manifest=manifest, history=history, valid=valid, test=test),
        )
    emit(
        **trained.metrics,
        **served,
        precision=manifest.precision,
        model=manifest.id,
        elapsed_s=time.monotonic() - trained.started,
    )


def run_id(config: Config, data: DataSet, weights: str) -> str:
    """16 hex digits of all that decides the weights. Runs share checkpoints, and processes train together, only if
    their ids are equal.

    weights: the fingerprint of the pretrained weights, or the name of the backbone if the weights are random.
    """
    options = config.hyperparameters()
    del options["precision"]  # it changes only the artifact
    every = (checkpoint.LAYOUT, sorted(options.items()), data.digest(), data.labels, weights)
    return sha256(repr(every).encode())[:16]


def main(config: Config, *, backbone: Backbone = RESNET50) -> int:
    """The whole program. Returns the exit status: 0 with an artifact; 1 with a sentence on stderr and in the file
    `failure` of the output folder; 128 plus the number of the signal that stopped the run."""
    failure.clear(config.output_dir)
    stop = Stop()
    stop.listen()
    try:
        train(config, distributed.join(), stop, backbone=backbone)
    except EXPECTED_ERRORS as error:
        fail(config, str(error))
        return 1
    except KeyboardInterrupt as interrupt:
        return stopped(config, int(*interrupt.args or [signal.SIGINT]))
    except Exception as error:
        if peers.is_lost_peer(error):
            reason = peers.peer_failure()
            if reason is None and stop.requested:  # its peer received the signal too, and was faster
                return stopped(config, stop.number)
            reason = reason or f"Its log has the root cause; this process saw: {error}"
            fail(
                config, f"Another process is gone, and this one cannot continue without it. {reason}", root_cause=False
            )
        else:
            emit_error(traceback.format_exc().rstrip())
            fail(config, f"{type(error).__name__}: {error}")
        return 1
    return 0


def stopped(config: Config, number: int) -> int:
    """Say that a signal ended the run. Returns the exit status."""
    remedy = "the same command resumes from the last checkpoint" if config.checkpoint_dir else "nothing was saved"
    emit_error(f"Training was stopped; {remedy}.")
    return 128 + number


def fail(config: Config, sentence: str, *, root_cause: bool = True) -> None:
    """Print the reason, and write it to the files that SageMaker and torchrun take it from.

    root_cause: whether this process failed by itself; its peers then report the same reason.
    """
    emit_error(f"Training failed (rank {os.environ.get('RANK', '0')}): {sentence}")
    failure.record(config.output_dir, sentence)
    failure.tell_torchrun(sentence, root_cause=root_cause)
    if root_cause:
        peers.report_failure(sentence)


if __name__ == "__main__":
    start_in_utf8_mode()
    distributed.exit_now(main(Config.from_command_line()))
