"""The effect of each part on the user's own data: cuts, whole frame or windows, augmentation, bursts.

Every combination is trained, and evaluated on the same test bursts, so that differences are paired. Features of all
cuts are computed in one pass.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.splits import Split
from uncia.training.evaluation import metrics
from uncia.training.evaluation.bootstrap import Interval, bootstrap_difference, bootstrap_interval
from uncia.training.evaluation.calibration import softmax
from uncia.training.features.backbone import Backbone
from uncia.training.features.inputs import Augmentation
from uncia.training.features.split_features import FileStatus
from uncia.training.features.window_sampling import InputMode
from uncia.training.heads.training import HeadSettings, cache_features, train_on_cached_features
from uncia.training.model_packages.evaluation import fit_held_out_temperature
from uncia.training.model_packages.package_writing import write_trained_package
from uncia.training.model_packages.trained_model import LabelledPredictions

Progress = Callable[[str, int, int], None]

Combination = tuple[str, InputMode, str, bool]
"""Cut, input mode, augmentation, and whether predictions are combined over bursts."""

AUGMENTATION_SETS: dict[str, tuple[Augmentation, ...]] = {
    "none": ("plain",),
    "mirror": ("plain", "mirror"),
    "mirror+colour": ("plain", "mirror", "colour"),
}


@dataclass(frozen=True)
class AblationSettings:
    """The values of each part; all combinations are trained."""

    cuts: tuple[str, ...]
    input_modes: tuple[InputMode, ...] = ("whole", "windows")
    augmentations: tuple[str, ...] = ("none", "mirror", "mirror+colour")
    penalty: float | None = 0.1
    """The same in all rows; None: chosen for each row on the held-out photographs."""
    spec: FrameSpec = field(default_factory=FrameSpec)
    seed: int = 0


@dataclass(frozen=True)
class AblationRow:
    """One combination, evaluated on the test photographs."""

    cut: str
    input_mode: InputMode
    augmentation: str
    bursts: bool
    """Each photograph's prediction is that of its burst: the geometric mean over the frames."""
    figures: dict[str, Interval]
    package: str
    """Folder of the model, where it was written. Combining bursts is the stream's task, not the model's."""

    @property
    def name(self) -> str:
        return f"{self.cut}, {self.input_mode}, {self.augmentation}{', bursts' if self.bursts else ''}"


@dataclass(frozen=True)
class AblationResult:
    """All rows, and the effect of each part, averaged over all rows that differ in nothing else."""

    rows: tuple[AblationRow, ...]
    effects: dict[str, Interval]
    """Difference in top-1 accuracy. An interval above 0: the part helps. One that contains 0: undecided."""
    loss_effects: dict[str, Interval]
    """Difference in log loss, where lower is better."""
    photographs: int
    bursts: int
    unreadable: dict[Path, str]


class _Scoreboard:
    """Collects the rows and, by combination, a value for each test photograph (N,)."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.rows: list[AblationRow] = []
        self.hits: dict[Combination, NDArray[np.float64]] = {}
        self.losses: dict[Combination, NDArray[np.float64]] = {}

    def add(
        self, settings: HeadSettings, augmentation: str, temperature: float, test: LabelledPredictions, package: str
    ) -> None:
        """Evaluate a model's test predictions, frame by frame and combined over bursts."""
        per_frame = softmax(test.logits, temperature)
        for bursts in (False, True):
            probabilities = burst_probabilities(per_frame, test.bursts) if bursts else per_frame
            combination = (settings.cut, settings.input_mode, augmentation, bursts)
            self.hits[combination] = (probabilities.argmax(axis=1) == test.truth).astype(np.float64)
            self.losses[combination] = metrics.log_loss_per_item(probabilities, test.truth)
            figures = _figures(probabilities, test.truth, test.bursts, self._seed)
            self.rows.append(AblationRow(*combination, figures, package))


