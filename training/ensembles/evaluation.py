"""What an ensemble and each part of it are worth, on the user's own bursts."""

from pathlib import Path

from uncia.serving.labels import LabelSet
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import split
from uncia.training.ensembles.building import Ensemble, ask_members, by_member, learn_weights
from uncia.training.ensembles.comparing import Judged, Line, compare_parts
from uncia.training.ensembles.rules import Rule
from uncia.training.ensembles.stacking import Stacked
from uncia.training.offline_inference.inference import ImageScores
from uncia.training.offline_inference.presence import true_classes
from uncia.training.progress import progress_bar


def judge(
    ensemble: Ensemble, rule: Rule, source: Path, *, kind: str, seed: int, shown: bool
) -> tuple[Stacked | None, list[Line]]:
    """Learn what the rule needs on the held-out bursts of the data, and compare the parts on its test bursts."""
    parts = split(read_dataset(source, kind), seed=seed)
    with progress_bar(f"asking the parts about {len(parts.held_out)} held-out pictures", shown=shown) as progress:
        held_out = ask_members(ensemble, parts.held_out, progress)
    with progress_bar(f"asking the parts about {len(parts.test)} test pictures", shown=shown) as progress:
        test = ask_members(ensemble, parts.test, progress)
    learnt = learn_weights(ensemble, held_out) if rule == "stacked" else None
    sides = judged(test, ensemble.labels), judged(held_out, ensemble.labels)
    return learnt, compare_parts(rule, ensemble.parts, *sides, seed=seed)


def judged(answers: ImageScores, labels: LabelSet) -> Judged:
    """Answers of `ask_members` with their truth."""
    return Judged(by_member(answers.window_scores), true_classes(answers.samples, labels), answers.bursts)
