"""The report's sections on boxes and detectors."""

from typing import Any

from benchmarks.models_report.markdown import cell_of, table
from benchmarks.models_report.steps import Facts


def boxes(done: dict[str, Facts]) -> list[str]:
    """Proposed boxes against the true ones."""
    facts = done["boxes"]
    figures: dict[str, dict[str, Any]] = facts["figures"]
    names = list(next(iter(figures.values()), {}))
    rows = [(source, *(cell_of(own[name]) for name in names)) for source, own in figures.items()]
    return [
        "### Proposed boxes",
        "",
        f"`uncia data boxes` on {facts['photographs']} composites, against their true boxes. Nothing was tuned on "
        "composites.",
        "",
        *(table(("source", *names), rows) if rows else ["No photograph has a true box."]),
    ]


def detector(done: dict[str, Facts]) -> list[str]:
    """The default detector before and after it was fine-tuned."""
    facts = done["detector"]
    if "skipped" in facts:
        return ["### Fine-tuned detector", "", f"Skipped: {facts['skipped']}."]
    before, after = facts["figures"]["before"], facts["figures"]["after"]
    rows = [(name, cell_of(before[name]) if name in before else "-", cell_of(after[name])) for name in after]
    train, held_out, test = facts["frames"]
    return [
        "### Fine-tuned detector",
        "",
        f"`uncia train detector` on composites, split by {facts['by']}: {train} training, {held_out} held-out and "
        f"{test} test frames. Epochs: {facts['settings']['epochs']}. {facts['seconds']:.0f} s.",
        "",
        *table(("metric", "before", "after"), rows),
        *[f"\n{note}" for note in facts["notes"]],
    ]
