"""Renders the results of the ensembles."""

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
        f"**Views of one model** (the head; one graph, frame {facts['frame']}, {facts['graph_mb']} MB), by "
        f"{facts['rule']}. "
        f'"Gain" is what the whole ensemble adds to the row, paired. {_items(facts)}',
        "",
        *_lines(facts["lines"]),
        "",
        *_rules(facts),
    ]


def models(done: dict[str, Facts]) -> list[str]:
    facts = done["models"]
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in facts["weights"].items())
    return [
        f"**Several models**, stacked by logistic regression on held-out bursts (weights: {weights}). {_items(facts)}",
        "",
        *_lines(facts["lines"]),
        "",
        *_rules(facts),
        "",
        f"What the served graph says of a file differs from what was judged of it by at most "
        f"{max(facts['off_by'], done.get('views', facts)['off_by']):.1g} (float16 beside float32).",
    ]


def bursts(done: dict[str, Facts]) -> list[str]:
    facts = done["bursts"]
    first, *others = facts["lines"]
    gained = [f"- {line['what']}: {verdict(line['gain'])}." for line in others]
    return [
        f"**Frames of a burst** (the head's answers, {facts['bursts']} test bursts, the rules of the worker `bursts`; "
        f"`stacked` is learnt on held-out bursts over {', '.join(facts['features'])}):",
        "",
        *_lines([first, *others], gain=False),
        "",
        "Compared with single frames:",
        "",
        *gained,
        "",
        f"![Ensembles]({PLOTS}/ensembles.svg)",
    ]


def _rules(facts: Facts) -> list[str]:
    rows = [(line["what"], *_cells(line)) for line in facts["rules"]]
    return ["All members, by rule:", "", *table(("rule", *MEASURES), rows)]


def _lines(lines: Sequence[Facts], *, gain: bool = True) -> list[str]:
    head = ("part", *MEASURES, *(["gain in top-1"] if gain else []))
    rows = []
    for line in lines:
        more = [signed(line["gain"]) if line["gain"] else "-"] if gain else []
        rows.append((line["what"], *_cells(line), *more))
    return table(head, rows)


def _cells(line: Facts) -> list[str]:
    return [cell(line["measures"][measure]) if measure in line["measures"] else "-" for measure in MEASURES]


def _items(facts: Facts) -> str:
    found = facts["lines"][0]["measures"]
    return f"{found['items']} test pictures of {found['bursts']} bursts, single frames."
