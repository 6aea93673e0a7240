"""`uncia audit`: how often verdicts are wrong, from the reviews of a fixed sample."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from uncia.dashboard.catalogue.alerts import Alerts
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.rows import AlertRow
from uncia.dashboard.catalogue.schema import check_current
from uncia.dashboard.verdict_audit.queries import AuditCell, AuditResult, VerdictAudit, first_month
from uncia.dashboard.verdict_audit.rates import MIN_REVIEWED, Audited, Rate
from uncia.dashboard.verdict_audit.sample import AuditSample
from uncia.events import AlertCause
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(no_args_is_help=True, help="Measure how often verdicts are wrong, by the reviews of a fixed sample.")

_WIDTH = 160


@app.callback()
def _group() -> None:
    """Keep `report` a command of its own."""


@app.command()
def report(
    months: Annotated[int, typer.Option(min=1, max=120, help="Number of months, up to the present one.")] = 12,
    camera: Annotated[str | None, typer.Option(help="Only this camera (`<station>/<camera>`). Default: all.")] = None,
    share_blank: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the blanks, for this report. Default: UNCIA_AUDIT_SHARE_BLANK."),
    ] = None,
    share_confident: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of the confident animals, for this report. Default: UNCIA_AUDIT_SHARE_CONFIDENT."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print missed animals and wrong verdicts by month and camera with intervals of 95 %, and cameras whose scores have
    drifted.

    Shares that are smaller than those of the settings by the same factor count the bursts that come first in the queue
    alone.
    """
    config = settings()
    engine = open_database(catalogue_url(config), read_only=True)
    check_current(engine)
    sample = AuditSample.of(config)
    sample = replace(
        sample,
        blank=sample.blank if share_blank is None else share_blank,
        confident=sample.confident if share_confident is None else share_confident,
    )
    found = VerdictAudit(engine, sample).rates(first_month(datetime.now(UTC).date(), months), camera)
    drifted = [
        alert for alert in Alerts(engine).standing(AlertCause.SCORE_DRIFT) if camera is None or alert.camera == camera
    ]
    if as_json:
        echo_json(_as_json(sample, found, drifted))
        return
    echo(
        f"sample: {100 * sample.blank:g} % of blanks, {100 * sample.confident:g} % of animals with a probability of at "
        f"least {100 * sample.confidence:g} %"
    )
    if not found.cells:
        echo(f"no burst in the last {months} months")
    else:
        plain_console(width=_WIDTH).print(_table([*found.months, found.total]))
        plain_console(width=_WIDTH).print(_table([*found.cells, *found.cameras]))
        waiting = found.total.blank.waiting + found.total.confident.waiting
        echo(f"{waiting:,} bursts of the sample are not reviewed yet: open /review?queue=audit on the dashboard")
    for alert in drifted:
        echo(f"{alert.summary} (alert of the rule {alert.rule!r}, {alert.raised_at:%Y-%m-%d %H:%M}Z)")
    if not drifted:
        echo("no open alert about drifted scores (rules with `drift: true`)")


def _table(cells: list[AuditCell]) -> Table:
    table = Table(
        "month",
        Column("camera", overflow="fold"),
        "animals missed (95 %)",
        "animals among blanks",
        "reviewed",
        "confident verdicts wrong",
        "reviewed",
    )
    for cell in cells:
        table.add_row(
            f"{cell.month:%Y-%m}" if cell.month else "all",
            Text(cell.camera or "all"),
            rate_text(cell.missed, cell.blank),
            rate_text(cell.blank.error, cell.blank),
            f"{cell.blank.decided} of {cell.blank.sampled}",
            rate_text(cell.confident.error, cell.confident),
            f"{cell.confident.decided} of {cell.confident.sampled}",
        )
    return table


def rate_text(rate: Rate | None, audited: Audited) -> str:
    """Such as `4.2 % (1.1 to 9.8)`, or why there is no rate."""
    if rate is not None:
        return f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
    return f"too few reviews, below {MIN_REVIEWED}" if audited.decided < MIN_REVIEWED else "no animal"


def _as_json(sample: AuditSample, found: AuditResult, drifted: list[AlertRow]) -> dict[str, Any]:
    return {
        "share_blank": sample.blank,
        "share_confident": sample.confident,
        "confidence": sample.confidence,
        "total": _cell(found.total),
        "months": [_cell(cell) for cell in found.months],
        "cameras": [_cell(cell) for cell in found.cameras],
        "cells": [_cell(cell) for cell in found.cells],
        "drifted": [
            {"camera": one.camera, "rule": one.rule, "summary": one.summary, "raised_at": one.raised_at.isoformat()}
            for one in drifted
        ],
    }


def _cell(cell: AuditCell) -> dict[str, Any]:
    def audited(one: Audited) -> dict[str, Any]:
        counts = {name: value for name, value in asdict(one).items() if name != "absent"}
        return {**counts, "error": asdict(one.error) if one.error else None}

    return {
        "camera": cell.camera or None,
        "month": f"{cell.month:%Y-%m}" if cell.month else None,
        "verdicts": {"blank": cell.verdicts.blank, "confident": cell.verdicts.confident},
        "blank": audited(cell.blank),
        "confident": audited(cell.confident),
        "missed": asdict(cell.missed) if cell.missed else None,
    }
