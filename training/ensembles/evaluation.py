"""Evaluate an ensemble and each of its parts on the user's own bursts."""

from pathlib import Path

from uncia.serving.labels import LabelSet
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import split
from uncia.training.ensembles.comparison import ComparisonRow, MemberScores, compare_parts
from uncia.training.ensembles.ensemble import Ensemble, fit_member_weights, members_first, predict_members
from uncia.training.ensembles.rules import Rule
from uncia.training.ensembles.stacking import StackingWeights
from uncia.training.offline_inference.inference import ImageScores
from uncia.training.offline_inference.presence import true_classes
from uncia.training.progress import progress_bar


def evaluate_ensemble(
    ensemble: Ensemble, rule: Rule, source: Path, *, kind: str, seed: int, shown: bool
) -> tuple[StackingWeights | None, list[ComparisonRow]]:
    """Fit `stacked` on the held-out bursts of the data in `source`, and compare the parts on its test bursts.

    The weights are None for every other rule. `shown` shows progress bars.
    """
    parts = split(read_dataset(source, kind), seed=seed)
    with progress_bar(f"running the parts on {len(parts.held_out)} held-out pictures", shown=shown) as progress:
        held_out = predict_members(ensemble, parts.held_out, progress)
    with progress_bar(f"running the parts on {len(parts.test)} test pictures", shown=shown) as progress:
        test = predict_members(ensemble, parts.test, progress)
    weights = fit_member_weights(ensemble, held_out) if rule == "stacked" else None
    sides = member_scores(test, ensemble.labels), member_scores(held_out, ensemble.labels)
    return weights, compare_parts(rule, ensemble.parts, *sides, seed=seed)


def member_scores(predictions: ImageScores, labels: LabelSet) -> MemberScores:
    """The predictions of `predict_members`, with the truth of each picture."""
    return MemberScores(
        members_first(predictions.window_scores), true_classes(predictions.samples, labels), predictions.bursts
    )
