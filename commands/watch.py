"""`uncia watch`: show burst verdicts as they are published, from now or from the beginning."""

import contextlib
from collections.abc import Iterator

import typer
from rich.live import Live
from rich.table import Table

from uncia.camtrap.names import camera_matches
from uncia.commands.skipped_messages import report_skipped
from uncia.dashboard.watch.rows import render_line, to_row
from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus
from uncia.kafka.broker import read_topics
from uncia.settings import settings
from uncia.terminal import echo, plain_console, printable_json
from uncia.topics import BURST_RESOLVED


def watch(
    from_beginning: bool = typer.Option(
        False, "--from-beginning", help="Start with the oldest stored verdict. Default: only new verdicts."
    ),
    until_end: bool = typer.Option(False, "--until-end", help="End after the newest verdict."),
    camera: str = typer.Option("", help="Print only this camera (`<station>/<camera>`) or this station. Default: all."),
    settled: bool = typer.Option(False, "--settled", help="Omit provisional verdicts."),
    superseded: bool = typer.Option(
        False, "--superseded", help="Also show superseded bursts, each with its successor."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print each event as one line of JSON."),
) -> None:
    """Print burst verdicts live. A question mark marks an uncertain verdict, below its calibrated threshold.

    Superseded bursts are omitted, except with --json and without --settled: scripts that maintain a table need them.
    """
    bursts = _read_bursts(from_beginning or until_end, until_end, camera)
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
            _show_live(bursts, superseded)
        else:
            for burst in bursts:
                echo(render_line(burst))


def _read_bursts(from_beginning: bool, until_end: bool, camera: str) -> Iterator[BurstResolved]:
    for message in read_topics(settings(), (BURST_RESOLVED,), from_beginning=from_beginning, until_end=until_end):
        if message.value is None:
            continue
        try:
            burst = BurstResolved.from_bytes(message.value)
        except PermanentError as error:
            report_skipped(message, error)
            continue
        if camera_matches(camera, burst.camera):
            yield burst


def _show_live(bursts: Iterator[BurstResolved], superseded: bool) -> None:
    console = plain_console()
    newest: dict[str, BurstResolved] = {}
    with Live(build_table(()), console=console, refresh_per_second=8) as live:
        for burst in bursts:
            known = newest.pop(burst.burst_id, None)
            burst = burst if known is None or burst.revision >= known.revision else known
            if superseded or burst.status is not BurstStatus.SUPERSEDED:
                newest[burst.burst_id] = burst
            room = max(5, console.height - 6)
            while len(newest) > room:
                newest.pop(next(iter(newest)))
            live.update(build_table(tuple(newest.values())))


def build_table(bursts: tuple[BurstResolved, ...]) -> Table:
    """The live table: one row per burst, the last change at the end."""
    table = Table(title="Burst verdicts", caption="Ctrl-C ends", expand=True)
    for column in ("started (camera's clock)", "camera", "frames", "verdict", "evidence", "status"):
        table.add_column(column, no_wrap=column in {"started (camera's clock)"})
    for burst in bursts:
        row = to_row(burst)
        table.add_row(row.started, row.camera, row.frames, row.verdict, row.score, row.status, style=row.style)
    return table
