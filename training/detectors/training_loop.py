"""Training of a detector by epochs: hard negatives, early stopping, and a checkpoint after each epoch.

All random choices depend on the seed and the epoch alone, and the mined blanks on the weights before the epoch, so a
run that was killed gives the same result as one that was not.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.detectors.annotated_frames import AnnotatedFrame, FrameSplit
from uncia.training.detectors.batches import Augmentation, LoadedFrame, load_batches
from uncia.training.detectors.evaluation import RunDetector, detect_frames, held_out_score
from uncia.training.detectors.hard_negatives import mine_hard_negatives
from uncia.training.detectors.losses import Target
from uncia.training.model_packages.trained_model import CurvePoint
from uncia.training.networks.checkpoint import RunState, copy_weights, load_checkpoint, save_checkpoint
from uncia.training.networks.curve_plot import CurvePlot
from uncia.training.networks.training_loop import deterministic_algorithms

Progress = Callable[[str, int, int], None]

CHECKPOINT = "detector.pt"

_MOST_LOST = 5.0
"""Norm to which gradients are clipped: one frame with many animals must not undo what was learnt before."""
_WARM_UP = 20
"""Steps in which the learning rate rises to its value."""


@dataclass(frozen=True)
class LoopSettings:
    """How to train by epochs."""

    epochs: int = 12
    patience: int = 3
    """Training stops after this many epochs without a better held-out score; the best epoch's weights are used."""
    batch: int = 8
    rate: float = 2e-4
    scale: float = 0.7
    """Size of the frames in training as a share of the served frame: half the pixels take half the time, and a crop of
    0.7 of the frame then has its full resolution."""
    crop_sides: tuple[float, float] = (0.6, 1.15)
    """Range of the side of random crops, as a share of the frame."""
    negatives: float = 0.5
    """Blank frames in an epoch, as a share of the frames with boxes."""
    mining_pool: float = 3.0
    """Blank frames that are scored for each one that is used; 1 takes them at random."""
    seed: int = 0


class Architecture(Protocol):
    """A network that can be trained, whatever its kind."""

    @property
    def network(self) -> nn.Module:
        """The network; training changes its weights."""
        ...

    @property
    def spec(self) -> FrameSpec:
        """The frame that the detector is served with."""
        ...

    @property
    def frozen(self) -> str:
        """What stays as it is: part of what identifies a run."""
        ...

    def trained_parameters(self) -> list[nn.Parameter]:
        """The parameters that are trained; all others are frozen."""
        ...

    def loss(self, pixels: Tensor, targets: Sequence[Target]) -> Tensor:
        """The loss of a batch: pixels float32 (B, 3, height, width), 0 to 255, RGB."""
        ...

    def runner(self, spec: FrameSpec) -> RunDetector:
        """The network as it is now, as a detector for frames of this size."""
        ...

    def training_size(self, scale: float) -> tuple[int, int]:
        """Width and height near this share of the served frame that the network can be trained on."""
        ...


@dataclass
class TrainedDetector:
    """A detector after training."""

    curve: list[CurvePoint]
    """By epoch; `held_out_accuracy` is the held-out score, `train_accuracy` the share of mined blanks with a score of
    0.2 and more."""
    best_epoch: int
    unreadable: dict[Path, str]


def train_detector(
    architecture: Architecture,
    categories: tuple[DetectionCategory, ...],
    split: FrameSplit,
    settings: LoopSettings,
    work: Path,
    progress: Progress = lambda step, done, total: None,
) -> TrainedDetector:
    """Train the network of `architecture` in place, whose classes are `categories`.

    Checkpoints are in the folder `work`, from which the same call resumes. Epoch 0 is the network before training: on
    the held-out frames the result is never worse. Raises `TrainingError`.
    """
    run = _Run(architecture, categories, split, settings, work / CHECKPOINT, progress)
    with deterministic_algorithms():
        while not run.finished:
            run.next_epoch()
    architecture.network.load_state_dict(run.best)
    architecture.network.eval()
    return TrainedDetector(run.state.curve, run.state.best_epoch, run.state.unreadable)


