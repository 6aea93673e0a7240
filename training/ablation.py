"""What each part is worth on the user's own data: cuts, whole frame or windows, augmentation, bursts.

Every combination is trained and judged on the same test bursts, so that differences are paired. Features of all cuts
come out of one pass.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frames import FrameSpec
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

Progress = Callable[[str, int, int], None]

Table = dict[tuple[str, str, str, bool], NDArray[np.float64]]
"""A value for each test photograph (N,), by cut, look, augmentation and whether bursts answer."""

AUGMENTATION_SETS: dict[str, tuple[Augmentation, ...]] = {
    "none": ("plain",),
    "mirror": ("plain", "mirror"),
    "mirror+colour": ("plain", "mirror", "colour"),
}


@dataclass(frozen=True)
class AblationSettings:
    """What is combined with what."""

    cuts: tuple[str, ...]
    looks: tuple[InputMode, ...] = ("whole", "windows")
    augmentations: tuple[str, ...] = ("none", "mirror", "mirror+colour")
    penalty: float | None = 0.1
    """The same in all rows; None: found for each row on the held-out photographs."""
    spec: FrameSpec = field(default_factory=FrameSpec)
    seed: int = 0


@dataclass(frozen=True)
class AblationRow:
    """One combination on the test photographs."""

    cut: str
    look: InputMode
    augmentation: str
    bursts: bool
    """Each photograph's answer is that of its burst: the geometric mean over the frames."""
    figures: dict[str, Interval]
    package: str
    """Folder of the model, where it was kept. Combining bursts is the stream's part, not the model's."""

    @property
    def name(self) -> str:
        return f"{self.cut}, {self.look}, {self.augmentation}{', bursts' if self.bursts else ''}"


@dataclass(frozen=True)
class AblationResult:
    """All rows, and what each part does on the average of all rows that differ in nothing else."""

    rows: tuple[AblationRow, ...]
    effects: dict[str, Interval]
    """Difference of top-1 that a part makes. Above 0 as a whole: it helps. Around 0: nobody can tell."""
    loss_effects: dict[str, Interval]
    """The same of the log loss, where less is better."""
    photographs: int
    bursts: int
    unreadable: dict[Path, str]


def ablate(
    data: Dataset,
    split: Split,
    backbone: Backbone,
    settings: AblationSettings,
    cache: Path,
    keep: Path | None = None,
    progress: Progress = lambda what, done, total: None,
) -> AblationResult:
    """Train and judge every combination. Features are kept: a stopped run goes on. Raises `TrainingError`."""
    for cut in settings.cuts:
        backbone.check(cut)
    contents = FileStatus()
    most = max((AUGMENTATION_SETS[name] for name in settings.augmentations), key=len)
    every = HeadSettings(augmentations=most, spec=settings.spec)
    cache_features(split, backbone, settings.cuts, every, cache, contents, progress)
    plans = [(c, look, a) for c in settings.cuts for look in settings.looks for a in settings.augmentations]
    rows: list[AblationRow] = []
    right: Table = {}
    losses: Table = {}
    for done, (cut, look, augmentation) in enumerate(plans):
        progress("heads", done, len(plans))
        head = HeadSettings(cut, look, AUGMENTATION_SETS[augmentation], penalty=settings.penalty, spec=settings.spec)
        trained = train_on_cached_features(split, backbone, head, cache, contents)
        test = trained.test
        if not len(test.truth):
            raise TrainingError("there is no test burst: more bursts are needed to compare anything")
        package = ""
        if keep is not None:
            name = package_name(cut, look, augmentation)
            package = str(
                write_trained_package(trained, data, split, keep / name, name=name, seed=settings.seed).folder
            )
        alone = softmax(test.logits, fit_held_out_temperature(trained.held_out))
        for together in (False, True):
            told = burst_probabilities(alone, test.bursts) if together else alone
            key = (cut, look, augmentation, together)
            right[key] = (told.argmax(axis=1) == test.truth).astype(np.float64)
            losses[key] = metrics.log_loss_per_item(told, test.truth)
            figures = _figures(told, test.truth, test.bursts, settings.seed)
            rows.append(AblationRow(cut, look, augmentation, together, figures, package))
    progress("heads", len(plans), len(plans))
    return AblationResult(
        tuple(rows),
        _effects(right, test.bursts, settings),
        _effects(losses, test.bursts, settings),
        len(test.truth),
        len(set(test.bursts)),
        contents.unreadable,
    )