def ablate(
    data: Dataset,
    split: Split,
    backbone: Backbone,
    settings: AblationSettings,
    cache: Path,
    keep: Path | None = None,
    progress: Progress = lambda step, done, total: None,
) -> AblationResult:
    """Train and evaluate every combination; `keep` is a folder that receives a package of each model.

    Features stay in `cache`, so an interrupted run resumes. Raises `TrainingError`.
    """
    for cut in settings.cuts:
        backbone.check(cut)
    files = FileStatus()
    most = max((AUGMENTATION_SETS[name] for name in settings.augmentations), key=len)
    cache_features(
        split, backbone, settings.cuts, HeadSettings(augmentations=most, spec=settings.spec), cache, files, progress
    )
    plans = [(cut, mode, a) for cut in settings.cuts for mode in settings.input_modes for a in settings.augmentations]
    scoreboard = _Scoreboard(settings.seed)
    for done, (cut, input_mode, augmentation) in enumerate(plans):
        progress("heads", done, len(plans))
        augmentations = AUGMENTATION_SETS[augmentation]
        head = HeadSettings(cut, input_mode, augmentations, penalty=settings.penalty, spec=settings.spec)
        trained = train_on_cached_features(split, backbone, head, cache, files)
        test = trained.test
        if not len(test.truth):
            raise TrainingError("there is no test burst: a comparison needs more bursts")
        package = ""
        if keep is not None:
            name = package_name(cut, input_mode, augmentation)
            written = write_trained_package(trained, data, split, keep / name, name=name, seed=settings.seed)
            package = str(written.folder)
        scoreboard.add(head, augmentation, fit_held_out_temperature(trained.held_out), test, package)
    progress("heads", len(plans), len(plans))
    return AblationResult(
        tuple(scoreboard.rows),
        _effects(scoreboard.hits, test.bursts, settings),
        _effects(scoreboard.losses, test.bursts, settings),
        len(test.truth),
        len(set(test.bursts)),
        files.unreadable,
    )


def burst_probabilities(probabilities: NDArray[np.float64], bursts: NDArray[np.str_]) -> NDArray[np.float64]:
    """Each photograph's probabilities (N, C) replaced by its burst's: the normalised geometric mean over the frames."""
    _, burst_of = np.unique(bursts, return_inverse=True)
    sums = np.zeros((burst_of.max() + 1, probabilities.shape[1]))
    np.add.at(sums, burst_of, np.log(np.clip(probabilities, 1e-6, 1)))
    return softmax(sums / np.bincount(burst_of)[:, None])[burst_of]


def spread_cuts(backbone: Backbone, spec: FrameSpec, count: int = 3) -> tuple[str, ...]:
    """`count` cuts, spread from early to the deepest; only cuts whose features align with the windows."""
    sizes = (spec.width, spec.height, spec.window, spec.stride)
    fitting = [cut for cut, stride in backbone.strides.items() if not any(size % stride for size in sizes)]
    indices = [round((number + 1) * len(fitting) / count) - 1 for number in range(count)]
    return tuple(dict.fromkeys(fitting[index] for index in indices if index >= 0))


def package_name(cut: str, input_mode: str, augmentation: str) -> str:
    """A name that Triton accepts."""
    return re.sub(r"[^a-z0-9]+", "_", f"head_{cut}_{input_mode}_{augmentation}".lower())


def as_json(result: AblationResult) -> dict[str, Any]:
    """All rows and effects for scripts, each figure with `low`, `value` and `high`."""
    return {
        "photographs": result.photographs,
        "bursts": result.bursts,
        "rows": [
            {
                "cut": row.cut,
                "look": row.input_mode,
                "augmentation": row.augmentation,
                "bursts": row.bursts,
                "package": row.package,
                "figures": _as_dicts(row.figures),
            }
            for row in result.rows
        ],
        "effects": _as_dicts(result.effects),
        "loss_effects": _as_dicts(result.loss_effects),
        "unreadable": {str(path): reason for path, reason in sorted(result.unreadable.items())},
    }


def _figures(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bursts: NDArray[np.str_], seed: int
) -> dict[str, Interval]:
    ranks = metrics.ranks(probabilities, truth)
    return {
        "top-1": bootstrap_interval(ranks <= 1, bursts, seed=seed),
        "mean reciprocal rank": bootstrap_interval(1 / ranks, bursts, seed=seed),
        "log loss": bootstrap_interval(metrics.log_loss_per_item(probabilities, truth), bursts, seed=seed),
    }


def _effects(
    values: dict[Combination, NDArray[np.float64]], bursts: NDArray[np.str_], settings: AblationSettings
) -> dict[str, Interval]:
    """Each value of a part against the one before it: the mean over all other parts, photograph by photograph."""

    def mean(position: int, value: object) -> NDArray[np.float64]:
        return np.asarray(np.mean([own for key, own in values.items() if key[position] == value], axis=0))

    parts: list[tuple[int, Sequence[object], Callable[[object, object], str]]] = [
        (0, settings.cuts, lambda new, old: f"cut {new} instead of {old}"),
        (1, settings.input_modes, lambda new, old: f"{new} instead of {old}"),
        (2, settings.augmentations, lambda new, old: f"augmentation {new} instead of {old}"),
        (3, (False, True), lambda new, old: "bursts instead of single frames"),
    ]
    effects = {}
    for position, options, name in parts:
        for old, new in pairwise(options):
            first, second = mean(position, new), mean(position, old)
            effects[name(new, old)] = bootstrap_difference(first, second, bursts, seed=settings.seed)
    return effects


def _as_dicts(figures: dict[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: interval.as_dict() for name, interval in figures.items()}
