"""Presence before and after second looks, in figures with bootstrap intervals over bursts. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.models_report.steps import Facts
from uncia.training.evaluation.bootstrap import bootstrap_difference, bootstrap_interval
from uncia.training.evaluation.metrics import area_under_curve
from uncia.training.presence.evaluation import PresencePredictions

__all__ = ["SecondLooks", "figures_of_looks", "pooled_looks"]

_RESAMPLES = 400

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Items:
    """Frames or bursts: what they show, and the probabilities before and after, less the threshold."""

    truth: Bools
    before: Floats
    after: Floats
    thresholds: Floats
    bursts: NDArray[np.str_]


@dataclass(frozen=True)
class SecondLooks:
    """F labelled frames and B bursts, before and after the second looks at some of the bursts."""

    frames: _Items
    bursts: _Items
    looked: NDArray[np.int64]
    """(B,), frames that had a second look; 0: the burst was not requested, or none could be read."""
    seconds: Floats
    """(B,), of the CPU; NaN where they are unknown."""

    @classmethod
    def of(
        cls,
        before: PresencePredictions,
        after: PresencePredictions,
        threshold: float,
        looked: NDArray[np.int64],
        seconds: Floats,
    ) -> Self:
        """From predictions of the same bursts in the same order. Raises `ValueError` where they are not the same."""
        if not np.array_equal(before.burst_names, after.burst_names) or len(looked) != len(before.burst_names):
            raise ValueError("the bursts before and after are not the same")
        frames, bursts = len(before.frame_truth), len(before.burst_truth)
        return cls(
            _Items(
                before.frame_truth,
                before.frame_scores,
                after.frame_scores,
                np.full(frames, threshold),
                before.frame_bursts,
            ),
            _Items(
                before.burst_truth,
                before.burst_scores,
                after.burst_scores,
                np.full(bursts, threshold),
                before.burst_names,
            ),
            looked,
            seconds,
        )


def pooled_looks(parts: Sequence[SecondLooks]) -> SecondLooks:
    """Those of several data sets together, each with its own threshold."""

    def joined(items: Sequence[_Items]) -> _Items:
        return _Items(**{name: np.concatenate([getattr(own, name) for own in items]) for name in vars(items[0])})

    return SecondLooks(
        joined([part.frames for part in parts]),
        joined([part.bursts for part in parts]),
        np.concatenate([part.looked for part in parts]),
        np.concatenate([part.seconds for part in parts]),
    )


def figures_of_looks(looks: SecondLooks, seed: int) -> Facts:
    """All figures; None where the data cannot tell."""
    requested = looks.looked > 0
    return {
        "bursts": _before_and_after(looks.bursts, seed),
        "frames": _before_and_after(looks.frames, seed),
        "requested": int(requested.sum()),
        "requested_blank": int((requested & ~looks.bursts.truth).sum()),
        "frames_looked": int(looks.looked.sum()),
        "seconds": _seconds(looks, seed),
    }


def _seconds(looks: SecondLooks, seed: int) -> Facts | None:
    """CPU seconds of a burst and of a frame, of the bursts that were requested and whose seconds are known."""
    timed = (looks.looked > 0) & np.isfinite(looks.seconds)
    if not timed.any():
        return None
    rows = np.column_stack([looks.seconds[timed], looks.looked[timed]])
    names = looks.bursts.bursts[timed]

    def a_frame(drawn: Floats) -> float:
        return float(drawn[:, 0].sum() / drawn[:, 1].sum())

    return {
        "bursts": int(timed.sum()),
        "a_burst": bootstrap_interval(rows[:, 0], names, seed=seed).as_dict(),
        "a_frame": bootstrap_interval(rows, names, statistic=a_frame, seed=seed).as_dict(),
    }


def _before_and_after(items: _Items, seed: int) -> Facts:
    return {
        "found": _called(items, items.truth, seed),
        "false": _called(items, ~items.truth, seed),
        "auc": _aucs(items, seed),
        "found_at_equal_alarms": _at_equal_alarms(items),
    }


def _called(items: _Items, chosen: Bools, seed: int) -> Facts:
    """How many of the chosen ones are called an animal, and the change of their share."""
    before, after = ((scores >= items.thresholds)[chosen] for scores in (items.before, items.after))
    change = bootstrap_difference(after, before, items.bursts[chosen], seed=seed).as_dict() if chosen.any() else None
    return {"of": int(chosen.sum()), "before": int(before.sum()), "after": int(after.sum()), "change": change}


def _aucs(items: _Items, seed: int) -> Facts | None:
    """Area under the curve before, after, and its change on the same bursts."""
    if items.truth.all() or not items.truth.any():
        return None
    rows = np.column_stack([items.truth, items.before, items.after])
    statistics: dict[str, Callable[[Floats], float]] = {
        "before": lambda drawn: area_under_curve(drawn[:, [0, 1]]),
        "after": lambda drawn: area_under_curve(drawn[:, [0, 2]]),
        "change": lambda drawn: area_under_curve(drawn[:, [0, 2]]) - area_under_curve(drawn[:, [0, 1]]),
    }
    return {
        name: bootstrap_interval(rows, items.bursts, statistic=statistic, seed=seed, resamples=_RESAMPLES).as_dict()
        for name, statistic in statistics.items()
    }


def _at_equal_alarms(items: _Items) -> int | None:
    """Animals that first looks alone find where all thresholds are moved alike, until as many blanks are called."""
    if items.truth.all():
        return None
    margins = items.before - items.thresholds
    alarms = int((items.after >= items.thresholds)[~items.truth].sum())
    blanks = np.sort(margins[~items.truth])[::-1]
    least = blanks[alarms] if alarms < len(blanks) else -np.inf
    return int((margins[items.truth] > least).sum())
