"""What the page says of ensembles."""

from collections.abc import Sequence

from benchmarks.models_report.markdown import MEASURES, cell, signed, table, verdict
from benchmarks.models_report.steps import Facts

PLOTS = "models"
"""Folder of the plots, beside the page."""


def views(done: dict[str, Facts]) -> list[str]:
    told = done["views"]
    return [
        "### Ensembles",
        "",
        f"**Views of one model** (the head; one graph, frame {told['frame']}, {told['graph_mb']} MB), by "
        f"{told['rule']}. "
        f'"Gain" is what the whole ensemble adds to the row, paired. {_items(told)}',
        "",
        *_lines(told["lines"]),
        "",
        *_rules(told),
    ]


def models(done: dict[str, Facts]) -> list[str]:
    told = done["models"]
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in told["weights"].items())
    return [
        f"**Several models**, stacked by logistic regression on held-out bursts (weights: {weights}). {_items(told)}",
        "",
        *_lines(told["lines"]),
        "",
        *_rules(told),
        "",
        f"What the served graph says of a file differs from what was judged of it by at most "
        f"{max(told['off_by'], done.get('views', told)['off_by']):.1g} (float16 beside float32).",
    ]


def bursts(done: dict[str, Facts]) -> list[str]:
    told = done["bursts"]
    first, *others = told["lines"]
    gained = [f"- {line['what']}: {verdict(line['gain'])}." for line in others]
    return [
        f"**Frames of a burst** (the head's answers, {told['bursts']} test bursts, the rules of the worker `bursts`; "
        f"`stacked` is learnt on held-out bursts over {', '.join(told['features'])}):",
        "",
        *_lines([first, *others], gain=False),
        "",
        "Against each frame alone:",
        "",
        *gained,
        "",
        f"![Ensembles]({PLOTS}/ensembles.svg)",
    ]


def _rules(told: Facts) -> list[str]:
    rows = [(line["what"], *_cells(line)) for line in told["rules"]]
    return ["All parts, by each rule:", "", *table(("rule", *MEASURES), rows)]


def _lines(lines: Sequence[Facts], *, gain: bool = True) -> list[str]:
    head = ("part", *MEASURES, *(["gain in top-1"] if gain else []))
    rows = []
    for line in lines:
        more = [signed(line["gain"]) if line["gain"] else "-"] if gain else []
        rows.append((line["what"], *_cells(line), *more))
    return table(head, rows)


def _cells(line: Facts) -> list[str]:
    return [cell(line["measures"][each]) if each in line["measures"] else "-" for each in MEASURES]


def _items(told: Facts) -> str:
    found = told["lines"][0]["measures"]
    return f"{found['items']} test pictures of {found['bursts']} bursts, each frame alone."
