"""Rules that combine the frames of a burst, evaluated on two questions: what a frame shows, and what its burst shows.

A frame's verdict is compared with the frame's own truth, a burst's with the burst's: a burst shows an animal where any
frame does. Each question has two parts: *an animal is here*, and *this taxon is here*.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.metrics import area_under_curve

__all__ = [
    "ANY_FRAME",
    "BURST_MEAN",
    "PRESENCE_MODEL",
    "SHOWING_FRAMES",
    "SINGLE_FRAMES",
    "BurstPredictions",
    "Presence",
    "RuleAnswers",
    "RuleFigures",
    "answers_by_rule",
    "geometric_burst_mean",
    "rule_figures",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.intp]

SINGLE_FRAMES = "single frames"
"""Each frame by itself; a burst's verdict is that of any one of its frames, so each of them counts as one answer."""
BURST_MEAN = "mean over the burst"
"""Frames and burst get the geometric mean of all frames."""
ANY_FRAME = "any frame"
"""The burst shows what its surest frame shows; frames answer for themselves."""
SHOWING_FRAMES = "mean over the frames that show it"
"""Presence from the surest frame, the taxon from the mean over the frames that show something."""
PRESENCE_MODEL = "presence model"
"""Presence from detector and movement (`uncia.camtrap.presence`), the taxon from the mean over the frames it names."""

_SHOWS = 0.5


@dataclass(frozen=True)
class Presence:
    """What a presence model says of the same frames."""

    frames: Floats
    """(N,)"""
    bursts: Floats
    """(B,), in the order of `BurstPredictions.names`."""
    threshold: float


@dataclass(frozen=True)
class BurstPredictions:
    """Predictions for N frames of B bursts, whose truth is known."""

    probabilities: Floats
    """(N, C)"""
    truth: Integers
    """(N,), the class of each frame."""
    bursts: NDArray[np.str_]
    """(N,), the burst of each frame."""
    groups: tuple[str, ...]
    """The group of each class: animal, person, vehicle or nothing."""
    presence: Presence | None = None

    @property
    def names(self) -> NDArray[np.str_]:
        """The bursts, sorted."""
        return np.unique(self.bursts)

    @property
    def burst_of(self) -> Integers:
        """(N,), the index of each frame's burst in `names`."""
        return np.unique(self.bursts, return_inverse=True)[1]

    @property
    def animal(self) -> Bools:
        """(C,), the classes of animals."""
        return np.array([group == "animal" for group in self.groups])

    @property
    def blank(self) -> Bools:
        """(C,), the classes of nothing."""
        return np.array([group == "nothing" for group in self.groups])

    @property
    def burst_classes(self) -> Bools:
        """(B, C), the true classes of each burst: what any frame shows, or blank where all are."""
        shown = np.zeros((len(self.names), len(self.groups)), dtype=bool)
        shown[self.burst_of, self.truth] = True
        seen = shown & ~self.blank
        return np.where(seen.any(axis=1, keepdims=True), seen, shown)


@dataclass(frozen=True)
class RuleAnswers:
    """The answers of one rule: of frames, and of bursts; `K` burst answers, one for each burst or for each frame."""

    frame_animal: Floats
    """(N,), the higher, the surer that the frame shows an animal."""
    frame_class: Integers
    """(N,)"""
    burst_animal: Floats
    """(K,)"""
    burst_class: Integers
    """(K,)"""
    burst_index: Integers
    """(K,), the burst that each answer is about."""
    threshold: float = _SHOWS
    """From this on, `frame_animal` and `burst_animal` say that an animal is here."""


