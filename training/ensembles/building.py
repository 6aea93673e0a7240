"""An ensemble becomes a model package like any other: one graph, the stream's contract, no code in the workers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.labels import LabelSet
from uncia.training.datasets.dataset import Sample
from uncia.training.ensembles.graph import Member, ensemble_graph, members_graph
from uncia.training.ensembles.rules import Rule, combined
from uncia.training.ensembles.stacking import Stacked, StackingError, learn
from uncia.training.ensembles.views import View, common_frame, sized
from uncia.training.offline_inference.inference import ImageScores, score_images
from uncia.training.offline_inference.presence import true_classes
from uncia.training.progress import ProgressCallback, no_progress
from uncia.triton_models.packages.loading import OpenPackage, PackageError, session_of
from uncia.triton_models.packages.writing import page, write_package

_TOLERANCE = 1e-4
"""Largest difference of a probability between the graph and the rules in numpy."""


@dataclass(frozen=True)
class Ensemble:
    """Models and views that go together."""

    members: tuple[Member, ...]
    frame: FrameSpec
    labels: LabelSet
    """The members' classes, without thresholds and calibrations: those were of other scores."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What each row of the members' answers is called."""
        told = []
        for member in self.members:
            name = member.package.folder.name
            for view in member.views:
                if len(self.members) == 1:
                    told.append(str(view))
                else:
                    told.append(name if member.views == (View(),) else f"{name}: {view}")
        return tuple(told)


def gather(packages: Sequence[OpenPackage], views: Sequence[View]) -> Ensemble:
    """Bring packages and views together. Raises `PackageError` where classes differ, `ViewError` where frames do."""
    first = packages[0]
    members = tuple(Member(package, tuple(views), _order(first, package)) for package in packages)
    own = [package.card.frame for package in packages]
    frame = common_frame([sized(spec, view.scale) for spec in own for view in views], own)
    classes = [entry.model_copy(update={"threshold": None, "calibration": None}) for entry in first.card.labels.classes]
    said = f"Classes of {first.card.labels.name}. Not calibrated: `uncia models calibrate` does that."
    return Ensemble(members, frame, LabelSet(name=f"{first.card.labels.name}", source=said, classes=tuple(classes)))


def ask_members(
    ensemble: Ensemble, pictures: Sequence[Sample], progress: ProgressCallback = no_progress
) -> ImageScores:
    """What each view of each member says of the pictures: `whole` and `windows` are (N, M, C)."""
    return score_images(_speaking(ensemble), pictures, progress)


def by_member(values: np.ndarray) -> np.ndarray:
    """(N, M, C) as the rules want it, members first."""
    return np.moveaxis(values, 1, 0)


def learn_weights(ensemble: Ensemble, answers: ImageScores) -> Stacked:
    """Learn `stacked` from answers of `ask_members` about held-out bursts."""
    return learn(by_member(answers.window_scores), true_classes(answers.samples, ensemble.labels))


def build(out: Path, ensemble: Ensemble, rule: Rule, *, name: str, learnt: Stacked | None = None) -> OpenPackage:
    """Write the package of an ensemble. Raises `PackageError` when its graph and the rules in numpy disagree."""
    if rule == "stacked" and learnt is None:
        raise StackingError("the rule stacked is learnt on held-out bursts: name a folder of them with --learn-on")
    weights, bias = (np.array(learnt.weights), learnt.bias) if learnt else (None, 0.0)
    graph = ensemble_graph(ensemble.members, ensemble.frame, rule, weights, bias).SerializeToString()
    _compare(ensemble, graph, rule, learnt)
    cards = [member.package.card for member in ensemble.members]
    told = "; ".join(dict.fromkeys(card.weights for card in cards if card.weights))
    return write_package(
        out,
        graph,
        model=name,
        frame=ensemble.frame,
        labels=ensemble.labels,
        weights=f"ensemble ({rule}) of {', '.join(ensemble.parts)}. {told}".strip(),
        licence="; ".join(dict.fromkeys(card.licence for card in cards if card.licence)),
        page=_page(ensemble, rule, name, learnt),
    )


def _order(first: OpenPackage, other: OpenPackage) -> tuple[int, ...]:
    ours, theirs = ([entry.label for entry in package.card.labels.classes] for package in (first, other))
    if ours == theirs:
        return ()
    place = {label: index for index, label in enumerate(theirs)}
    if len(place) != len(theirs) or set(place) != set(ours):
        odd = sorted(set(ours) ^ set(place))[:3]
        raise PackageError(
            f"{first.folder.name} and {other.folder.name} do not tell the same classes apart ({', '.join(odd)} ...): "
            "an ensemble is of models of one set of labels"
        )
    return tuple(place[label] for label in ours)


def _speaking(ensemble: Ensemble) -> OpenPackage:
    graph = members_graph(ensemble.members, ensemble.frame).SerializeToString()
    first = ensemble.members[0].package
    # Tensor names are the contract's, whatever the members call theirs.
    card = first.card.model_copy(
        update={"frame": ensemble.frame, "input": "FRAME", "whole": "WHOLE", "windows": "WINDOWS", "places": "PLACES"}
    )
    return replace(first, card=card, session=_MembersLast(session_of(graph)))


class _MembersLast:
    """A session whose answers are (B, M, C) instead of (M, B, C), so that rows are photographs."""

    def __init__(self, session: object) -> None:
        self._session = session

    def run(self, names: list[str], frames: dict[str, np.ndarray]) -> list[np.ndarray]:
        answers: list[np.ndarray] = self._session.run(names, frames)  # type: ignore[attr-defined]
        return [np.moveaxis(each, 0, 1) if each.ndim == 3 else each for each in answers]


def _compare(ensemble: Ensemble, graph: bytes, rule: Rule, learnt: Stacked | None) -> None:
    pattern = self_test_pattern(ensemble.frame)
    frames = np.stack([pattern, 255 - pattern[:, ::-1]])
    _, windows, _ = session_of(graph).run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": frames})
    _, each, _ = _speaking(ensemble).answer(frames)
    weights, bias = (np.array(learnt.weights), learnt.bias) if learnt else (None, 0.0)
    off = float(np.abs(combined(rule, by_member(each), weights, bias) - windows).max())
    if not off <= _TOLERANCE:
        raise PackageError(
            f"the ensemble's graph is off by {off:.2g} from its rule: this version of ONNX cannot be used"
        )


def _page(ensemble: Ensemble, rule: Rule, name: str, learnt: Stacked | None) -> str:
    rows: list[tuple[object, ...]] = [("part", *(["weight"] if learnt else []))]
    rows += [(part, *([f"{learnt.weights[at]:.3f}"] if learnt else [])) for at, part in enumerate(ensemble.parts)]
    return page(
        name,
        [
            f"An ensemble of {len(ensemble.parts)} views of {len(ensemble.members)} model(s), combined by {rule}.",
            f"{len(ensemble.labels.classes)} classes; one frame of {ensemble.frame.width} x {ensemble.frame.height}.",
            "Its scores are not calibrated: `uncia models calibrate` learns thresholds on your own bursts.",
        ],
        {"Parts": rows},
    )
