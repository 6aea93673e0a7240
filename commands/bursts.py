"""`uncia bursts`: which bursts there are, and how one of them came about."""

import sys
from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from uncia.camtrap.deployments import Deployments
from uncia.camtrap.names import camera_matches
from uncia.dashboard.bursts.explain import Story, story
from uncia.dashboard.bursts.independence import detections, places_of
from uncia.errors import PermanentError, UnciaError
from uncia.events import BurstFrame, BurstResolved, BurstStatus, ImagePredicted
from uncia.kafka.broker import read_topics
from uncia.settings import settings
from uncia.terminal import echo_json, plain_console
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, IMAGE_PREDICTED

app = typer.Typer(no_args_is_help=True, help="List bursts, and explain how one came about.")

_ID_WIDTH = len("bst-") + 24
_PIPE_WIDTH = 200
_TO_THE_SECOND = len("2026-05-14T21:36:00")


class NoSuchBurst(UnciaError):
    """Nothing on the topic has this id."""


def _bursts() -> Iterator[BurstResolved]:
    for message in read_topics(settings(), (BURST_RESOLVED,), from_beginning=True, until_end=True):
        try:
            if message.value is not None:
                yield BurstResolved.from_bytes(message.value)
        except PermanentError as error:
            plain_console(stderr=True).print(f"skipped {message.topic} {message.partition}:{message.offset}: {error}")


def _predictions(frames: dict[str, BurstFrame]) -> dict[str, ImagePredicted]:
    """Of the uploads of these frames, as far as their topic still has them, by upload id.

    Of several about one upload the one that the burst has used: a later one may be of another version, or withdraw it.
    """
    found: dict[str, ImagePredicted] = {}
    for message in read_topics(settings(), (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
        # Most messages are of others: the id is looked for before anything is parsed.
        if message.value is None or not any(upload.encode() in message.value for upload in frames):
            continue
        try:
            event = ImagePredicted.from_bytes(message.value)
        except PermanentError:
            continue
        frame = frames.get(event.upload_id)
        if frame and (event.upload_id not in found or event.predicted_at == frame.predicted_at):
            found[event.upload_id] = event
    return found


def _deployments() -> Deployments:
    """As they stand now."""
    known = Deployments()
    for message in read_topics(settings(), (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True):
        known.apply(message.key, message.value)
    return known


@app.command("list")
def list_bursts(
    camera: str = typer.Option("", help="Only this camera, `<station>/<camera>`, or this station."),
    as_json: bool = typer.Option(False, "--json", help="Print each burst as one line of JSON."),
) -> None:
    """List the bursts as they stand, with the event each belongs to and whether it is an independent detection."""
    newest: dict[str, BurstResolved] = {}
    for burst in _bursts():
        ours = camera_matches(camera, burst.camera)
        if ours and (burst.burst_id not in newest or burst.revision >= newest[burst.burst_id].revision):
            newest[burst.burst_id] = burst
    held = [each for each in newest.values() if each.status is not BurstStatus.SUPERSEDED]
    counted = detections(held, places_of(settings(), _deployments()))
    table = Table(
        _id("burst"), "camera", "started (camera's clock)", "frames", "verdict", "status", "event", "independent"
    )
    for burst in sorted(held, key=lambda each: (each.camera, each.started_at, each.burst_id)):
        detection = counted.get(burst.burst_id)
        verdict = burst.verdict
        row = {
            "burst_id": burst.burst_id,
            "camera": burst.camera,
            "started_at": burst.started_at.isoformat(sep=" "),
            "frames": burst.frame_count,
            "verdict": f"{verdict.label}{'' if verdict.certain else '?'}" if verdict else "",
            "status": burst.status.value,
            "event_id": detection.event_id if detection else "",
            "independent": detection.independent if detection else None,
        }
        if as_json:
            echo_json(row)
        else:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
    if not as_json:
        nothing = f"no bursts of {camera} yet" if camera else "no bursts yet"
        _console().print(table if held else f"{nothing}: `uncia status` shows whether photographs arrive")


@app.command()
def explain(
    burst: str = typer.Argument(help="The burst's id, `bst-…`; `uncia bursts list` names them."),
    as_json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> None:
    """Explain a burst, frame by frame and revision by revision."""
    events = [each for each in _bursts() if each.burst_id == burst]
    if not events:
        raise NoSuchBurst(f"no burst {burst!r} on {BURST_RESOLVED.full_name(settings())}: see `uncia bursts list`")
    frames = {frame.upload_id: frame for event in events for frame in event.frames}
    told = story(events, _predictions(frames))
    if as_json:
        echo_json(asdict(told))
    else:
        _show(told, _console())


def _id(title: str) -> Column:
    """Ids are there to be copied: whatever else has to give way, they are shown whole."""
    return Column(title, no_wrap=True, min_width=_ID_WIDTH)


def _console() -> Console:
    # A pipe has no width of its own.
    return plain_console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _show(told: Story, console: Console) -> None:
    heir = f", superseded by {told.superseded_by}" if told.superseded_by else ""
    console.print(Text(told.burst_id, style="bold"), f" {told.camera}  {told.trigger.value}  {told.status}{heir}")
    console.print(f"closed: {told.closed_because}" + (f", at {told.closed_at}" if told.closed_at else ""))
    console.print(f"rule {told.rule}, models {', '.join(told.models) or 'none'}, settings {told.settings}")
    if told.flags or told.supersedes:
        console.print(f"flags: {', '.join(told.flags) or 'none'}; supersedes: {', '.join(told.supersedes) or 'none'}")
    frames = Table("", _id("frame"), "captured (camera's clock)", "answered (UTC)", "n of m", "joined by", "scores")
    for frame in told.frames:
        scores = ", ".join(f"{label} {score:.3f}" for label, score in frame.scores.items())
        mark = "*" if frame.deciding else ""
        frames.add_row(
            mark,
            frame.image_id,
            frame.captured_at.replace("T", " "),
            frame.predicted_at[:_TO_THE_SECOND].replace("T", " "),
            frame.counted,
            frame.joined,
            frame.rejected or scores,
        )
    console.print(frames)
    console.print("* the verdict rests on these. Revisions that the topic has compacted away are not listed:")
    revisions = Table("revision", "status", "frames", "verdict", "what changed")
    for each in told.revisions:
        changed = [*each.changes, *([f"{len(each.gained)} more"] if each.gained else [])]
        changed += [f"{len(each.lost)} gone"] if each.lost else []
        revisions.add_row(str(each.revision), each.status, str(each.frames), each.verdict, "; ".join(changed))
    console.print(revisions)
