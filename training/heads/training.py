"""Train a head on a frozen backbone: deep features and logistic regression, which needs the fewest photographs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import Split
from uncia.training.feature_store.feature_table import scratch_directory
from uncia.training.features.backbone import Backbone
from uncia.training.features.inputs import Augmentation
from uncia.training.features.split_features import (
    FeatureSource,
    FileStatus,
    SplitFeatures,
    compute_features,
    load_features,
    readable_samples,
)
from uncia.training.features.window_sampling import (
    InputMode,
    frame_training_rows,
    score_items,
    window_training_rows,
)
from uncia.training.linear.logistic_regression import (
    ClassPrior,
    LinearClassifier,
    TrainingRows,
    fit_logistic_regression,
    single_blas_thread,
)
from uncia.training.model_packages.trained_model import (
    CurvePoint,
    LabelledPredictions,
    TrainedModel,
    coverage_notes,
    frame_wide_classes,
    label_classes,
    label_indices,
    loss_and_accuracy,
    with_known_labels,
)
from uncia.training.retained_classes import class_prior, find_published, published_classifier
from uncia.triton_models.recipes.dense_pass import DensePass

Progress = Callable[[str, int, int], None]
"""Called with the name of the current step, the number of finished units and the total."""

PENALTIES = (1.0, 0.1, 0.01)
_PENALTY_WITHOUT_HELD_OUT = 0.1

_STEPS_PER_POINT = 5
"""Iterations of the regression between two points of the curve."""


@dataclass(frozen=True)
class HeadSettings:
    """How to train a head."""

    cut: str = ""
    """Empty: the backbone's deepest."""
    input_mode: InputMode = "windows"
    augmentations: tuple[Augmentation, ...] = ("plain", "mirror")
    keep: tuple[str, ...] = ()
    """Classes of the published network, by label or taxon, that the head retains, with or without photographs."""
    penalty: float | None = None
    """Of the regression's weights; None: the one of `PENALTIES` with the lowest held-out loss."""
    rounds: int = 3
    """How often the best windows are selected again; `whole` needs one round."""
    spec: FrameSpec = field(default_factory=FrameSpec)
    """The frame; its windows are those of the dense pass."""


def train_head(
    split: Split,
    backbone: Backbone,
    settings: HeadSettings,
    cache: Path,
    progress: Progress = lambda step, done, total: None,
) -> TrainedModel:
    """Compute features once, then fit a few small regressions.

    Raises `TrainingError`; features that were computed until then remain in the folder `cache`.
    """
    cut = settings.cut or backbone.deepest
    backbone.check(cut)
    check_windows(settings.spec, backbone.strides[cut], settings.input_mode)
    label_classes(split.train, retained_classes(backbone, settings))
    files = FileStatus()
    cache_features(split, backbone, (cut,), settings, cache, files, progress)
    return train_on_cached_features(split, backbone, settings, cache, files, progress)


def cache_features(
    split: Split,
    backbone: Backbone,
    cuts: tuple[str, ...],
    settings: HeadSettings,
    cache: Path,
    files: FileStatus,
    progress: Progress = lambda step, done, total: None,
) -> None:
    """Compute the features of all subsets that the cache lacks, for all cuts in one pass."""
    for name, samples, source in _subsets(split, _feature_source(backbone, settings, cache)):

        def report(done: int, total: int, name: str = name) -> None:
            progress(f"features of the {name} photographs", done, total)

        compute_features(samples, source, cuts, files, report)


