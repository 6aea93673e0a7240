"""Training by epochs: early stopping, and a checkpoint after each, from which a killed run goes on.

Everything that is drawn hangs on the seed and the epoch's number alone, so that a run that was killed comes to the same
result as one that was not. Batch norms keep their published statistics: photographs of one place, a few at a time,
would spoil them.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import nn

from uncia.imaging.frames import FrameSpec
from uncia.serving.labels import LabelClass
from uncia.storage.durable import replace_durably
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
from uncia.training.networks.frozen_prefix import FrameTransform
from uncia.triton_models.recipes.dense_pass import DensePass

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoopSettings:
    """How to train by epochs."""

    epochs: int
    patience: int
    """It ends after so many epochs without a better held-out loss; the best epoch's network counts."""
    batch: int
    rate: float
    """Of learning, for the head; deeper layers learn at `trunk_rate`."""
    trunk_rate: float
    augmentations: tuple[Augmentation, ...]
    seed: int


@dataclass
class _State:
    """What a checkpoint holds beside the tensors."""

    epoch: int
    best_epoch: int
    best_loss: float
    curve: list[CurvePoint]
    unreadable: dict[Path, str]


def train_epochs(
    network: DensePass,
    trunk_parameters: Sequence[nn.Parameter],
    spec: FrameSpec,
    classes: Sequence[LabelClass],
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    settings: LoopSettings,
    checkpoint: Path,
    progress: Progress = lambda what, done, total: None,
    prepare: FrameTransform | None = None,
) -> tuple[list[CurvePoint], dict[Path, str]]:
    """Train `network` in place, to its best epoch; the curve, and what could not be read.

    `prepare` turns a frame into what the network takes, where that is no frame.

    Epoch 0 is the network as it came: training never makes it worse. Raises `TrainingError`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    learning = [*network.head.parameters(), *trunk_parameters]
    for parameter in learning:
        parameter.requires_grad_(True)
    groups = [{"params": list(network.head.parameters()), "lr": settings.rate}]
    if trunk_parameters:
        groups.append({"params": list(trunk_parameters), "lr": settings.trunk_rate})
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-2)
    made_for = _made_for(settings, spec, classes, train, held_out, network)
    state, best = _State(-1, -1, float("inf"), [], {}), _copy(network)
    if (found := _load(checkpoint, made_for, device)) is not None:
        state = found[0]
        network.load_state_dict(found[1]["network"])
        optimizer.load_state_dict(found[1]["optimizer"])
        best = found[1]["best"]
    truth = label_indices(train, classes)
    weights = torch.from_numpy(class_weights(truth, len(classes))).float().to(device)
    with deterministic():
        while state.epoch < settings.epochs and state.epoch - state.best_epoch <= settings.patience:
            state.epoch += 1
            label = f"epoch {state.epoch} of at most {settings.epochs}"
            if state.epoch:
                feed = _Feed(spec, train, truth, weights, settings, prepare)
                own = _epoch(network, optimizer, feed, state, device, label, progress)
            else:
                some = train[: 20 * settings.batch]
                first = predict_pictures(network, spec, classes, some, settings.batch, state.unreadable, prepare)
                own = loss_and_accuracy(first.logits, first.truth)
            held = predict_pictures(network, spec, classes, held_out, settings.batch, state.unreadable, prepare)
            loss, accuracy = loss_and_accuracy(held.logits, held.truth)
            state.curve.append(CurvePoint(state.epoch, own[0], loss, own[1], accuracy))
            # Without held-out photographs the last epoch counts.
            if not len(held.truth) or loss < state.best_loss:
                state.best_epoch, state.best_loss, best = state.epoch, loss, _copy(network)
            _save(checkpoint, made_for, state, network, optimizer, best)
    network.load_state_dict(best)
    network.cpu()
    return state.curve, state.unreadable


def predict_pictures(
    network: DensePass,
    spec: FrameSpec,
    classes: Sequence[LabelClass],
    pictures: Sequence[Sample],
    batch: int,
    unreadable: dict[Path, str],
    prepare: FrameTransform | None = None,
) -> LabelledPredictions:
    """What the network says of these photographs, as far as they can be read."""
    device = next(network.parameters()).device
    kept: list[int] = []
    logits, windows = [], []
    with torch.inference_mode():
        for frames, places in load_batches(pictures, range(len(pictures)), spec, batch, unreadable, prepare=prepare):
            told, best, _ = network.scores(frames.to(device))
            kept += places
            logits.append(told.cpu().numpy())
            if best is not None:
                windows.append(best.cpu().numpy())
    seen = tuple(pictures[place] for place in kept)
    none = np.zeros((0, len(classes)), np.float32)
    return LabelledPredictions(
        seen,
        label_indices(seen, classes),
        np.concatenate(logits) if logits else none,
        np.concatenate(windows) if windows else None,
    )


def describe_epochs(curve: Sequence[CurvePoint], most: int) -> str:
    """How many epochs there were, and which one counts, in words."""
    told = [point for point in curve if not math.isnan(point.held_out_loss)]
    best = min(told, key=lambda point: (point.held_out_loss, point.step)) if told else curve[-1]
    return f"{curve[-1].step} of at most {most}; number {best.step} counts"


@contextmanager
def deterministic() -> Iterator[None]:
    """Torch takes the algorithms that give the same result each time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was)