def burst_probabilities(probabilities: NDArray[np.float64], bursts: NDArray[np.str_]) -> NDArray[np.float64]:
    """Each photograph's probabilities (N, C) replaced by its burst's: the normalised geometric mean over the frames."""
    _, of = np.unique(bursts, return_inverse=True)
    sums = np.zeros((of.max() + 1, probabilities.shape[1]))
    np.add.at(sums, of, np.log(np.clip(probabilities, 1e-6, 1)))
    return softmax(sums / np.bincount(of)[:, None])[of]


def spread_cuts(backbone: Backbone, spec: FrameSpec, many: int = 3) -> tuple[str, ...]:
    """So many cuts, spread from early to the deepest; only such as the windows meet."""
    sizes = (spec.width, spec.height, spec.window, spec.stride)
    fitting = [cut for cut, step in backbone.steps.items() if not any(size % step for size in sizes)]
    places = [round((number + 1) * len(fitting) / many) - 1 for number in range(many)]
    return tuple(dict.fromkeys(fitting[place] for place in places if place >= 0))


def package_name(cut: str, look: str, augmentation: str) -> str:
    """A name that Triton takes."""
    return re.sub(r"[^a-z0-9]+", "_", f"head_{cut}_{look}_{augmentation}".lower())


def as_json(ablation: AblationResult) -> dict[str, Any]:
    """For scripts: all rows and effects, each with low, value and high."""
    return {
        "photographs": ablation.photographs,
        "bursts": ablation.bursts,
        "rows": [
            {
                "cut": row.cut,
                "look": row.look,
                "augmentation": row.augmentation,
                "bursts": row.bursts,
                "package": row.package,
                "figures": {name: _told(own) for name, own in row.figures.items()},
            }
            for row in ablation.rows
        ],
        "effects": {name: _told(own) for name, own in ablation.effects.items()},
        "loss_effects": {name: _told(own) for name, own in ablation.loss_effects.items()},
        "unreadable": {str(path): reason for path, reason in sorted(ablation.unreadable.items())},
    }


def _figures(
    told: NDArray[np.float64], truth: NDArray[np.int64], bursts: NDArray[np.str_], seed: int
) -> dict[str, Interval]:
    ranks = metrics.ranks(told, truth)
    return {
        "top-1": bootstrap_interval(ranks <= 1, bursts, seed=seed),
        "mean reciprocal rank": bootstrap_interval(1 / ranks, bursts, seed=seed),
        "log loss": bootstrap_interval(metrics.log_loss_per_item(told, truth), bursts, seed=seed),
    }


def _effects(values: Table, bursts: NDArray[np.str_], settings: AblationSettings) -> dict[str, Interval]:
    """Each part against the one before it: the mean over all else, photograph by photograph."""

    def mean(place: int, value: object) -> NDArray[np.float64]:
        return np.asarray(np.mean([own for key, own in values.items() if key[place] == value], axis=0))

    parts: list[tuple[int, Sequence[object], Callable[[object, object], str]]] = [
        (0, settings.cuts, lambda new, old: f"cut {new} instead of {old}"),
        (1, settings.looks, lambda new, old: f"{new} instead of {old}"),
        (2, settings.augmentations, lambda new, old: f"augmentation {new} instead of {old}"),
        (3, (False, True), lambda new, old: "bursts instead of single frames"),
    ]
    found = {}
    for place, steps, name in parts:
        for old, new in pairwise(steps):
            found[name(new, old)] = bootstrap_difference(mean(place, new), mean(place, old), bursts, seed=settings.seed)
    return found


def _told(own: Interval) -> dict[str, float]:
    return {"low": own.low, "value": own.value, "high": own.high}