@single_blas_thread()
def train_on_cached_features(
    split: Split,
    backbone: Backbone,
    settings: HeadSettings,
    cache: Path,
    files: FileStatus,
    progress: Progress = lambda step, done, total: None,
) -> TrainedModel:
    """Train on features that `cache_features` computed. Raises `TrainingError`."""
    cut = settings.cut or backbone.deepest
    retained = retained_classes(backbone, settings)
    train_samples = readable_samples(split.train, files)
    classes = label_classes(train_samples, retained, (*split.held_out, *split.test))
    labels = {sample.label for sample in train_samples}
    unseen = tuple(entry.index for entry in classes if entry.label not in labels)
    prior = class_prior(published_classifier(backbone, cut), retained, classes, unseen) if retained else None
    with scratch_directory(cache) as scratch:
        subsets = []
        for name, samples, source in _subsets(split, _feature_source(backbone, settings, cache)):
            known = with_known_labels(samples, classes)
            features = load_features(known, label_indices(known, classes), source, cut, files, scratch / name)
            features.check_finite()
            subsets.append(features)
        fit = fit_head(subsets[0], subsets[1], classes, settings, progress, prior)
        held_out, test = (predict_split(subset, fit.head, classes, settings.input_mode) for subset in subsets[1:])
    return TrainedModel(
        network=build_dense_pass(backbone, cut, fit.head, classes, settings),
        spec=served_spec(settings),
        classes=classes,
        held_out=held_out,
        test=test,
        curve=fit.curve,
        curve_step="step of the regression",
        settings=_describe(backbone, cut, settings, fit.penalty, retained),
        weights=backbone.provenance,
        licence=backbone.licence,
        unseen=unseen,
        unreadable=files.unreadable,
        notes=coverage_notes(split, classes, unseen),
    )


def retained_classes(backbone: Backbone, settings: HeadSettings) -> tuple[LabelClass, ...]:
    """The published classes that the head retains. Raises `TrainingError` for unknown ones."""
    if not settings.keep:
        return ()
    return find_published(published_classifier(backbone, settings.cut or backbone.deepest), settings.keep)


def _feature_source(backbone: Backbone, settings: HeadSettings, cache: Path) -> FeatureSource:
    return FeatureSource(backbone, settings.spec, settings.input_mode, settings.augmentations, cache)


def _subsets(split: Split, source: FeatureSource) -> list[tuple[str, tuple[Sample, ...], FeatureSource]]:
    """Name, samples and feature source of each subset; only training photographs are augmented."""
    return [
        ("training", split.train, source),
        ("held-out", split.held_out, source.for_evaluation()),
        ("test", split.test, source.for_evaluation()),
    ]


def _describe(
    backbone: Backbone, cut: str, settings: HeadSettings, penalty: float, retained: Sequence[LabelClass]
) -> dict[str, str]:
    """The settings for the card. The keys are part of the JSON output of `uncia train`."""
    best = " (the best for the held-out photographs)" if settings.penalty is None else ""
    return {
        "way": "head on a frozen backbone: multinomial logistic regression",
        "backbone": backbone.name,
        "cut": cut,
        "looks at": settings.input_mode,
        "augmentation": ", ".join(settings.augmentations),
        "penalty": f"{penalty:g}{best}",
        "rounds": str(_rounds(settings)),
        **({"keeps of the published network": ", ".join(entry.label for entry in retained)} if retained else {}),
    }


def _rounds(settings: HeadSettings) -> int:
    return 1 if settings.input_mode == "whole" else settings.rounds


@dataclass(frozen=True)
class HeadFit:
    """The best head, and how it was found."""

    head: LinearClassifier
    loss: float
    """On the held-out photographs; without any, minus the number of the round."""
    curve: list[CurvePoint]
    penalty: float


def fit_head(
    train: SplitFeatures,
    held_out: SplitFeatures,
    classes: Sequence[LabelClass],
    settings: HeadSettings,
    progress: Progress = lambda step, done, total: None,
    prior: ClassPrior | None = None,
) -> HeadFit:
    """The head of the penalty and round with the lowest held-out loss."""
    penalties = PENALTIES if settings.penalty is None else (settings.penalty,)
    if settings.penalty is None and not held_out.items:
        penalties = (_PENALTY_WITHOUT_HELD_OUT,)
    rounds = _rounds(settings)
    fits = []
    for number, penalty in enumerate(penalties):
        before = number * rounds

        def report(done: int, before: int = before) -> None:
            progress("regression", before + done, len(penalties) * rounds)

        fits.append(_HeadFitter(train, held_out, classes, settings, penalty, prior).fit(report))
    # Of equal losses the first, which has the highest penalty.
    return min(fits, key=lambda fit: fit.loss)


