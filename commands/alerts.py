"""`uncia alerts`: check a file of rules, try it on the past, and list the alerts that were raised."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from uncia.camtrap.names import camera_matches
from uncia.camtrap.taxonomy import Taxonomy
from uncia.commands.past_alerts import alerts_of_past
from uncia.errors import PermanentError
from uncia.events import AlertRaised, AlertState
from uncia.kafka.broker import read_topics
from uncia.processors.alerts.rule_file import RuleFile, read_rules
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import ALERT_RAISED

app = typer.Typer(no_args_is_help=True, help="Check alert rules, try them on the past, and list alerts.")

_STYLES = {AlertState.RAISED: "red", AlertState.UPDATED: "yellow", AlertState.WITHDRAWN: "dim"}
_PIPE_WIDTH = 200

RulesFile = Annotated[Path, typer.Argument(help="The file of rules (docs/alerts.md).", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def check(file: RulesFile) -> None:
    """Check a file of rules. Every mistake is named with its line and column."""
    found = read_rules(file, _taxonomy())
    _warn(file, found)
    count = len(found.rules)
    echo(f"{file}: {count} rule{'' if count == 1 else 's'}, no mistake")


@app.command("test")
def dry_run(
    file: RulesFile,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Verdicts of so many past days, by the log.")] = 30,
    any_age: Annotated[bool, typer.Option(help="Also photographs that were old when they were uploaded.")] = False,
    as_json: Json = False,
) -> None:
    """Try rules on the past: which alerts they would have raised. Nothing is published.

    Of a verdict the topic keeps the last revision, so that alerts which were withdrawn since do not appear.
    Alerts on silence appear also when the camera was heard again.
    """
    found = read_rules(file, _taxonomy())
    _warn(file, found)
    rules = [replace(rule, max_age=None) if any_age else rule for rule in found.rules]
    since = datetime.now(UTC) - timedelta(days=days)
    index = RuleIndex(rules, _taxonomy())
    newest = alerts_of_past(index, since, settings())
    if as_json:
        echo_json([alert.model_dump(mode="json", exclude_none=True) for alert in newest])
        return
    counts = Counter(alert.rule for alert in newest)
    for rule in rules:
        count = counts[rule.name]
        alerts = "no alert" if not count else f"{count} alert{'' if count == 1 else 's'}"
        echo(f"{rule.name}: this rule would have raised {alerts} in the last {days} days")
    if newest:
        _print(newest)


@app.command("list")
def list_alerts(
    camera: Annotated[str, typer.Option(help="Only this camera (`<station>/<camera>`) or station.")] = "",
    rule: Annotated[str, typer.Option(help="Only alerts of this rule.")] = "",
    withdrawn: Annotated[bool, typer.Option(help="Withdrawn ones, too.")] = False,
    as_json: Json = False,
) -> None:
    """List the alerts that were raised, the newest last."""
    newest: dict[str, AlertRaised] = {}
    for message in read_topics(settings(), (ALERT_RAISED,), from_beginning=True, until_end=True):
        try:
            alert = AlertRaised.from_bytes(message.value) if message.value is not None else None
        except PermanentError:
            continue
        if alert is not None and alert.revision >= getattr(newest.get(alert.alert_id), "revision", 0):
            newest[alert.alert_id] = alert
    shown = sorted(
        (
            alert
            for alert in newest.values()
            if camera_matches(camera, alert.camera)
            and rule in ("", alert.rule)
            and (withdrawn or alert.state is not AlertState.WITHDRAWN)
        ),
        key=lambda alert: (alert.raised_at, alert.alert_id),
    )
    if as_json:
        echo_json([alert.model_dump(mode="json", exclude_none=True) for alert in shown])
    elif shown:
        _print(shown)
    else:
        echo("no alert" if rule or camera or withdrawn else "no alert has been raised, or all were withdrawn")


def _print(alerts: list[AlertRaised]) -> None:
    console = plain_console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    columns: list[Any] = [Column("raised", no_wrap=True), "state", "rule", Column("alert", overflow="fold")]
    table = Table(*columns)
    for alert in alerts:
        table.add_row(
            f"{alert.raised_at:%Y-%m-%d %H:%M}",
            Text(alert.state.value, style=_STYLES[alert.state]),
            Text(alert.rule),
            Text(alert.summary),
        )
    console.print(table)


def _warn(file: Path, found: RuleFile) -> None:
    for warning in found.warnings:
        plain_console(stderr=True, soft_wrap=True).print(Text(f"{file}, {warning}"))


def _taxonomy() -> Taxonomy:
    return Taxonomy.load(settings().taxonomy_file)
