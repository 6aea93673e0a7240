"""`uncia replay`: run past photographs through another model or other settings, and promote the differences or not."""

import signal
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import existing_topics
from uncia.producers.replay import diff_report
from uncia.producers.replay.description import (
    Replay,
    ReplayPlan,
    all_replays,
    check_name,
    default_name,
    find_replay,
    load_replay,
)
from uncia.producers.replay.feed import FeedProgress
from uncia.producers.replay.kafka_log import connect_to_log
from uncia.producers.replay.planning import prepare_replay
from uncia.producers.replay.progress import BurstCounter, ReplayProgress, read_progress
from uncia.producers.replay.promotion import plan_promotion
from uncia.producers.replay.removal import remove_replay
from uncia.producers.replay.runner import OWN_TOPICS, TARGET, run_replay
from uncia.producers.replay.selection import Selection, parse_camera_time
from uncia.producers.replay.setting_overrides import parse_overrides
from uncia.producers.replay.snapshot_reader import compare_with_live, publish_live
from uncia.producers.replay.worker_processes import running_processes
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(
    help="Run past photographs through another model or other settings; inspect the differences; promote them or not.",
    no_args_is_help=True,
)
_JSON = typer.Option(False, "--json", help="Print JSON.")
_NAME = typer.Argument(help="The name of the replay.")


@app.command()
def start(
    name: str = typer.Argument(
        None, help="Lower-case letters, digits and hyphens. Default: derived from the other options."
    ),
    since: str = typer.Option(
        "",
        metavar="TIME",
        help="Only photographs taken at this time or later, by their camera's clock: `2026-05-01`, which is its first "
        "moment, or `2026-05-01T10:30:00`; no time zone.",
    ),
    until: str = typer.Option(
        "",
        metavar="TIME",
        help="Only photographs taken before this time, in the same form: the day of a date is excluded.",
    ),
    camera: list[str] = typer.Option([], help="Only cameras that match `station/camera` with `*`; may be repeated."),
    station: list[str] = typer.Option([], help="Only this station; may be repeated."),
    model: str = typer.Option("", help="`name@version`, or `name`. Default: the live model."),
    overrides: list[str] = typer.Option(
        [],
        "--settings",
        help="Override a setting of the workers: `UNCIA_ENSEMBLE_RULE=mean`; may be repeated. Secrets are refused.",
    ),
    as_json: bool = _JSON,
) -> None:
    """Run a replay until it is complete. Ctrl-C stops it; the same command resumes it. Live bursts do not change."""
    config = settings()
    plan = ReplayPlan(
        selection=Selection(
            since=parse_camera_time(since) if since else None,
            until=parse_camera_time(until) if until else None,
            cameras=tuple(camera),
            stations=tuple(station),
        ),
        **_model_fields(model),
        settings=parse_overrides(overrides),
    )
    prepared = prepare_replay(check_name(name or default_name(plan)), plan, config)
    replay = prepared.replay
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    console = plain_console(stderr=True, highlight=False)
    console.print(f"Replay {replay.name}: {replay.plan.describe()}", markup=False)
    began = time.monotonic()
    try:
        with _ProgressDisplay(console) as display:
            progress = run_replay(prepared, config, display.update)
    except KeyboardInterrupt:
        console.print(f"Stopped; `uncia replay start {replay.name}` resumes it.")
        raise typer.Exit(130) from None
    seconds = time.monotonic() - began
    if as_json:
        echo_json({"replay": replay.name, "seconds": round(seconds, 1), **vars(progress)})
        return
    if progress.dead_letters:
        console.print(f"{progress.dead_letters} messages became dead letters.", style="yellow")
    echo(
        f"{progress.copied} photographs, {progress.bursts} bursts, {seconds:.0f} s. "
        f"Show the differences: uncia replay diff {replay.name}"
    )


@app.command()
def status(name: str = _NAME, as_json: bool = _JSON) -> None:
    """Show the state and progress of a replay, the reason of a failure, and why `promote` would refuse it."""
    replay = load_replay(name)
    body = _row(replay)
    held_lines: list[str] = []
    try:
        live = settings()
        config = replay.settings(live)
        if {topic.full_name(config) for topic in OWN_TOPICS} <= existing_topics(config):
            with connect_to_log(config) as log:
                body |= vars(read_progress(log, BurstCounter(config), (TARGET,)))
            if replay.completed_at is not None:
                comparison = compare_with_live(replay, live).comparison
                body["held"] = diff_report.held_counts(comparison)
                body["held_changes"] = diff_report.held_rows(comparison)
                held_lines = list(diff_report.held_lines(comparison))
    except DependencyDown as error:
        body["unknown"] = str(error)
    if as_json:
        echo_json(body)
        return
    for key, value in body.items():
        if key not in ("held", "held_changes") and value != "":
            echo(f"{key.replace('_', ' '):13} {value}")
    for line in held_lines:
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
        echo("no replay yet; `uncia replay start` creates one")


