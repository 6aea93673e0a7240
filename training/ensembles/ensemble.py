"""Build an ensemble as a model package like any other: one graph that meets the stream's contract."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.labels import LabelSet
from uncia.training.datasets.dataset import Sample
from uncia.training.ensembles.graph import Member, ensemble_graph, member_outputs_graph
from uncia.training.ensembles.rules import Floats, Rule, combine
from uncia.training.ensembles.stacking import StackingError, StackingWeights, fit_stacking
from uncia.training.ensembles.views import View, common_frame, scale_spec
from uncia.training.offline_inference.inference import ImageScores, score_images
from uncia.training.offline_inference.presence import true_classes
from uncia.training.progress import ProgressCallback, no_progress
from uncia.triton_models.packages.loading import OpenPackage, PackageError, open_session
from uncia.triton_models.packages.writing import render_page, write_package

_TOLERANCE = 1e-4
"""Largest accepted difference of a probability between the graph and the rules in NumPy."""


@dataclass(frozen=True)
class Ensemble:
    """Models and their views, with a common frame and label set."""

    members: tuple[Member, ...]
    frame: FrameSpec
    labels: LabelSet
    """The members' classes, without thresholds and calibrations: those belong to other scores."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The name of each row of the members' predictions."""
        names = []
        for member in self.members:
            name = member.package.folder.name
            for view in member.views:
                if len(self.members) == 1:
                    names.append(str(view))
                else:
                    names.append(name if member.views == (View(),) else f"{name}: {view}")
        return tuple(names)


def assemble(packages: Sequence[OpenPackage], views: Sequence[View]) -> Ensemble:
    """Combine packages and views. Raises `PackageError` where classes differ, `ViewError` where frames do."""
    first = packages[0]
    members = tuple(Member(package, tuple(views), _class_order(first, package)) for package in packages)
    own = [package.card.frame for package in packages]
    frame = common_frame([scale_spec(spec, view.scale) for spec in own for view in views], own)
    labels = first.card.labels
    classes = [entry.model_copy(update={"threshold": None, "calibration": None}) for entry in labels.classes]
    source = f"Classes of {labels.name}. Not calibrated: `uncia models calibrate` does that."
    return Ensemble(members, frame, LabelSet(name=labels.name, source=source, classes=tuple(classes)))


def predict_members(
    ensemble: Ensemble, pictures: Sequence[Sample], progress: ProgressCallback = no_progress
) -> ImageScores:
    """The predictions of each view of each member: `frame_scores` and `window_scores` are (N, M, C)."""
    return score_images(_member_outputs(ensemble), pictures, progress)


def members_first(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, M, C) as (M, N, C), which the rules take."""
    return np.moveaxis(values, 1, 0)


def fit_member_weights(ensemble: Ensemble, predictions: ImageScores) -> StackingWeights:
    """Fit `stacked` on predictions of `predict_members` for held-out bursts."""
    return fit_stacking(members_first(predictions.window_scores), true_classes(predictions.samples, ensemble.labels))


def build_package(
    out: Path, ensemble: Ensemble, rule: Rule, *, name: str, stacking: StackingWeights | None = None
) -> OpenPackage:
    """Write the package of an ensemble; `stacking` are the weights of the rule `stacked`.

    Raises `StackingError` where they are missing, and `PackageError` where the graph and the rules in NumPy disagree.
    """
    if rule == "stacked" and stacking is None:
        raise StackingError("the rule stacked is fitted on held-out bursts: name a folder of them with --learn-on")
    weights, bias = _parameters(stacking)
    graph = ensemble_graph(ensemble.members, ensemble.frame, rule, weights, bias).SerializeToString()
    _check_graph(ensemble, graph, rule, stacking)
    cards = [member.package.card for member in ensemble.members]
    sources = "; ".join(dict.fromkeys(card.weights for card in cards if card.weights))
    return write_package(
        out,
        graph,
        model=name,
        frame=ensemble.frame,
        labels=ensemble.labels,
        weights=f"ensemble ({rule}) of {', '.join(ensemble.parts)}. {sources}".strip(),
        licence="; ".join(dict.fromkeys(card.licence for card in cards if card.licence)),
        page=_page(ensemble, rule, name, stacking),
    )


def _parameters(stacking: StackingWeights | None) -> tuple[Floats | None, float]:
    return (np.array(stacking.weights), stacking.bias) if stacking else (None, 0.0)


def _class_order(first: OpenPackage, other: OpenPackage) -> tuple[int, ...]:
    """For each class of `first` its index in `other`; empty where the order is the same."""
    expected, found = ([entry.label for entry in package.card.labels.classes] for package in (first, other))
    if expected == found:
        return ()
    index = {label: index for index, label in enumerate(found)}
    if len(index) != len(found) or set(index) != set(expected):
        odd = sorted(set(expected) ^ set(index))[:3]
        raise PackageError(
            f"{first.folder.name} and {other.folder.name} have different classes ({', '.join(odd)} ...): an ensemble "
            "needs models of one set of labels"
        )
    return tuple(index[label] for label in expected)


def _member_outputs(ensemble: Ensemble) -> OpenPackage:
    """A package whose predictions are those of all members, uncombined."""
    graph = member_outputs_graph(ensemble.members, ensemble.frame).SerializeToString()
    first = ensemble.members[0].package
    # Tensor names are those of the contract, whatever names the members use.
    card = first.card.model_copy(
        update={"frame": ensemble.frame, "input": "FRAME", "whole": "WHOLE", "windows": "WINDOWS", "places": "PLACES"}
    )
    return replace(first, card=card, session=_BatchFirstSession(open_session(graph)))


class _BatchFirstSession:
    """An ONNX Runtime session whose outputs are (B, M, C) instead of (M, B, C), so that rows are photographs."""

    def __init__(self, session: object) -> None:
        self._session = session

    def run(self, names: list[str], frames: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.floating]]:
        outputs: list[NDArray[np.floating]] = self._session.run(names, frames)  # type: ignore[attr-defined]
        return [np.moveaxis(output, 0, 1) if output.ndim == 3 else output for output in outputs]


def _check_graph(ensemble: Ensemble, graph: bytes, rule: Rule, stacking: StackingWeights | None) -> None:
    """Raises `PackageError` where the graph differs from the rule in NumPy."""
    pattern = self_test_pattern(ensemble.frame)
    frames = np.stack([pattern, 255 - pattern[:, ::-1]])
    _, windows, _ = open_session(graph).run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": frames})
    _, by_member, _ = _member_outputs(ensemble).predict(frames)
    difference = float(np.abs(combine(rule, members_first(by_member), *_parameters(stacking)) - windows).max())
    if not difference <= _TOLERANCE:
        raise PackageError(
            f"the graph of the ensemble differs from its rule by {difference:.2g}: this version of ONNX cannot be used"
        )


def _page(ensemble: Ensemble, rule: Rule, name: str, stacking: StackingWeights | None) -> str:
    rows: list[tuple[object, ...]] = [("part", "weight") if stacking else ("part",)]
    for index, part in enumerate(ensemble.parts):
        rows.append((part, f"{stacking.weights[index]:.3f}") if stacking else (part,))
    return render_page(
        name,
        [
            f"An ensemble of {len(ensemble.parts)} views of {len(ensemble.members)} model(s), combined by {rule}.",
            f"{len(ensemble.labels.classes)} classes; one frame of {ensemble.frame.width} x {ensemble.frame.height}.",
            "Its scores are not calibrated: `uncia models calibrate` fits thresholds on your own bursts.",
        ],
        {"Parts": rows},
    )
