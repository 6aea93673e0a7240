"""The effect of each part on the user's own data: cuts, whole frame or windows, augmentation, and rules for bursts.

Every combination is trained, and evaluated on the same test bursts, so that differences are paired. Features of all
cuts are computed in one pass. Verdicts on frames are compared with the frames' own truth, those on bursts with the
burst's (`uncia.training.evaluation.burst_rules`).
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
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import Split
from uncia.training.evaluation import metrics
from uncia.training.evaluation.bootstrap import Interval, bootstrap_difference, bootstrap_interval
from uncia.training.evaluation.burst_rules import (
    ANY_FRAME,
    SINGLE_FRAMES,
    BurstPredictions,
    Presence,
    RuleAnswers,
    RuleFigures,
    answers_by_rule,
    groups_of_bursts,
    rule_figures,
)
from uncia.training.evaluation.calibration import softmax
from uncia.training.features.backbone import Backbone
from uncia.training.features.inputs import Augmentation
from uncia.training.features.split_features import FileStatus
from uncia.training.features.window_sampling import InputMode
from uncia.training.heads.training import HeadSettings, cache_features, train_on_cached_features
from uncia.training.model_packages.evaluation import fit_held_out_temperature
from uncia.training.model_packages.package_writing import write_trained_package
from uncia.training.model_packages.trained_model import LabelledPredictions, TrainedModel, camera_notes

Progress = Callable[[str, int, int], None]

Combination = tuple[str, InputMode, str]
"""Cut, input mode and augmentation."""

PresenceOf = Callable[[Sequence[Sample]], Presence]
"""What the presence model says of the test photographs: by frame, and by burst in the order of their sorted names."""

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
    figures: dict[str, Interval]
    """Of single frames."""
    burst_figures: dict[str, Interval]
    """By rule: share of the bursts whose taxon is right."""
    package: str
    """Folder of the model, where it was written. Combining bursts is the stream's task, not the model's."""

    @property
    def name(self) -> str:
        return f"{self.cut}, {self.input_mode}, {self.augmentation}"


@dataclass(frozen=True)
class AblationResult:
    """All rows, and the effect of each part, averaged over all rows that differ in nothing else."""

    rows: tuple[AblationRow, ...]
    effects: dict[str, Interval]
    """Difference in top-1 accuracy. An interval above 0: the part helps. One that contains 0: undecided."""
    loss_effects: dict[str, Interval]
    """Difference in log loss, where lower is better; of rules there is none."""
    photographs: int
    bursts: int
    unreadable: dict[Path, str]
    best: str
    """Name of the row with the lowest log loss on the held-out photographs: that of `rules` and `places`."""
    rules: dict[str, RuleFigures]
    """By rule, on all test bursts."""
    places: dict[str, dict[str, RuleFigures]]
    """By `camera NAME` and `data set NAME`, then by rule; what is unknown has no entry."""
    warnings: tuple[str, ...]


class _Scoreboard:
    """Collects the rows and, by combination, values of the test photographs (N,) and bursts (B,)."""

    def __init__(self, seed: int, presence: PresenceOf | None) -> None:
        self._seed = seed
        self._presence_of = presence
        self._presence: Presence | None = None
        self.rows: list[AblationRow] = []
        self.hits: dict[Combination, NDArray[np.float64]] = {}
        self.losses: dict[Combination, NDArray[np.float64]] = {}
        self.frame_hits: dict[str, list[NDArray[np.float64]]] = {}
        """By rule, for each combination: whether each frame's taxon is right."""
        self.burst_hits: dict[str, list[NDArray[np.float64]]] = {}
        """By rule, for each combination: the share of a burst's answers that are right."""
        self.best: tuple[float, str, BurstPredictions] | None = None

    def add(self, settings: HeadSettings, augmentation: str, trained: TrainedModel, package: str) -> None:
        """Evaluate a model's test predictions, frame by frame and by all rules for bursts."""
        temperature, test = fit_held_out_temperature(trained.held_out), trained.test
        probabilities = softmax(test.logits, temperature)
        combination = (settings.cut, settings.input_mode, augmentation)
        self.hits[combination] = (probabilities.argmax(axis=1) == test.truth).astype(np.float64)
        self.losses[combination] = metrics.log_loss_per_item(probabilities, test.truth)
        if self._presence is None and self._presence_of is not None:
            self._presence = self._presence_of(test.samples)
        predictions = BurstPredictions(
            probabilities.astype(np.float64),
            test.truth.astype(np.intp),
            test.bursts,
            tuple(entry.group for entry in trained.classes),
            self._presence,
        )
        burst_figures = {}
        for rule, answers in answers_by_rule(predictions).items():
            frame_right, burst_right = _right_taxa(predictions, answers)
            self.frame_hits.setdefault(rule, []).append(frame_right)
            self.burst_hits.setdefault(rule, []).append(burst_right)
            right = predictions.burst_classes[answers.burst_index, answers.burst_class]
            names = predictions.names[answers.burst_index]
            burst_figures[rule] = bootstrap_interval(right, names, seed=self._seed)
        figures = _figures(probabilities, test.truth, test.bursts, self._seed)
        row = AblationRow(*combination, figures, burst_figures, package)
        self.rows.append(row)
        loss = _held_out_loss(trained.held_out, temperature)
        if self.best is None or loss < self.best[0]:
            self.best = (loss, row.name, predictions)


