"""A head on a frozen backbone: deep features and logistic regression, the way that needs the fewest photographs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from uncia.imaging.frames import FrameSpec
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
    readable_pictures,
)
from uncia.training.features.window_sampling import InputMode, frame_training_rows, score_items, window_training_rows
from uncia.training.linear.logistic_regression import (
    ClassPrior,
    LinearClassifier,
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
"""Called with what is being done, how many of how many."""

PENALTIES = (1.0, 0.1, 0.01)
_WITHOUT_HELD_OUT = 0.1

_WATCH_EVERY = 5
"""Steps of the regression between two points of the curve."""


@dataclass(frozen=True)
class HeadSettings:
    """How to train a head."""

    cut: str = ""
    """Empty: the backbone's deepest."""
    look: InputMode = "windows"
    augmentations: tuple[Augmentation, ...] = ("plain", "mirror")
    keep: tuple[str, ...] = ()
    """Classes of the published network, by label or taxon, that the head knows beside or beneath the photographs'."""
    penalty: float | None = None
    """Of the regression's weights; None: of `PENALTIES` the one that answers the held-out photographs best."""
    rounds: int = 3
    """How often the best windows are chosen anew; `whole` needs one."""
    spec: FrameSpec = field(default_factory=FrameSpec)
    """The frame; its windows are those of the dense pass."""


def train_head(
    split: Split,
    backbone: Backbone,
    settings: HeadSettings,
    cache: Path,
    progress: Progress = lambda what, done, total: None,
) -> TrainedModel:
    """Features once, then a few small regressions. Raises `TrainingError`; what was computed stays in the cache."""
    cut = settings.cut or backbone.deepest
    backbone.check(cut)
    check_windows(settings.spec, backbone.steps[cut], settings.look)
    label_classes(split.train, retained_classes(backbone, settings))
    contents = FileStatus()
    cache_features(split, backbone, (cut,), settings, cache, contents, progress)
    return train_on_cached_features(split, backbone, settings, cache, contents, progress)


def cache_features(
    split: Split,
    backbone: Backbone,
    cuts: tuple[str, ...],
    settings: HeadSettings,
    cache: Path,
    contents: FileStatus,
    progress: Progress = lambda what, done, total: None,
) -> None:
    """Have the features of all sides in the cache, for all cuts in one pass."""
    sighting = FeatureSource(backbone, settings.spec, settings.look, settings.augmentations, cache)
    for name, pictures in _sides(split).items():

        def tell(done: int, total: int, name: str = name) -> None:
            progress(f"features of the {name} photographs", done, total)

        compute_features(pictures, sighting if name == "training" else sighting.as_is(), cuts, contents, tell)


@single_blas_thread()
def train_on_cached_features(
    split: Split,
    backbone: Backbone,
    settings: HeadSettings,
    cache: Path,
    contents: FileStatus,
    progress: Progress = lambda what, done, total: None,
) -> TrainedModel:
    """Train on features that `cache_features` brought into the cache. Raises `TrainingError`."""
    cut = settings.cut or backbone.deepest
    sighting = FeatureSource(backbone, settings.spec, settings.look, settings.augmentations, cache)
    kept = retained_classes(backbone, settings)
    shown = readable_pictures(split.train, contents)
    classes = label_classes(shown, kept, (*split.held_out, *split.test))
    labels = {picture.label for picture in shown}
    unseen = tuple(entry.index for entry in classes if entry.label not in labels)
    prior = class_prior(published_classifier(backbone, cut), kept, classes, unseen) if kept else None
    with scratch_directory(cache) as place:
        sides = []
        for name, pictures in _sides(split).items():
            told = with_known_labels(pictures, classes)
            seen = sighting if name == "training" else sighting.as_is()
            sides.append(load_features(told, label_indices(told, classes), seen, cut, contents, place / name).checked())
        head, curve, penalty = fit_head(sides[0], sides[1], classes, settings, progress, prior)
        held_out, test = (predict_split(part, head, classes, settings.look) for part in sides[1:])
    best = " (the best for the held-out photographs)" if settings.penalty is None else ""
    return TrainedModel(
        network=build_dense_pass(backbone, cut, head, classes, settings),
        spec=served_spec(settings),
        classes=classes,
        held_out=held_out,
        test=test,
        curve=curve,
        curve_step="step of the regression",
        settings={
            "way": "head on a frozen backbone: multinomial logistic regression",
            "backbone": backbone.name,
            "cut": cut,
            "looks at": settings.look,
            "augmentation": ", ".join(settings.augmentations),
            "penalty": f"{penalty:g}{best}",
            "rounds": str(1 if settings.look == "whole" else settings.rounds),
            **({"keeps of the published network": ", ".join(entry.label for entry in kept)} if kept else {}),
        },
        weights=backbone.story,
        licence=backbone.licence,
        unseen=unseen,
        unreadable=contents.unreadable,
        notes=coverage_notes(split, classes, unseen),
    )


