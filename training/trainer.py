"""The training loop: epochs of steps, each followed by an evaluation and a checkpoint."""

import contextlib
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import torch
from torch import nn

from training import checkpoint, replicas
from training.checkpoint import CheckpointError, Progress, Saved
from training.checkpoint_writer import CheckpointWriter
from training.config import Config
from training.data.batches import Batches
from training.distributed import World
from training.evaluation.evaluate import EvalResult, evaluate
from training.log import emit
from training.model.backbone import Backbone
from training.model.network import set_train_mode
from training.optim import adamw, set_rate
from training.precision import Precision
from training.signals import Stop
from training.step import micro_batch_for, train_step


class DivergedError(Exception):
    """The loss is NaN or infinite. The message is one sentence with the remedy."""


class Trainer:
    """Trains one network, and holds the state of the run: what a checkpoint saves and `resume` restores."""

    def __init__(
        self,
        network: nn.Module,
        batches: Batches,
        *,
        config: Config,
        run: str,
        backbone: Backbone,
        precision: Precision,
        world: World,
        stop: Stop,
        started: float,
    ) -> None:
        """network: the module to train, on the device: the whole network, or in frozen mode its head alone.

        run: names the checkpoints of this run.
        started: when the run began, by time.monotonic().
        """
        fine_tuning = config.mode == "full" and config.starts_pretrained
        self.network, self._batches, self._config = network, batches, config
        folder = config.checkpoint_dir if world.is_first else None
        self._writer = CheckpointWriter(folder, run) if folder else None
        self._precision, self._world, self._stop, self._started = precision, world, stop, started
        self._replica = replicas.replicated(network, world)
        self._optimizer = adamw(network, config.recipe, backbone.rate_share if fine_tuning else None)
        self._loss = nn.CrossEntropyLoss(label_smoothing=config.recipe.label_smoothing, reduction="sum")
        self._frozen_norms = backbone.norm_layers if config.starts_pretrained else ()
        self._micro_batch = micro_batch_for(world.device, fine_tuning=fine_tuning)

        self.progress = Progress()
        self._loss_sum, self._count = 0.0, 0.0
        """Of the epoch in progress: this process's examples during the steps, all processes' after them."""
        self._buffers: torch.Tensor | None = None
        """(size, values): the norm-layer statistics of each process, between the steps of an epoch and its end."""
        self._sent_bytes_per_step: int | None = None
        self.best: dict[str, float] = {"valid_loss_calibrated": math.inf}
        """Metrics of the epoch that is kept."""
        self._best_weights = copy.deepcopy(network.state_dict())
        self.history: list[dict[str, float]] = []
        """Metrics of every epoch."""

    def resume(self, saved: Saved) -> None:
        """Continue from a checkpoint as if the run had not been interrupted."""
        self.progress, tensors, meta = saved
        self.network.load_state_dict(_with_prefix(tensors, "network."))
        if "buffers" in tensors:
            replicas.restore_buffers(self.network, tensors["buffers"], self._world.rank)
        checkpoint.restore_optimizer(self._optimizer, tensors)
        if meta["scaler"]:  # empty if the device has no fp16
            self._precision.scaler.load_state_dict(meta["scaler"])
        self.best, self._best_weights = meta["best"], _with_prefix(tensors, "best.")
        self.history = meta["history"]
        if self._world.is_first:  # the saved sums are over all processes, so one of them continues with them
            self._loss_sum, self._count = meta["loss_sum"], meta["count"]
            emit(stage="resume", epoch=self.progress.epochs, step=self.progress.steps)

    def save(self, *, skip_if_busy: bool = False) -> None:
        """Begin to write a checkpoint, if checkpoints are wanted. Only rank 0 writes.

        skip_if_busy: do nothing if the previous one is still being written.
        """
        if not self._writer:
            return
        tensors = {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"best.{name}": tensor for name, tensor in self._best_weights.items()},
            **checkpoint.flatten_optimizer(self._optimizer),
            **({} if self._buffers is None else {"buffers": self._buffers}),
        }
        meta = {
            "best": self.best,
            "history": self.history,
            "scaler": self._precision.scaler.state_dict(),
            "loss_sum": self._loss_sum,
            "count": self._count,
        }
        self._writer.save(self.progress, tensors, meta, skip_if_busy=skip_if_busy)

    @contextlib.contextmanager
    def checkpoints(self) -> Iterator[None]:
        """A context that ends when the last checkpoint is on the disk. A signal to stop does not cut that short.

        Raises CheckpointError if it cannot be written, unless the context ends with another error.
        """
        try:
            yield
        except BaseException:
            self._stop.defer()
            with contextlib.suppress(CheckpointError):
                self._close_writer()
            raise
        self._stop.defer()
        self._close_writer()
        self._stop.release()

    def _close_writer(self) -> None:
        if self._writer:
            self._writer.close()

    def evaluate(self, split: str) -> EvalResult:
        """Evaluate the network as it is now."""
        return evaluate(self.network, self._batches, split, self._world, self._precision)

    def evaluate_start(self) -> None:
        """Record the network before its first step as epoch 0: it is kept if no epoch improves on it."""
        self.best = {"epoch": 0, **self.evaluate("valid").metrics()}
        self.history.append(self.best)
        if self._world.is_first:
            emit(stage="head", **self.best, elapsed_s=self._elapsed_s())

    def fit(self) -> None:
        """Train all epochs that are left.

        Raises KeyboardInterrupt if a stop is requested, after a checkpoint was written, and DivergedError.
        """
        self._stop.defer()
        while self.progress.epochs < self._config.epochs:
            self.train_epoch()
            self.finish_epoch()
        self._stop.release()

    def train_epoch(self) -> None:
        """Take the steps that are left of the epoch in progress."""
        epoch, first_step, sent_before = self.progress.epochs, self.progress.steps, replicas.bytes_sent()
        all_steps = self._config.epochs * self._batches.steps()
        set_train_mode(self._replica, frozen_norms=self._frozen_norms)
        loss_sum = torch.tensor(self._loss_sum, dtype=torch.float64, device=self._world.device)
        for batch in islice(self._batches.epoch(epoch), first_step, None):
            set_rate(self._optimizer, (epoch * self._batches.steps() + self.progress.steps) / all_steps)
            loss_sum += train_step(
                self._replica,
                batch,
                loss=self._loss,
                optimizer=self._optimizer,
                precision=self._precision,
                world=self._world,
                micro_batch=self._micro_batch,
            )
            self._count += len(batch.targets)
            self.progress = replace(self.progress, steps=self.progress.steps + 1)
            if self._world.any_rank(self._stop.requested):
                self._gather(loss_sum)
                self.save()
                if self._writer:
                    self._writer.wait()
                self._world.barrier()  # a process that exits now would interrupt the others before they have saved
                self._stop.interrupt()
        taken = self.progress.steps - first_step
        sent = replicas.bytes_sent()
        known = sent is not None and sent_before is not None and taken > 0
        self._sent_bytes_per_step = (sent - sent_before) // taken if known else None  # type: ignore[operator]
        self._gather(loss_sum)

    def finish_epoch(self) -> None:
        """Evaluate the epoch whose steps are done, keep its weights if they are the best, and save."""
        assert self._buffers is not None  # noqa: S101 - for mypy: set by train_epoch
        replicas.average_buffers(self.network, self._buffers)
        try:
            with self._stop.interruptible():
                result = self.evaluate("valid")
            self._world.barrier()  # a peer that was stopped after it has evaluated is noticed here, while this saves
        except (KeyboardInterrupt, RuntimeError):  # a stop was requested, or a peer is gone
            self.save()
            raise
        epoch, train_loss = self.progress.epochs + 1, self._loss_sum / self._count
        if not math.isfinite(train_loss + result.loss):
            raise DivergedError(
                f"Training diverged: the loss is NaN or infinite in epoch {epoch} (train {train_loss}, valid "
                f"{result.loss}). Lower --learning-rate, which is {self._config.recipe.learning_rate}."
            )
        metrics = {"epoch": epoch, **result.metrics()}
        self.history.append({**metrics, "train_loss": train_loss})
        self._log_epoch(epoch, train_loss, result)
        if result.calibrated_loss <= self.best["valid_loss_calibrated"]:
            self.best, self._best_weights = metrics, copy.deepcopy(self.network.state_dict())
        self.progress, self._loss_sum, self._count, self._buffers = Progress(epoch), 0.0, 0.0, None
        if epoch == self._config.epochs:
            self.save()
        elif epoch % self._config.checkpoint_every == 0:
            self.save(skip_if_busy=True)

    def load_best(self) -> None:
        """Load the weights of the epoch that is kept into the network."""
        self.network.load_state_dict(self._best_weights)

    def _gather(self, loss_sum: torch.Tensor) -> None:
        """Collect from all processes what a checkpoint in the middle of an epoch needs."""
        self._buffers = replicas.gather_buffers(self.network, self._world)
        self._loss_sum, self._count = self._world.all_reduce(loss_sum.item(), self._count)

    def _log_epoch(self, epoch: int, train_loss: float, result: EvalResult) -> None:
        if self._world.is_first:
            sent = self._sent_bytes_per_step
            emit(
                epoch=epoch,
                of=self._config.epochs,
                train_loss=train_loss,
                **result.metrics(),
                **({} if sent is None else {"sent_bytes_per_step": sent}),
                elapsed_s=self._elapsed_s(),
            )

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