class _Run:
    """One run: network, optimizer and state, resumed from the checkpoint where there is one of the same run."""

    def __init__(
        self,
        architecture: Architecture,
        categories: tuple[DetectionCategory, ...],
        split: FrameSplit,
        settings: LoopSettings,
        checkpoint: Path,
        progress: Progress,
    ) -> None:
        network = architecture.network
        self._architecture, self._network = architecture, network
        self._categories, self._settings = categories, settings
        self._annotated = [frame for frame in split.train if frame.boxes]
        self._blanks = [frame for frame in split.train if not frame.boxes]
        if not self._annotated:
            raise TrainingError("no training photograph has a box: `uncia data boxes` makes some")
        self._held_out = split.held_out
        self._checkpoint, self._progress, self._spec = checkpoint, progress, architecture.spec
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        self._trained = architecture.trained_parameters()
        for parameter in self._trained:
            parameter.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(self._trained, lr=settings.rate, weight_decay=1e-3)
        self._plot = CurvePlot(checkpoint.parent)
        self._run_id = _run_id(settings, split, architecture, categories)
        self.state = RunState(-1, -1, float("inf"), [], {})
        self.best = copy_weights(network)
        if (found := load_checkpoint(checkpoint, self._run_id, torch.device("cpu"))) is not None:
            self.state, tensors = found
            network.load_state_dict(tensors["network"])
            self._optimizer.load_state_dict(tensors["optimizer"])
            self.best = tensors["best"]

    @property
    def finished(self) -> bool:
        state, settings = self.state, self._settings
        return state.epoch >= settings.epochs or state.epoch - state.best_epoch > settings.patience

    def next_epoch(self) -> None:
        """Train one epoch (none as number 0), evaluate it, and write a checkpoint."""
        state = self.state
        state.epoch += 1
        loss, hard = self._train() if state.epoch else (float("nan"), float("nan"))
        score = held_out_score(
            detect_frames(
                self._held_out,
                self._architecture.runner(self._spec),
                self._spec,
                state.unreadable,
                batch=self._settings.batch,
                progress=lambda done, total: self._progress(f"held-out frames after epoch {state.epoch}", done, total),
            )
        )
        state.curve.append(CurvePoint(state.epoch, loss, 1 - score, hard, score))
        # Without held-out frames the last epoch counts.
        if not self._held_out or 1 - score < state.best_loss:
            state.best_epoch, state.best_loss, self.best = state.epoch, 1 - score, copy_weights(self._network)
        save_checkpoint(self._checkpoint, self._run_id, state, self._network, self._optimizer, self.best)
        self._plot.update(state.curve)

    def _mine(self, random: np.random.Generator) -> tuple[list[AnnotatedFrame], list[float], float]:
        """The blanks of this epoch, their weights, and the share of them that score 0.2 and more."""
        settings = self._settings
        count = min(len(self._blanks), round(settings.negatives * len(self._annotated)))
        if not count:
            return [], [], 0.0
        pool = min(len(self._blanks), round(count * settings.mining_pool))
        # At the size of training: a third of the work, and the frames as training shows them.
        width, height = self._architecture.training_size(settings.scale)
        spec = self._spec.model_copy(update={"width": width, "height": height})
        drawn = [self._blanks[index] for index in np.sort(random.permutation(len(self._blanks))[:pool])]
        scored = detect_frames(
            drawn,
            self._architecture.runner(spec),
            spec,
            self.state.unreadable,
            batch=settings.batch,
            progress=lambda done, total: self._progress(f"hard negatives of epoch {self.state.epoch}", done, total),
        )
        scores = np.array([found.best_score for found in scored.detections])
        hard = mine_hard_negatives(scores, count)
        frames = [scored.frames[index] for index in hard.indices]
        share = float((scores[hard.indices] >= 0.2).mean()) if len(frames) else 0.0
        return frames, hard.weights.tolist(), share

    def _train(self) -> tuple[float, float]:
        """One pass; the mean loss, and the share of hard blanks."""
        settings, epoch = self._settings, self.state.epoch
        random = np.random.default_rng([settings.seed, epoch])
        torch.manual_seed(int(random.integers(2**31)))
        blanks, weights, hard = self._mine(random)
        frames = [*self._annotated, *blanks]
        frame_weights = [1.0] * len(self._annotated) + weights
        order = random.permutation(len(frames)).tolist()
        augmentation = Augmentation(
            self._architecture.training_size(settings.scale), settings.crop_sides, f"{settings.seed} {epoch}"
        )
        total, seen, steps = 0.0, 0, 0
        done = (epoch - 1) * -(-len(frames) // settings.batch)
        for loaded in load_batches(frames, order, self._spec, settings.batch, self.state.unreadable, augmentation):
            for group in self._optimizer.param_groups:
                group["lr"] = settings.rate * min(1.0, (done + steps + 1) / _WARM_UP)
            targets = [self._target(frames[one.index], one, frame_weights[one.index]) for one in loaded]
            loss = self._architecture.loss(_stack(loaded), targets)
            if not torch.isfinite(loss):
                raise TrainingError("the loss became NaN or infinite: choose a lower learning rate with --rate")
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._trained, _MOST_LOST)
            self._optimizer.step()
            seen, steps, total = seen + len(loaded), steps + 1, total + float(loss.detach()) * len(loaded)
            self._progress(f"epoch {epoch} of at most {settings.epochs}", seen, len(frames))
        if not seen:
            raise TrainingError(
                "none of the training photographs can be read: `uncia data check` reports what is wrong with each file"
            )
        return total / seen, hard

    def _target(self, frame: AnnotatedFrame, loaded: LoadedFrame, weight: float) -> Target:
        height, width = loaded.pixels.shape[:2]
        shown = np.array(loaded.visible, bool)
        boxes = loaded.boxes[shown] * np.array([width, height, width, height])
        classes = [self._categories.index(true.category) for true in frame.boxes]
        chosen = [index for index, keep in zip(classes, shown, strict=True) if keep]
        return Target(torch.from_numpy(boxes).float(), torch.tensor(chosen, dtype=torch.int64), weight)


def _stack(loaded: Sequence[LoadedFrame]) -> Tensor:
    return torch.from_numpy(np.stack([one.pixels for one in loaded])).permute(0, 3, 1, 2).float()


def _run_id(
    settings: LoopSettings,
    split: FrameSplit,
    architecture: Architecture,
    categories: tuple[DetectionCategory, ...],
) -> str:
    """Digest of everything that determines a run: a checkpoint of any other run is not used."""
    hasher = hashlib.sha256(
        f"{asdict(settings)} {architecture.spec} {architecture.frozen} {categories} {torch.__version__}".encode()
    )
    for frames in (split.train, split.held_out):
        for frame in frames:
            hasher.update(f"{frame.path}\0{frame.boxes}\n".encode())
    for key, value in sorted(copy_weights(architecture.network).items()):
        hasher.update(key.encode() + value.contiguous().numpy().tobytes())
    return hasher.hexdigest()