@dataclass(frozen=True)
class RuleFigures:
    """Figures of a rule, by frame and by burst; None where the data cannot tell."""

    frames: dict[str, Interval | None]
    bursts: dict[str, Interval | None]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: question to measure to `low`, `value` and `high`."""
        return {
            question: {name: None if own is None else own.as_dict() for name, own in figures.items()}
            for question, figures in (("frames", self.frames), ("bursts", self.bursts))
        }


def answers_by_rule(at: BurstPredictions) -> dict[str, RuleAnswers]:
    """What each rule answers; `PRESENCE_MODEL` only where its predictions are given."""
    own = at.probabilities
    animal, best = own[:, at.animal].sum(axis=1), own.argmax(axis=1).astype(np.intp)
    burst_of = at.burst_of
    everyone = np.arange(len(at.names), dtype=np.intp)
    mean = geometric_burst_mean(own, at.bursts)
    first = np.unique(burst_of, return_index=True)[1]
    mean_animal, mean_class = mean[:, at.animal].sum(axis=1), mean.argmax(axis=1).astype(np.intp)
    surest = _surest_frames(own[:, ~at.blank].sum(axis=1), burst_of)
    highest = np.array([animal[burst_of == burst].max() for burst in everyone])
    showing = own[:, ~at.blank].sum(axis=1) >= _SHOWS if at.blank.any() else np.ones(len(own), dtype=bool)
    taxa, named = _taxa_of_showing_frames(at, showing)
    answers = {
        SINGLE_FRAMES: RuleAnswers(animal, best, animal, best, burst_of),
        BURST_MEAN: RuleAnswers(mean_animal, mean_class, mean_animal[first], mean_class[first], everyone),
        ANY_FRAME: RuleAnswers(animal, best, highest, _class_of_surest(at, surest), everyone),
        SHOWING_FRAMES: RuleAnswers(animal, np.where(showing, taxa[burst_of], best), highest, named, everyone),
    }
    if at.presence is not None:
        answers[PRESENCE_MODEL] = _presence_answers(at, at.presence)
    return answers


def rule_figures(
    at: BurstPredictions, answers: RuleAnswers, *, seed: int, resamples: int = 1000, bursts: Bools | None = None
) -> RuleFigures:
    """Figures with 95 % intervals over bursts; `bursts` (B,) restricts them to some."""
    chosen = np.ones(len(at.names), dtype=bool) if bursts is None else bursts
    in_frames, in_answers = chosen[at.burst_of], chosen[answers.burst_index]
    burst_truth = at.burst_classes
    shows_animal = np.asarray(burst_truth[:, at.animal].any(axis=1), dtype=bool)
    has_blank = bool(at.blank.any() and at.animal.any())
    frame_side = _figures(
        at.animal[at.truth][in_frames] if has_blank else None,
        answers.frame_animal[in_frames],
        (answers.frame_class == at.truth)[in_frames],
        at.bursts[in_frames],
        answers.threshold,
        seed,
        resamples,
    )
    index = answers.burst_index
    burst_side = _figures(
        shows_animal[index][in_answers] if has_blank else None,
        answers.burst_animal[in_answers],
        burst_truth[index, answers.burst_class][in_answers],
        at.names[index][in_answers],
        answers.threshold,
        seed,
        resamples,
    )
    return RuleFigures(frame_side, burst_side)


def geometric_burst_mean(probabilities: Floats, bursts: NDArray[np.str_]) -> Floats:
    """Each frame's probabilities (N, C) replaced by its burst's: the normalised geometric mean over the frames."""
    _, burst_of = np.unique(bursts, return_inverse=True)
    sums = np.zeros((burst_of.max() + 1, probabilities.shape[1]))
    np.add.at(sums, burst_of, np.log(np.clip(probabilities, 1e-6, 1)))
    logits = sums / np.bincount(burst_of)[:, None]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    means: Floats = powers / powers.sum(axis=1, keepdims=True)
    return means[burst_of]


def _figures(
    animal: Bools | None,
    scores: Floats,
    right: Bools,
    bursts: NDArray[np.str_],
    threshold: float,
    seed: int,
    resamples: int,
) -> dict[str, Interval | None]:
    def interval(values: NDArray[Any], statistic: Callable[[Floats], float] | None = None) -> Interval | None:
        if not len(values):
            return None
        if statistic is None:
            return bootstrap_interval(values, bursts, seed=seed, resamples=resamples)
        return bootstrap_interval(values, bursts, statistic=statistic, seed=seed, resamples=resamples)

    auc = presence = None
    if animal is not None:
        presence = interval((scores >= threshold) == animal)
        if animal.any() and not animal.all():
            auc = interval(np.column_stack([animal, scores]), area_under_curve)
    return {"animal here, AUC": auc, "animal here, right": presence, "taxon here, right": interval(right)}


def _surest_frames(shows: Floats, burst_of: Integers) -> Integers:
    """(B,), of each burst the frame with the highest value."""
    order = np.lexsort((np.arange(len(shows)), -shows, burst_of))
    return np.asarray(order[np.unique(burst_of[order], return_index=True)[1]], dtype=np.intp)


def _class_of_surest(at: BurstPredictions, surest: Integers) -> Integers:
    """The class of each burst's surest frame: blank only where that frame is."""
    rows = at.probabilities[surest]
    if not at.blank.any():
        return np.asarray(rows.argmax(axis=1), dtype=np.intp)
    shows = rows[:, ~at.blank].sum(axis=1) >= _SHOWS
    return _best_of(rows, np.where(shows[:, None], ~at.blank, at.blank))


