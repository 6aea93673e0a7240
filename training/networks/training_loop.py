"""Training by epochs: early stopping, and a checkpoint after each epoch, from which a killed run resumes.

All random choices depend on the seed and the epoch's number alone, so a run that was killed gives the same result as
one that was not. Batch norms keep their published statistics: photographs of one place, a few at a time, would spoil
them.
"""

import hashlib
import math
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.features.inputs import Augmentation
from uncia.training.linear.logistic_regression import class_weights
from uncia.training.model_packages.trained_model import (
    CurvePoint,
    LabelledPredictions,
    label_indices,
    loss_and_accuracy,
)
from uncia.training.networks.batch_loading import load_batches
from uncia.training.networks.checkpoint import RunState, copy_weights, load_checkpoint, save_checkpoint
from uncia.training.networks.curve_plot import CurvePlot
from uncia.training.networks.frozen_prefix import FrameTransform
from uncia.triton_models.recipes.dense_pass import DensePass

Progress = Callable[[str, int, int], None]

_FIRST_POINT_BATCHES = 20
"""Batches of training samples on which the network is evaluated before the first epoch."""


@dataclass(frozen=True)
class LoopSettings:
    """How to train by epochs."""

    epochs: int
    patience: int
    """Training stops after this many epochs without a lower held-out loss; the weights of the best epoch are used."""
    batch: int
    rate: float
    """Learning rate of the head; deeper layers have `trunk_rate`."""
    trunk_rate: float
    augmentations: tuple[Augmentation, ...]
    seed: int


@dataclass(frozen=True)
class TrainingData:
    """The samples of a run, and how they become the network's input."""

    spec: FrameSpec
    classes: Sequence[LabelClass]
    train: Sequence[Sample]
    held_out: Sequence[Sample]
    transform: FrameTransform | None = None
    """From a frame to the network's input, where that is not the frame."""


def train_epochs(
    network: DensePass,
    trunk_parameters: Sequence[nn.Parameter],
    data: TrainingData,
    settings: LoopSettings,
    checkpoint: Path,
    progress: Progress = lambda step, done, total: None,
) -> tuple[list[CurvePoint], dict[Path, str]]:
    """Train the head and `trunk_parameters` of `network` in place; its weights are then those of the best epoch.

    Returns the curve, and the files that could not be read with the reasons. Epoch 0 is the network before training,
    so training never makes it worse. Raises `TrainingError`.
    """
    run = _TrainingRun(network, trunk_parameters, data, settings, checkpoint, progress)
    with deterministic_algorithms():
        while not run.finished:
            run.next_epoch()
    run.restore_best()
    return run.state.curve, run.state.unreadable


class _TrainingRun:
    """One run: its network, optimizer and state, resumed from the checkpoint where there is one of the same run."""

    def __init__(
        self,
        network: DensePass,
        trunk_parameters: Sequence[nn.Parameter],
        data: TrainingData,
        settings: LoopSettings,
        checkpoint: Path,
        progress: Progress,
    ) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device).eval()
        self._data = data
        self._settings = settings
        self._checkpoint = checkpoint
        self._progress = progress
        self._optimizer = _optimizer(network, trunk_parameters, settings)
        self._truth = label_indices(data.train, data.classes)
        weights = class_weights(self._truth, len(data.classes))
        own = np.array([sample.weight for sample in data.train])
        self._weights = torch.from_numpy(weights[self._truth] * own).float().to(self._device)
        self._plot = CurvePlot(checkpoint.parent)
        self._run_id = _run_id(settings, data, network)
        self.state = RunState(-1, -1, float("inf"), [], {})
        self._best = copy_weights(network)
        if (found := load_checkpoint(checkpoint, self._run_id, self._device)) is not None:
            self.state, tensors = found
            network.load_state_dict(tensors["network"])
            self._optimizer.load_state_dict(tensors["optimizer"])
            self._best = tensors["best"]

    @property
    def finished(self) -> bool:
        state, settings = self.state, self._settings
        return state.epoch >= settings.epochs or state.epoch - state.best_epoch > settings.patience

    def next_epoch(self) -> None:
        """Train one epoch (none as number 0), evaluate it, and write a checkpoint."""
        state = self.state
        state.epoch += 1
        train_loss, train_accuracy = self._train() if state.epoch else self._evaluate_before_training()
        held_out = self._predict(self._data.held_out)
        loss, accuracy = loss_and_accuracy(held_out.logits, held_out.truth)
        state.curve.append(CurvePoint(state.epoch, train_loss, loss, train_accuracy, accuracy))
        # Without held-out photographs the last epoch counts.
        if not len(held_out.truth) or loss < state.best_loss:
            state.best_epoch, state.best_loss, self._best = state.epoch, loss, copy_weights(self._network)
        save_checkpoint(self._checkpoint, self._run_id, state, self._network, self._optimizer, self._best)
        self._plot.update(state.curve)

    def restore_best(self) -> None:
        """Load the weights of the best epoch, and move the network to the CPU."""
        self._network.load_state_dict(self._best)
        self._network.cpu()

    def _predict(self, samples: Sequence[Sample]) -> LabelledPredictions:
        return predict_samples(self._network, self._data, samples, self._settings.batch, self.state.unreadable)

    def _evaluate_before_training(self) -> tuple[float, float]:
        some = self._predict(self._data.train[: _FIRST_POINT_BATCHES * self._settings.batch])
        return loss_and_accuracy(some.logits, some.truth)

    def _batches(self) -> Generator[tuple[torch.Tensor, list[int]], None, None]:
        data, settings, epoch = self._data, self._settings, self.state.epoch
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(data.train)).tolist()
        return load_batches(
            data.train,
            order,
            data.spec,
            settings.batch,
            self.state.unreadable,
            settings.augmentations,
            f"{settings.seed} {epoch}",
            data.transform,
        )

    def _train(self) -> tuple[float, float]:
        """One pass over the training samples; mean loss and accuracy, measured during the pass."""
        step = f"epoch {self.state.epoch} of at most {self._settings.epochs}"
        total, correct, seen = 0.0, 0, 0
        for frames, indices in self._batches():
            logits = self._network.scores(frames.to(self._device))[0]
            truth = torch.from_numpy(self._truth[indices]).to(self._device)
            losses = functional.cross_entropy(logits, truth, reduction="none")
            self._optimizer.zero_grad()
            (losses * self._weights[indices]).mean().backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            if not torch.isfinite(losses).all():
                raise TrainingError("the loss became NaN or infinite: choose a lower learning rate with --rate")
            seen += len(indices)
            correct += int((logits.argmax(dim=1) == truth).sum())
            total += float(losses.detach().sum())
            self._progress(step, seen, len(self._data.train))
        if not seen:
            raise TrainingError(
                "none of the training photographs can be read: `uncia data check` reports what is wrong with each file"
            )
        return total / seen, correct / seen


