"""`uncia watch`: verdicts as they fall, from now or from the beginning."""

import contextlib
from collections.abc import Iterator

import typer
from rich.live import Live
from rich.table import Table

from uncia.camtrap.names import camera_matches
from uncia.dashboard.watch.rows import line_of, row_of
from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus
from uncia.kafka.broker import read_topics
from uncia.settings import settings
from uncia.terminal import echo, plain_console, printable_json
from uncia.topics import BURST_RESOLVED


def watch(
    from_beginning: bool = typer.Option(False, "--from-beginning", help="Start with the oldest verdict kept."),
    until_end: bool = typer.Option(False, "--until-end", help="End once everything that stands there is shown."),
    camera: str = typer.Option("", help="Only this camera, `<station>/<camera>`, or this station."),
    settled: bool = typer.Option(False, "--settled", help="Leave out what is still provisional."),
    superseded: bool = typer.Option(
        False, "--superseded", help="Also show ids that went out of use, each with the burst that has its frames now."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print each event as one line of JSON."),
) -> None:
    """Show burst verdicts live. A question mark: uncertain, below any calibrated threshold.

    Superseded ids are left out, but for --json without --settled: a script that keeps a table needs them.
    """
    bursts = _verdicts(from_beginning or until_end, until_end, camera)
    if settled:
        bursts = (burst for burst in bursts if burst.status is not BurstStatus.PROVISIONAL)
    live = not as_json and plain_console().is_terminal
    if not (superseded or live or (as_json and not settled)):
        bursts = (burst for burst in bursts if burst.status is not BurstStatus.SUPERSEDED)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        if as_json:
            for burst in bursts:
                typer.echo(printable_json(burst.to_bytes().decode()))
        elif live:
            _live(bursts, superseded)
        else:
            for burst in bursts:
                echo(line_of(burst))


def _verdicts(from_beginning: bool, until_end: bool, camera: str) -> Iterator[BurstResolved]:
    for message in read_topics(settings(), (BURST_RESOLVED,), from_beginning=from_beginning, until_end=until_end):
        if message.value is None:
            continue
        try:
            burst = BurstResolved.from_bytes(message.value)
        except PermanentError as error:
            plain_console(stderr=True).print(f"skipped {message.topic} {message.partition}:{message.offset}: {error}")
            continue
        if camera_matches(camera, burst.camera):
            yield burst


def _live(bursts: Iterator[BurstResolved], superseded: bool) -> None:
    console = plain_console()
    newest: dict[str, BurstResolved] = {}
    with Live(table_of(()), console=console, refresh_per_second=8) as live:
        for burst in bursts:
            known = newest.pop(burst.burst_id, None)
            burst = burst if known is None or burst.revision >= known.revision else known
            if superseded or burst.status is not BurstStatus.SUPERSEDED:
                newest[burst.burst_id] = burst
            room = max(5, console.height - 6)
            while len(newest) > room:
                newest.pop(next(iter(newest)))
            live.update(table_of(tuple(newest.values())))


def table_of(bursts: tuple[BurstResolved, ...]) -> Table:
    """The live table, one row per burst, the newest change last."""
    table = Table(title="Burst verdicts", caption="Ctrl-C ends", expand=True)
    for column in ("started (camera's clock)", "camera", "frames", "verdict", "score", "status"):
        table.add_column(column, no_wrap=column in {"started (camera's clock)", "score"})
    for burst in bursts:
        row = row_of(burst)
        table.add_row(row.started, row.camera, row.frames, row.verdict, row.score, row.status, style=row.style)
    return table
