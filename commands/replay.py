"""`uncia replay`: run past photographs through other models or settings, see what changes, take it over or not."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import existing_topics
from uncia.producers.replay import diff_report
from uncia.producers.replay.description import (
    Plan,
    Replay,
    all_replays,
    checked,
    drawn_name,
    find,
    load,
    variables_of,
)
from uncia.producers.replay.feed import Fed
from uncia.producers.replay.log_offsets import asking
from uncia.producers.replay.planning import described
from uncia.producers.replay.progress import OpenBursts, Progress, progress_of
from uncia.producers.replay.promotion import plan as plan_promotion
from uncia.producers.replay.removal import remove
from uncia.producers.replay.runner import OWN_TOPICS, TARGET, run
from uncia.producers.replay.selection import Selection, camera_time
from uncia.producers.replay.snapshot_reader import gather, publish
from uncia.producers.replay.workers import left_behind
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(
    help="Run past photographs through other models or settings; see what changes, and take it over or not.",
    no_args_is_help=True,
)
_JSON = typer.Option(False, "--json", help="Print JSON.")
_NAME = typer.Argument(help="The replay's name.")


@app.command()
def start(
    name: str = typer.Argument(None, help="Small letters, digits, hyphens. Left out: made of the rest."),
    since: str = typer.Option(
        "",
        metavar="TIME",
        help="Photographs taken from this moment on, by their camera's clock: `2026-05-01`, which is its first "
        "moment, or `2026-05-01T10:30:00`; no time zone.",
    ),
    until: str = typer.Option(
        "", metavar="TIME", help="Photographs taken before this moment, written alike: a date's own day is left out."
    ),
    camera: list[str] = typer.Option([], help="`station/camera`, `*` for anything; may be repeated."),
    station: list[str] = typer.Option([], help="A whole station; may be repeated."),
    model: str = typer.Option("", help="`name@version`, or `name`; left out: the live one."),
    changed: list[str] = typer.Option(
        [],
        "--settings",
        help="`UNCIA_ENSEMBLE_RULE=mean`: a setting of the workers; may be repeated. Secrets are refused.",
    ),
    as_json: bool = _JSON,
) -> None:
    """Run a replay until it is done; Ctrl-C stops it, and starting it again goes on. Live is not touched."""
    config = settings()
    model_name, _, version = model.partition("@")
    if model and not model_name:
        raise UnciaError(f"--model {model}: write name@version, or the name alone")
    plan = Plan(
        selection=Selection(
            since=camera_time(since) if since else None,
            until=camera_time(until) if until else None,
            cameras=tuple(camera),
            stations=tuple(station),
        ),
        model=model_name,
        model_version=version,
        settings=variables_of(changed),
    )
    what = described(checked(name or drawn_name(plan)), plan, config)
    replay = what.replay
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    console = plain_console(stderr=True, highlight=False)
    console.print(f"Replay {replay.name}: {replay.plan.words()}", markup=False)
    began = time.monotonic()
    try:
        with _Shown(console) as shown:
            progress = run(what, config, shown.report)
    except KeyboardInterrupt:
        console.print(f"Stopped; `uncia replay start {replay.name}` goes on.")
        raise typer.Exit(130) from None
    seconds = time.monotonic() - began
    if as_json:
        echo_json({"replay": replay.name, "seconds": round(seconds, 1), **vars(progress)})
        return
    if progress.dead_letters:
        console.print(f"{progress.dead_letters} messages could not be processed at all.", style="yellow")
    echo(
        f"{progress.copied} photographs, {progress.bursts} bursts, {seconds:.0f} s. "
        f"What changed: uncia replay diff {replay.name}"
    )


@app.command()
def status(name: str = _NAME, as_json: bool = _JSON) -> None:
    """Show how far a replay is, whether it runs, why it could not go on, and what `promote` would hold."""
    replay = load(name)
    body = _row(replay)
    lines: list[str] = []
    try:
        live = settings()
        config = replay.settings(live)
        if {topic.full_name(config) for topic in OWN_TOPICS} <= existing_topics(config):
            with asking(config) as log:
                body |= vars(progress_of(log, OpenBursts(config), (TARGET,)))
            if replay.completed_at is not None:
                comparison = gather(replay, live).comparison
                body["held"] = {str(why): count for why, count in comparison.held().items()}
                body["held_changes"] = diff_report.held_rows(comparison)
                lines = list(diff_report.held_lines(comparison))
    except DependencyDown as error:
        body["unknown"] = str(error)
    if as_json:
        echo_json(body)
        return
    for key, value in body.items():
        if key not in ("held", "held_changes") and value != "":
            echo(f"{key.replace('_', ' '):13} {value}")
    for line in lines:
        echo(line)


@app.command("list")
def list_replays(as_json: bool = _JSON) -> None:
    """List the replays."""
    rows = [_row(replay) for replay in all_replays()]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        reason = f": {row['reason']}" if row["reason"] else ""
        echo(f"{row['replay']:30} {row['state']:8} {row['plan']}{reason}")
    if not rows:
        echo("no replay yet; `uncia replay start` makes one")


@app.command()
def diff(
    name: str = _NAME,
    output: Path | None = typer.Option(None, "--output", "-o", help="Write a self-contained page there."),
    as_json: bool = _JSON,
) -> None:
    """Show what a replay says differently from live."""
    replay = load(name)
    comparison = gather(replay, settings()).comparison
    if output is not None:
        _write_page(diff_report.as_json(replay, comparison), output)
    if as_json:
        echo_json(diff_report.as_json(replay, comparison))
        return
    diff_report.show(replay, comparison, plain_console(highlight=False))
    if output is not None:
        echo(f"The page: {output}")


@app.command()
def promote(
    name: str = _NAME,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be published; publish nothing."),
    as_json: bool = _JSON,
) -> None:
    """Publish what a replay says differently as revisions of the live bursts. Twice is once."""
    replay, config = load(name), settings()
    if replay.completed_at is None:
        raise UnciaError(f"the replay {name} is not done: `uncia replay start {name}` goes on")
    with replay.alone():
        gathered = gather(replay, config)
        comparison = gathered.comparison
        asked = replay.plan.words().partition(", with ")[2]
        events = plan_promotion(comparison, gathered.said, f"replay {replay.name} with {asked}")
        if not dry_run:
            publish(events, config)
    held = {str(why): count for why, count in comparison.held().items()}
    if as_json:
        echo_json(
            {
                "promoted": len(comparison.to_promote()),
                "events": len(events),
                "held": held,
                "held_changes": diff_report.held_rows(comparison),
                "dry": dry_run,
            }
        )
        return
    would = "would be " if dry_run else ""
    echo(f"{len(comparison.to_promote())} changes {would}published in {len(events)} events")
    for line in diff_report.held_lines(comparison):
        echo(line)


@app.command()
def drop(name: str = _NAME, as_json: bool = _JSON) -> None:
    """Remove a replay: its processes, topics, groups, files, and the model that was loaded for it. Live stays."""
    replay, config = find(checked(name)), settings()
    if replay is None:
        raise UnciaError(f"no replay is called {name!r}; there is nothing to drop")
    with replay.alone():
        removed = remove(replay, config)
    if removed.left_loaded:
        echo(f"left loaded: {removed.left_loaded}", err=True)
    if as_json:
        found = {
            "processes": removed.processes,
            "topics": removed.topics,
            "groups": removed.groups,
            "model": removed.model,
        }
        echo_json({"dropped": name, **found})
        return
    echo(f"dropped {name}: {len(removed.topics)} topics, {len(removed.groups)} groups, {removed.processes} processes")


def _row(replay: Replay) -> dict[str, Any]:
    processes = left_behind(replay.mark)
    state = "running" if replay.runs else "done" if replay.completed_at else "failed" if replay.reason else "stopped"
    return {
        "replay": replay.name,
        "state": state,
        "reason": replay.reason,
        "plan": replay.plan.words(),
        "made_at": replay.made_at.isoformat(timespec="seconds"),
        "processes": len(processes),
    }


def _write_page(body: dict[str, Any], output: Path) -> None:
    """The page is another wing's: a process, which gets the comparison and the way to the photographs."""
    made = subprocess.run(
        [sys.executable, "-m", "uncia.dashboard.replay_diff", "--output", str(output)],
        input=json.dumps(body).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if made.returncode:
        said = made.stderr.decode(errors="replace").strip().splitlines()
        raise UnciaError(said[-1].removeprefix("uncia: ") if said else f"the page could not be written to {output}")


class _Shown:
    """Progress on a terminal as bars, elsewhere as a line now and then."""

    def __init__(self, console: Console, every_s: float = 10) -> None:
        self._console = console
        self._every_s = every_s
        self._said = time.monotonic()
        columns = (TextColumn("{task.description:9}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal)
        self._tasks = [self._bar.add_task(what, total=None) for what in ("read", "answered", "settled")]

    def __enter__(self) -> "_Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, fed: Fed, progress: Progress | None) -> None:
        """Show it; no progress means that Kafka does not answer."""
        if progress is None:
            text = "Kafka does not answer; waiting"
        else:
            answered, closed = min(progress.answered, progress.copied), progress.bursts - progress.open
            rows = ((fed.scanned, fed.to_scan), (answered, progress.copied), (closed, progress.bursts))
            for task, (done, total) in zip(self._tasks, rows, strict=True):
                self._bar.update(task, completed=done, total=total)
            text = f"{answered} of {progress.copied} answered, {closed} of {progress.bursts} bursts closed"
        if not self._console.is_terminal and time.monotonic() - self._said >= self._every_s:
            self._said = time.monotonic()
            self._console.print(text)
