"""Does each part help? The measures of an ensemble, of its parts alone, and of it without each part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.ensembles.rules import Floats, Rule, Scores, combined, shares
from uncia.training.ensembles.stacking import learn
from uncia.training.evaluation.bootstrap import Interval, difference
from uncia.training.evaluation.measures import Measures, measured
from uncia.training.evaluation.metrics import ranks


@dataclass(frozen=True)
class Judged:
    """Answers of the members whose truth is known."""

    members: Floats
    """(M, N, C)."""
    truth: NDArray[np.integer]
    """(N,)."""
    bursts: NDArray[np.str_]
    """(N,)."""

    def of(self, parts: Sequence[int]) -> "Judged":
        """Some members alone."""
        return Judged(self.members[list(parts)], self.truth, self.bursts)

    def known(self) -> "Judged":
        """Without items that show none of the classes."""
        kept = self.truth >= 0
        return Judged(self.members[:, kept], self.truth[kept], self.bursts[kept])


@dataclass(frozen=True)
class Line:
    """One row of the comparison."""

    what: str
    measures: Measures
    gain: Interval | None
    """By how much the whole ensemble's top-1 exceeds this one's, on the same pictures; None for the whole itself."""


def scores_of(rule: Rule, judged: Judged, held_out: Judged, *, seed: int) -> Scores:
    """(N, C), rows that sum to one. `stacked` is learnt on `held_out`, with the same members."""
    if rule != "stacked":
        return shares(combined(rule, judged.members))
    learnt = learn(held_out.members, held_out.truth, seed=seed)
    return shares(combined(rule, judged.members, np.array(learnt.weights), learnt.bias))


def compare_parts(
    rule: Rule, parts: Sequence[str], test: Judged, held_out: Judged, *, seed: int, resamples: int = 1000
) -> list[Line]:
    """The whole, then without each part, then each part alone. `test` and `held_out` share no burst."""
    test, held_out = test.known(), held_out.known()

    def line(what: str, chosen: Sequence[int]) -> tuple[Line, Scores]:
        scores = scores_of(rule, test.of(chosen), held_out.of(chosen), seed=seed)
        told = measured(scores, test.truth, test.bursts, seed=seed, resamples=resamples)
        gain = None if whole is None else difference(whole, ranks(scores, test.truth) <= 1, test.bursts, seed=seed)
        return Line(what, told, gain), scores

    every = range(len(parts))
    whole: NDArray[np.bool_] | None = None
    first, scores = line(f"all {len(parts)}, {rule}", every)
    whole = ranks(scores, test.truth) <= 1
    lines = [first]
    if len(parts) > 2:
        lines += [line(f"without {part}", [at for at in every if at != out])[0] for out, part in enumerate(parts)]
    if len(parts) > 1:
        lines += [line(f"{part} alone", [at])[0] for at, part in enumerate(parts)]
    return lines


def compare_rules(
    rules: Sequence[Rule], test: Judged, held_out: Judged, *, seed: int, resamples: int = 1000
) -> list[Line]:
    """All parts, by each rule; gains are over the first."""
    test, held_out = test.known(), held_out.known()
    lines: list[Line] = []
    first: NDArray[np.bool_] | None = None
    for rule in rules:
        scores = scores_of(rule, test, held_out, seed=seed)
        hits = ranks(scores, test.truth) <= 1
        gain = None if first is None else difference(hits, first, test.bursts, seed=seed)
        first = hits if first is None else first
        told = measured(scores, test.truth, test.bursts, seed=seed, resamples=resamples)
        lines.append(Line(rule, told, gain))
    return lines