def _taxa_of_showing_frames(at: BurstPredictions, showing: Bools) -> tuple[Integers, Integers]:
    """(B,) twice: the taxon of the frames that show something, and the same with blank where none does."""
    taxa = np.zeros(len(at.names), dtype=np.intp)
    named = np.zeros(len(at.names), dtype=np.intp)
    for burst in range(len(at.names)):
        frames = at.burst_of == burst
        shown = frames & showing
        used = at.probabilities[shown if shown.any() else frames]
        mean = np.log(np.clip(used, 1e-6, 1)).mean(axis=0)[None]
        seen = ~at.blank if (~at.blank).any() else at.blank
        taxa[burst] = _best_of(mean, seen[None])[0]
        named[burst] = taxa[burst] if shown.any() else _best_of(mean, at.blank[None])[0]
    return taxa, named


def _presence_answers(at: BurstPredictions, presence: Presence) -> RuleAnswers:
    burst_of = at.burst_of
    logs = np.log(np.clip(at.probabilities, 1e-6, 1))
    frame_class = at.probabilities.argmax(axis=1).astype(np.intp)
    burst_class = np.zeros(len(at.names), dtype=np.intp)
    others = ~at.animal
    for burst in range(len(at.names)):
        frames = np.flatnonzero(burst_of == burst)
        shown = frames[presence.frames[frames] >= presence.threshold]
        if presence.bursts[burst] >= presence.threshold or not others.any():
            used = shown if len(shown) else frames[[int(presence.frames[frames].argmax())]]
            possible = at.animal if at.animal.any() else ~at.animal
            burst_class[burst] = _best_of(logs[used].mean(axis=0)[None], possible[None])[0]
        else:
            burst_class[burst] = _best_of(logs[frames].mean(axis=0)[None], others[None])[0]
        if others.any() and at.animal.any():
            hidden = np.setdiff1d(frames, shown)
            frame_class[hidden] = _best_of(logs[hidden], others[None])
            taxon = _best_of(logs[shown].mean(axis=0)[None], at.animal[None]) if len(shown) else burst_class[[burst]]
            frame_class[shown] = taxon[0]
    everyone = np.arange(len(at.names), dtype=np.intp)
    return RuleAnswers(presence.frames, frame_class, presence.bursts, burst_class, everyone, presence.threshold)


def _best_of(rows: Floats, possible: Bools) -> Integers:
    """(K,), the best class of each row among the possible ones."""
    return np.asarray(np.where(possible, rows, -np.inf).argmax(axis=1), dtype=np.intp)


def groups_of_bursts(at: BurstPredictions, places: Sequence[str]) -> dict[str, Bools]:
    """For each place (a camera, a data set) its bursts as a mask (B,); `places` (N,), empty where unknown."""
    of_burst = np.array(list(places), dtype=np.str_)[np.unique(at.burst_of, return_index=True)[1]]
    return {str(place): of_burst == place for place in np.unique(of_burst) if place}