class _HeadFitter:
    """Fits heads with one penalty, and records the curve of all rounds."""

    def __init__(
        self,
        train: SplitFeatures,
        held_out: SplitFeatures,
        classes: Sequence[LabelClass],
        settings: HeadSettings,
        penalty: float,
        prior: ClassPrior | None,
    ) -> None:
        self._train = train
        self._held_out = held_out
        self._classes = len(classes)
        self._frame_wide = frame_wide_classes(classes)
        self._settings = settings
        self._penalty = penalty
        self._prior = prior
        self._curve: list[CurvePoint] = []
        self._steps = 0

    def fit(self, report: Callable[[int], None]) -> HeadFit:
        """The best of all rounds. `report` is called with the number of finished rounds."""
        head: LinearClassifier | None = None
        best: tuple[float, LinearClassifier] | None = None
        for number in range(_rounds(self._settings)):
            head = fit_logistic_regression(
                self._train.table.rows,
                self._training_rows(head),
                self._classes,
                penalty=self._penalty,
                prior=self._prior,
                watch=self._watch,
            )
            self._curve.append(self._point(head))
            # Without held-out photographs the last round counts.
            loss = self._curve[-1].held_out_loss if self._held_out.items else -float(number)
            if best is None or loss < best[0]:
                best = (loss, head)
            report(number + 1)
        assert best is not None
        return HeadFit(best[1], best[0], self._curve, self._penalty)

    def _training_rows(self, head: LinearClassifier | None) -> TrainingRows:
        table, items = self._train.table, self._train.items
        if self._settings.input_mode == "whole":
            return frame_training_rows(table, items, self._classes)
        return window_training_rows(table, items, self._settings.spec, self._classes, self._frame_wide, head)

    def _watch(self, head: LinearClassifier, loss: float) -> None:
        self._steps += 1
        if self._steps % _STEPS_PER_POINT == 1:
            self._curve.append(self._point(head))

    def _point(self, head: LinearClassifier) -> CurvePoint:
        train_loss, train_accuracy = self._evaluate(self._train, head)
        held_out_loss, held_out_accuracy = self._evaluate(self._held_out, head)
        return CurvePoint(self._steps, train_loss, held_out_loss, train_accuracy, held_out_accuracy)

    def _evaluate(self, subset: SplitFeatures, head: LinearClassifier) -> tuple[float, float]:
        logits, _ = score_items(subset.table, head, self._settings.input_mode, self._frame_wide)
        return loss_and_accuracy(logits, subset.truth)


def predict_split(
    subset: SplitFeatures, head: LinearClassifier, classes: Sequence[LabelClass], input_mode: InputMode
) -> LabelledPredictions:
    """The predictions of the head for photographs that it was not trained on."""
    logits, windows = score_items(subset.table, head, input_mode, frame_wide_classes(classes))
    return LabelledPredictions(subset.samples, subset.truth, logits, windows)


def build_dense_pass(
    backbone: Backbone, cut: str, head: LinearClassifier, classes: Sequence[LabelClass], settings: HeadSettings
) -> DensePass:
    """The whole network: the frozen trunk, and the head as a 1 x 1 convolution over it."""
    layer = nn.Linear(head.weight.shape[1], head.weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.weight))
        layer.bias.copy_(torch.from_numpy(head.bias))
    spec = served_spec(settings)
    return DensePass(
        backbone.trunk(cut, spec),
        layer,
        spec,
        feature_stride=backbone.strides[cut],
        mean=backbone.mean,
        std=backbone.std,
        whole="windows",
        frame_wide=frame_wide_classes(classes),
    ).eval()


def served_spec(settings: HeadSettings) -> FrameSpec:
    """The frame that the model is served with: for `whole` its only window is the frame."""
    spec = settings.spec
    return spec if settings.input_mode != "whole" else spec.model_copy(update={"window": max(spec.width, spec.height)})


def check_windows(spec: FrameSpec, stride: int, input_mode: InputMode) -> None:
    """Raises `TrainingError` where the windows do not align with features `stride` pixels apart."""
    sizes = (spec.width, spec.height, spec.window, spec.stride)
    if input_mode != "whole" and (spec.grid == (1, 1) or any(size % stride for size in sizes)):
        raise TrainingError(
            f"this cut has one feature every {stride} pixels, which does not align with the windows: choose another "
            "cut, or --look whole"
        )
