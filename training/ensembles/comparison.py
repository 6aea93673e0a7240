"""Does each part help? The metrics of an ensemble, of each part alone, and of the ensemble without each part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.ensembles.rules import Floats, Rule, Scores, combine, normalize_rows
from uncia.training.ensembles.stacking import fit_stacking
from uncia.training.evaluation.bootstrap import Interval, bootstrap_difference
from uncia.training.evaluation.metric_set import MetricSet, compute_metrics
from uncia.training.evaluation.metrics import ranks


@dataclass(frozen=True)
class MemberScores:
    """Predictions of the members for items whose truth is known."""

    members: Floats
    """(M, N, C)."""
    truth: NDArray[np.integer]
    """(N,), the true class; -1 for an item that shows none of the classes."""
    bursts: NDArray[np.str_]
    """(N,)."""

    def select(self, parts: Sequence[int]) -> "MemberScores":
        """The predictions of some members only."""
        return MemberScores(self.members[list(parts)], self.truth, self.bursts)

    def without_unknown(self) -> "MemberScores":
        """The items that show one of the classes."""
        known = self.truth >= 0
        return MemberScores(self.members[:, known], self.truth[known], self.bursts[known])


@dataclass(frozen=True)
class ComparisonRow:
    """One row of the comparison."""

    what: str
    metrics: MetricSet
    gain: Interval | None
    """By how much the top-1 accuracy of the whole ensemble exceeds this row's on the same pictures; None for the whole
    ensemble itself. In `compare_rules`: by how much this row exceeds the first rule."""


def combined_scores(rule: Rule, scores: MemberScores, held_out: MemberScores, *, seed: int) -> Scores:
    """Rows (N, C) that sum to one. `stacked` is fitted on `held_out`, which has the same members."""
    if rule != "stacked":
        return normalize_rows(combine(rule, scores.members))
    fitted = fit_stacking(held_out.members, held_out.truth, seed=seed)
    return normalize_rows(combine(rule, scores.members, np.array(fitted.weights), fitted.bias))


def compare_parts(
    rule: Rule, parts: Sequence[str], test: MemberScores, held_out: MemberScores, *, seed: int, resamples: int = 1000
) -> list[ComparisonRow]:
    """The whole ensemble, then without each part, then each part alone. `test` and `held_out` share no burst."""
    test, held_out = test.without_unknown(), held_out.without_unknown()
    every = range(len(parts))
    whole = combined_scores(rule, test, held_out, seed=seed)
    whole_hits = ranks(whole, test.truth) <= 1
    metrics = compute_metrics(whole, test.truth, test.bursts, seed=seed, resamples=resamples)

    def row(what: str, chosen: Sequence[int]) -> ComparisonRow:
        scores = combined_scores(rule, test.select(chosen), held_out.select(chosen), seed=seed)
        hits = ranks(scores, test.truth) <= 1
        gain = bootstrap_difference(whole_hits, hits, test.bursts, seed=seed)
        return ComparisonRow(
            what, compute_metrics(scores, test.truth, test.bursts, seed=seed, resamples=resamples), gain
        )

    rows = [ComparisonRow(f"all {len(parts)}, {rule}", metrics, None)]
    if len(parts) > 2:
        rows += [
            row(f"without {part}", [other for other in every if other != index]) for index, part in enumerate(parts)
        ]
    if len(parts) > 1:
        rows += [row(f"{part} alone", [index]) for index, part in enumerate(parts)]
    return rows


def compare_rules(
    rules: Sequence[Rule], test: MemberScores, held_out: MemberScores, *, seed: int, resamples: int = 1000
) -> list[ComparisonRow]:
    """All parts combined by each rule; gains are over the first rule."""
    test, held_out = test.without_unknown(), held_out.without_unknown()
    rows: list[ComparisonRow] = []
    first: NDArray[np.bool_] | None = None
    for rule in rules:
        scores = combined_scores(rule, test, held_out, seed=seed)
        hits = ranks(scores, test.truth) <= 1
        gain = None if first is None else bootstrap_difference(hits, first, test.bursts, seed=seed)
        first = hits if first is None else first
        metrics = compute_metrics(scores, test.truth, test.bursts, seed=seed, resamples=resamples)
        rows.append(ComparisonRow(rule, metrics, gain))
    return rows