@dataclass(frozen=True)
class _Feed:
    """What the epochs learn from."""

    spec: FrameSpec
    train: Sequence[Sample]
    truth: NDArray[np.int64]
    weights: torch.Tensor
    settings: LoopSettings
    prepare: FrameTransform | None

    def batches(self, epoch: int, unreadable: dict[Path, str]) -> Iterator[tuple[torch.Tensor, list[int]]]:
        settings = self.settings
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(self.train)).tolist()
        chance = f"{settings.seed} {epoch}"
        return load_batches(
            self.train, order, self.spec, settings.batch, unreadable, settings.augmentations, chance, self.prepare
        )


def _epoch(
    network: DensePass,
    optimizer: torch.optim.Optimizer,
    feed: _Feed,
    state: _State,
    device: torch.device,
    label: str,
    progress: Progress,
) -> tuple[float, float]:
    """Mean loss and accuracy over the epoch, while it learns."""
    seen, right, total = 0, 0, 0.0
    for frames, places in feed.batches(state.epoch, state.unreadable):
        logits = network.scores(frames.to(device))[0]
        wanted = torch.from_numpy(feed.truth[places]).to(device)
        losses = functional.cross_entropy(logits, wanted, reduction="none")
        optimizer.zero_grad()
        (losses * feed.weights[wanted]).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if not torch.isfinite(losses).all():
            raise TrainingError("the loss is no number any more: lower --rate")
        seen += len(places)
        right += int((logits.argmax(dim=1) == wanted).sum())
        total += float(losses.detach().sum())
        progress(label, seen, len(feed.train))
    if not seen:
        raise TrainingError(
            "none of the photographs to learn from can be read: `uncia data check` tells of each file what is wrong"
        )
    return total / seen, right / seen


def _copy(network: DensePass) -> dict[str, torch.Tensor]:
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def _made_for(
    settings: LoopSettings,
    spec: FrameSpec,
    classes: Sequence[LabelClass],
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    network: DensePass,
) -> str:
    """A checkpoint of anything else is none."""
    hasher = hashlib.sha256(
        f"{asdict(settings)} {spec} {[entry.label for entry in classes]} {torch.__version__}".encode()
    )
    for side in (train, held_out):
        for picture in side:
            hasher.update(f"{picture.path}\0{picture.label}\n".encode())
    for key, value in sorted(_copy(network).items()):
        hasher.update(key.encode() + value.contiguous().numpy().tobytes())
    return hasher.hexdigest()


def _save(
    path: Path,
    made_for: str,
    state: _State,
    network: DensePass,
    optimizer: torch.optim.Optimizer,
    best: dict[str, torch.Tensor],
) -> None:
    """Whole or not at all."""
    held: dict[str, Any] = {
        "made_for": made_for,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_loss": state.best_loss,
        "curve": [list(astuple(point)) for point in state.curve],
        "unreadable": {str(file): told for file, told in state.unreadable.items()},
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": best,
    }
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(held, draft)
        replace_durably(draft, path)
    except (OSError, RuntimeError) as error:
        draft.unlink(missing_ok=True)
        # Where the disk is full torch says something of its own, which names a line of its source.
        why = error.strerror if isinstance(error, OSError) else "the disk is full, it seems"
        raise TrainingError(
            f"the checkpoint {path} cannot be written ({why}): make room, then give the same command again; it goes "
            "on from the last one"
        ) from error


def _load(path: Path, made_for: str, device: torch.device) -> tuple[_State, dict[str, Any]] | None:
    """None where there is none of this very run."""
    try:
        held = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError):
        return None
    if held.get("made_for") != made_for:
        return None
    curve = [CurvePoint(int(step), *rest) for step, *rest in held["curve"]]
    unreadable = {Path(file): told for file, told in held["unreadable"].items()}
    return _State(held["epoch"], held["best_epoch"], held["best_loss"], curve, unreadable), held