def ablate(
    data: Dataset,
    split: Split,
    backbone: Backbone,
    settings: AblationSettings,
    cache: Path,
    keep: Path | None = None,
    progress: Progress = lambda step, done, total: None,
    presence: PresenceOf | None = None,
) -> AblationResult:
    """Train and evaluate every combination; `keep` is a folder that receives a package of each model.

    `presence` adds the presence model to the rules for bursts. Features stay in `cache`, so an interrupted run resumes.
    Raises `TrainingError`.
    """
    for cut in settings.cuts:
        backbone.check(cut)
    files = FileStatus()
    most = max((AUGMENTATION_SETS[name] for name in settings.augmentations), key=len)
    cache_features(
        split, backbone, settings.cuts, HeadSettings(augmentations=most, spec=settings.spec), cache, files, progress
    )
    plans = [(cut, mode, a) for cut in settings.cuts for mode in settings.input_modes for a in settings.augmentations]
    scoreboard = _Scoreboard(settings.seed, presence)
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
        scoreboard.add(head, augmentation, trained, package)
    progress("heads", len(plans), len(plans))
    assert scoreboard.best is not None
    _, best, predictions = scoreboard.best
    return AblationResult(
        rows=tuple(scoreboard.rows),
        effects={
            **_effects(scoreboard.hits, test.bursts, settings),
            **_rule_effects(scoreboard, predictions, settings),
        },
        loss_effects=_effects(scoreboard.losses, test.bursts, settings),
        photographs=len(test.truth),
        bursts=len(set(test.bursts)),
        unreadable=files.unreadable,
        best=best,
        rules={
            rule: rule_figures(predictions, answers, seed=settings.seed)
            for rule, answers in answers_by_rule(predictions).items()
        },
        places=_by_place(predictions, test.samples, settings.seed),
        warnings=tuple(camera_notes(split)),
    )


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
                "package": row.package,
                "figures": _as_dicts(row.figures),
                "burst_figures": _as_dicts(row.burst_figures),
            }
            for row in result.rows
        ],
        "effects": _as_dicts(result.effects),
        "loss_effects": _as_dicts(result.loss_effects),
        "best": result.best,
        "rules": {rule: own.as_dict() for rule, own in result.rules.items()},
        "places": {
            place: {rule: own.as_dict() for rule, own in rules.items()} for place, rules in result.places.items()
        },
        "warnings": list(result.warnings),
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
    ]
    effects = {}
    for position, options, name in parts:
        for old, new in pairwise(options):
            first, second = mean(position, new), mean(position, old)
            effects[name(new, old)] = bootstrap_difference(first, second, bursts, seed=settings.seed)
    return effects


def _rule_effects(
    scoreboard: _Scoreboard, predictions: BurstPredictions, settings: AblationSettings
) -> dict[str, Interval]:
    """Each rule against single frames, for the taxon of frames and of bursts: the mean over all combinations."""
    effects = {}
    for rule in scoreboard.frame_hits:
        if rule == SINGLE_FRAMES:
            continue
        for unit, hits, groups in (
            ("frames", scoreboard.frame_hits, predictions.bursts),
            ("bursts", scoreboard.burst_hits, predictions.names),
        ):
            own, single = np.mean(hits[rule], axis=0), np.mean(hits[SINGLE_FRAMES], axis=0)
            if unit == "frames" and rule == ANY_FRAME:  # frames answer for themselves
                continue
            effects[f"{unit}: {rule} instead of {SINGLE_FRAMES}"] = bootstrap_difference(
                own, single, groups, seed=settings.seed
            )
    return effects


def _right_taxa(predictions: BurstPredictions, answers: RuleAnswers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether the taxon of each frame is right (N,), and the share of each burst's answers that are (B,)."""
    index = answers.burst_index
    right = predictions.burst_classes[index, answers.burst_class]
    count = len(predictions.names)
    shares = np.bincount(index, weights=right, minlength=count) / np.bincount(index, minlength=count)
    return (answers.frame_class == predictions.truth).astype(np.float64), shares


def _held_out_loss(held_out: LabelledPredictions, temperature: float) -> float:
    if not len(held_out.truth):
        return float("inf")
    return metrics.log_loss(softmax(held_out.logits, temperature), held_out.truth)


def _by_place(predictions: BurstPredictions, samples: Sequence[Sample], seed: int) -> dict[str, dict[str, RuleFigures]]:
    """The figures of all rules for each camera and each data set, where there are several."""
    found = {}
    answers = answers_by_rule(predictions)
    kinds = {"data set": [sample.dataset for sample in samples], "camera": [sample.camera for sample in samples]}
    for kind, places in kinds.items():
        masks = groups_of_bursts(predictions, places)
        for place, mask in masks.items() if len(masks) > 1 else ():
            found[f"{kind} {place}"] = {
                rule: rule_figures(predictions, own, seed=seed, bursts=mask) for rule, own in answers.items()
            }
    return found


def _as_dicts(figures: dict[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: interval.as_dict() for name, interval in figures.items()}