@app.command()
def diff(
    name: str = _NAME,
    output: Path | None = typer.Option(None, "--output", "-o", help="Write a self-contained HTML page to this file."),
    with_people: bool = typer.Option(False, "--with-people", help="Do not blur persons on the page; it is recorded."),
    as_json: bool = _JSON,
) -> None:
    """Show how the bursts of a replay differ from the live ones."""
    replay, config = load_replay(name), settings()
    comparison = compare_with_live(replay, config).comparison
    if output is not None:
        # Jinja and Pillow come with the extra `dashboard`; the rest of the command needs the base only.
        from uncia.dashboard.page_parts.people import hidden_on_page
        from uncia.dashboard.page_parts.rendering import write_page
        from uncia.dashboard.page_parts.thumbnails import thumbnails_from_store
        from uncia.dashboard.replay_diff.page import render

        body = diff_report.to_json_object(replay, comparison)
        hidden = hidden_on_page(config, f"replay {name}: {output}", with_people=with_people)
        write_page(output, render(body, thumbnails_from_store(config, hidden)))
    if as_json:
        echo_json(diff_report.to_json_object(replay, comparison))
        return
    diff_report.show(replay, comparison, plain_console(highlight=False))
    if output is not None:
        echo(f"Page: {output}")


@app.command()
def promote(
    name: str = _NAME,
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be published; publish nothing."),
    as_json: bool = _JSON,
) -> None:
    """Publish the differences of a replay as revisions of the live bursts. Repeating it has no further effect."""
    replay, config = load_replay(name), settings()
    if replay.completed_at is None:
        raise UnciaError(f"the replay {name} is not complete: `uncia replay start {name}` resumes it")
    with replay.locked():
        compared = compare_with_live(replay, config)
        comparison = compared.comparison
        events = plan_promotion(comparison, compared.revisions, replay.cause())
        if not dry_run:
            publish_live(events, config)
    if as_json:
        echo_json(
            {
                "promoted": len(comparison.to_promote()),
                "events": len(events),
                "held": diff_report.held_counts(comparison),
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
    """Remove a replay: its processes, topics, consumer groups and files, and the model that was loaded for it."""
    replay, config = find_replay(check_name(name)), settings()
    if replay is None:
        raise UnciaError(f"no replay is called {name!r}; there is nothing to drop")
    with replay.locked():
        removed = remove_replay(replay, config)
    if removed.left_loaded:
        echo(f"left loaded: {removed.left_loaded}", err=True)
    if as_json:
        echo_json(
            {
                "dropped": name,
                "processes": removed.processes,
                "topics": removed.topics,
                "groups": removed.groups,
                "model": removed.model,
            }
        )
        return
    echo(f"dropped {name}: {len(removed.topics)} topics, {len(removed.groups)} groups, {removed.processes} processes")


def _model_fields(text: str) -> dict[str, Any]:
    """`name@version` or `name` as fields of a plan. Raises `UnciaError` without a name."""
    model, _, version = text.partition("@")
    if text and not model:
        raise UnciaError(f"--model {text}: write name@version, or the name alone")
    return {"model": model, "model_version": version}


def _row(replay: Replay) -> dict[str, Any]:
    """A replay as a line of `uncia replay list`."""
    processes = running_processes(replay.process_mark)
    return {
        "replay": replay.name,
        "state": replay.state,
        "reason": replay.reason,
        "plan": replay.plan.describe(),
        "made_at": replay.made_at.isoformat(timespec="seconds"),
        "processes": len(processes),
    }


class _ProgressDisplay:
    """Shows progress as bars on a terminal, elsewhere as a line every `interval_s` seconds."""

    def __init__(self, console: Console, interval_s: float = 10) -> None:
        self._console = console
        self._interval_s = interval_s
        self._printed_at = time.monotonic()
        columns = (TextColumn("{task.description:9}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks = [self._bar.add_task(label, total=None) for label in ("read", "predicted", "closed")]

    def __enter__(self) -> "_ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, feed: FeedProgress, progress: ReplayProgress | None) -> None:
        """Show the progress; None while Kafka is unavailable."""
        if progress is None:
            text = "Kafka does not answer; waiting"
        else:
            predicted, closed = min(progress.answered, progress.copied), progress.bursts - progress.open
            rows = ((feed.scanned, feed.to_scan), (predicted, progress.copied), (closed, progress.bursts))
            for task, (done, total) in zip(self._tasks, rows, strict=True):
                self._bar.update(task, completed=done, total=total)
            text = f"{predicted} of {progress.copied} predicted, {closed} of {progress.bursts} bursts closed"
        if not self._console.is_terminal and time.monotonic() - self._printed_at >= self._interval_s:
            self._printed_at = time.monotonic()
            self._console.print(text)
