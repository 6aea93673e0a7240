"""Renders the results of the ensembles of views, of models, and of the frames of a burst."""

from collections.abc import Sequence

from benchmarks.models_report.markdown import MEASURES, cell, signed, table, verdict
from benchmarks.models_report.steps import Facts

PLOTS = "models"
"""Folder of the plots, next to the page."""


def views(done: dict[str, Facts]) -> list[str]:
    facts = done["views"]
    return [
        "### Ensembles",
        "",
        f"**Views of one model**: the head, combined by {facts['rule']} in one graph (frame {facts['frame']}, "
        f"{facts['graph_mb']} MB). The gain is the top-1 accuracy of the whole ensemble minus that of the row, as a "
        f"paired difference. {_items(facts)}",
        "",
        *_lines("members", facts["lines"]),
        "",
        *_rules(facts),
    ]


def models(done: dict[str, Facts]) -> list[str]:
    facts = done["models"]
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in facts["weights"].items())
    return [
        f"**Several models**: stacked by a logistic regression on held-out bursts (weights: {weights}). "
        f"{_items(facts)}",
        "",
        *_lines("members", facts["lines"]),
        "",
        *_rules(facts),
        "",
        "The scores of the exported graphs differ from the evaluated scores by at most "
        f"{max(facts['off_by'], done.get('views', facts)['off_by']):.1g} (float16 instead of float32).",
    ]


def bursts(done: dict[str, Facts]) -> list[str]:
    facts = done["bursts"]
    single, *combined = facts["lines"]
    gained = [f"- {line['what']}: {verdict(line['gain'])}." for line in combined]
    return [
        f"**Frames of a burst**: predictions of the head on {facts['bursts']} test bursts, combined by the rules of "
        "the worker `bursts`. `stacked` is fitted on held-out bursts; its features are "
        f"{', '.join(facts['features'])}.",
        "",
        *_lines("rule", [{**single, "what": "single frames"}, *combined], gain=False),
        "",
        "Compared with single frames:",
        "",
        *gained,
        "",
        f"![Top-1 of each ensemble and its parts, with its 95 % interval]({PLOTS}/ensembles.svg)",
    ]


def _rules(facts: Facts) -> list[str]:
    rows = [(line["what"], *_cells(line)) for line in facts["rules"]]
    return ["All members, by rule:", "", *table(("rule", *MEASURES), rows)]


def _lines(first_column: str, lines: Sequence[Facts], *, gain: bool = True) -> list[str]:
    header = (first_column, *MEASURES, *(["gain in top-1"] if gain else []))
    rows = []
    for line in lines:
        more = [signed(line["gain"]) if line["gain"] else "-"] if gain else []
        rows.append((line["what"], *_cells(line), *more))
    return table(header, rows)


def _cells(line: Facts) -> list[str]:
    return [cell(line["measures"][measure]) if measure in line["measures"] else "-" for measure in MEASURES]


def _items(facts: Facts) -> str:
    found = facts["lines"][0]["measures"]
    return f"{found['items']} test images of {found['bursts']} bursts, single frames."