def retained_classes(backbone: Backbone, settings: HeadSettings) -> tuple[LabelClass, ...]:
    """What of the published network is kept. Raises `TrainingError` for what it does not know."""
    if not settings.keep:
        return ()
    return find_published(published_classifier(backbone, settings.cut or backbone.deepest), settings.keep)


def _sides(split: Split) -> dict[str, tuple[Sample, ...]]:
    return {"training": split.train, "held-out": split.held_out, "test": split.test}


def fit_head(
    train: SplitFeatures,
    held_out: SplitFeatures,
    classes: Sequence[LabelClass],
    settings: HeadSettings,
    progress: Progress = lambda what, done, total: None,
    prior: ClassPrior | None = None,
) -> tuple[LinearClassifier, list[CurvePoint], float]:
    """The head of the penalty and round that answer the held-out photographs best; its curve; that penalty."""
    penalties = PENALTIES if settings.penalty is None else (settings.penalty,)
    if settings.penalty is None and not held_out.items:
        penalties = (_WITHOUT_HELD_OUT,)
    rounds = 1 if settings.look == "whole" else settings.rounds
    best: tuple[float, LinearClassifier, list[CurvePoint], float] | None = None
    for place, penalty in enumerate(penalties):
        before = place * rounds

        def tell(done: int, before: int = before) -> None:
            progress("regression", before + done, len(penalties) * rounds)

        loss, head, curve = _rounds(train, held_out, classes, settings, penalty, rounds, tell, prior)
        if best is None or loss < best[0]:
            best = (loss, head, curve, penalty)
    assert best is not None
    return best[1:]


def _rounds(
    train: SplitFeatures,
    held_out: SplitFeatures,
    classes: Sequence[LabelClass],
    settings: HeadSettings,
    penalty: float,
    rounds: int,
    done: Callable[[int], None],
    prior: ClassPrior | None,
) -> tuple[float, LinearClassifier, list[CurvePoint]]:
    """Held-out loss and head of the best round, and the curve of all."""
    never = frame_wide_classes(classes)
    truth = np.array([item.truth for item in train.items], np.int64)
    held_truth = np.array([item.truth for item in held_out.items], np.int64)
    curve: list[CurvePoint] = []
    steps = 0

    def watch(head: LinearClassifier, loss: float) -> None:
        nonlocal steps
        steps += 1
        if steps % _WATCH_EVERY == 1:
            curve.append(point(head))

    def point(head: LinearClassifier) -> CurvePoint:
        own = loss_and_accuracy(score_items(train.table, head, settings.look, never)[0], truth)
        held = loss_and_accuracy(score_items(held_out.table, head, settings.look, never)[0], held_truth)
        return CurvePoint(steps, own[0], held[0], own[1], held[1])

    head: LinearClassifier | None = None
    best: tuple[float, LinearClassifier] | None = None
    for number in range(rounds):
        if settings.look == "whole":
            shown = frame_training_rows(train.table, train.items, len(classes))
        else:
            shown = window_training_rows(train.table, train.items, settings.spec, len(classes), never, head)
        head = fit_logistic_regression(train.table.rows, shown, len(classes), penalty=penalty, prior=prior, watch=watch)
        curve.append(point(head))
        # Without held-out photographs the last round counts.
        loss = curve[-1].held_out_loss if held_out.items else -float(number)
        if best is None or loss < best[0]:
            best = (loss, head)
        done(number + 1)
    assert best is not None
    return best[0], best[1], curve


def predict_split(
    part: SplitFeatures, head: LinearClassifier, classes: Sequence[LabelClass], look: InputMode
) -> LabelledPredictions:
    """What the head says of photographs that it did not learn."""
    logits, windows = score_items(part.table, head, look, frame_wide_classes(classes))
    return LabelledPredictions(part.pictures, np.array([item.truth for item in part.items], np.int64), logits, windows)


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
        step=backbone.steps[cut],
        mean=backbone.mean,
        std=backbone.std,
        whole="windows",
        everywhere=frame_wide_classes(classes),
    ).eval()


def served_spec(settings: HeadSettings) -> FrameSpec:
    """For `whole` the only window is the frame."""
    spec = settings.spec
    return spec if settings.look != "whole" else spec.model_copy(update={"window": max(spec.width, spec.height)})


def check_windows(spec: FrameSpec, step: int, look: InputMode) -> None:
    """Raises `TrainingError` where the windows do not fall onto the features."""
    sizes = (spec.width, spec.height, spec.window, spec.stride)
    if look != "whole" and (spec.grid == (1, 1) or any(size % step for size in sizes)):
        raise TrainingError(
            f"this cut has a feature each {step} pixels, which the windows do not meet: take another cut, or "
            "--look whole"
        )