def predict_samples(
    network: DensePass, data: TrainingData, samples: Sequence[Sample], batch: int, unreadable: dict[Path, str]
) -> LabelledPredictions:
    """The network's predictions for the samples that can be read; the others are recorded in `unreadable`."""
    device = next(network.parameters()).device
    readable: list[int] = []
    logits, windows = [], []
    with torch.inference_mode():
        for frames, indices in load_batches(
            samples, range(len(samples)), data.spec, batch, unreadable, transform=data.transform
        ):
            frame_logits, best_windows, _ = network.scores(frames.to(device))
            readable += indices
            logits.append(frame_logits.cpu().numpy())
            if best_windows is not None:
                windows.append(best_windows.cpu().numpy())
    predicted = tuple(samples[index] for index in readable)
    return LabelledPredictions(
        predicted,
        label_indices(predicted, data.classes),
        np.concatenate(logits) if logits else np.zeros((0, len(data.classes)), np.float32),
        np.concatenate(windows) if windows else None,
    )


def describe_epochs(curve: Sequence[CurvePoint], most: int) -> str:
    """How many epochs ran and which one was the best, for the card."""
    measured = [point for point in curve if not math.isnan(point.held_out_loss)]
    best = min(measured, key=lambda point: (point.held_out_loss, point.step)) if measured else curve[-1]
    return f"{curve[-1].step} of at most {most}; the weights are those of epoch {best.step}"


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Make torch use algorithms that give the same result each time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _optimizer(
    network: DensePass, trunk_parameters: Sequence[nn.Parameter], settings: LoopSettings
) -> torch.optim.Optimizer:
    """AdamW over the head and the trunk parameters; all other parameters are frozen."""
    head = list(network.head.parameters())
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for parameter in (*head, *trunk_parameters):
        parameter.requires_grad_(True)
    groups = [{"params": head, "lr": settings.rate}]
    if trunk_parameters:
        groups.append({"params": list(trunk_parameters), "lr": settings.trunk_rate})
    return torch.optim.AdamW(groups, weight_decay=1e-2)


def _run_id(settings: LoopSettings, data: TrainingData, network: DensePass) -> str:
    """Digest of everything that determines a run: a checkpoint of any other run is not used."""
    labels = [entry.label for entry in data.classes]
    hasher = hashlib.sha256(f"{asdict(settings)} {data.spec} {labels} {torch.__version__}".encode())
    for samples in (data.train, data.held_out):
        for sample in samples:
            hasher.update(f"{sample.path}\0{sample.label}\0{sample.weight:g}\n".encode())
    for key, value in sorted(copy_weights(network).items()):
        hasher.update(key.encode() + value.contiguous().numpy().tobytes())
    return hasher.hexdigest()
