"""`uncia bursts`: list bursts and explain their verdicts."""

import sys
from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from uncia.camtrap.deployments import Deployments
from uncia.camtrap.names import camera_matches
from uncia.commands.skipped_messages import report_skipped
from uncia.dashboard.bursts.explain import BurstExplanation, explain_burst
from uncia.dashboard.bursts.independence import count_detections, rules_lookup
from uncia.dashboard.page_parts.verdict_text import describe_evidence, describe_verdict
from uncia.errors import PermanentError, UnciaError
from uncia.events import BurstFrame, BurstResolved, BurstStatus, ImagePredicted
from uncia.kafka.broker import read_topics
from uncia.settings import settings
from uncia.terminal import echo_json, plain_console
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, IMAGE_PREDICTED

app = typer.Typer(no_args_is_help=True, help="List bursts and explain their verdicts.")

_ID_WIDTH = len("bst-") + 24
_PIPE_WIDTH = 200
_TO_THE_SECOND = len("2026-05-14T21:36:00")


class NoSuchBurst(UnciaError):
    """No event on the topic has this id."""


def _bursts() -> Iterator[BurstResolved]:
    for message in read_topics(settings(), (BURST_RESOLVED,), from_beginning=True, until_end=True):
        try:
            if message.value is not None:
                yield BurstResolved.from_bytes(message.value)
        except PermanentError as error:
            report_skipped(message, error)


def _predictions(frames: dict[str, BurstFrame]) -> dict[str, ImagePredicted]:
    """Predictions for the uploads of these frames (both by upload id) that are still on their topic.

    Of several for one upload, the one that the burst used: a later one may be by another model version, or withdraw
    the upload.
    """
    found: dict[str, ImagePredicted] = {}
    for message in read_topics(settings(), (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
        # Most messages are about other uploads: search the id before parsing.
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
    """Return the current deployments."""
    known = Deployments()
    for message in read_topics(settings(), (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True):
        known.apply(message.key, message.value)
    return known


@app.command("list")
def list_bursts(
    camera: str = typer.Option("", help="List only this camera (`<station>/<camera>`) or this station. Default: all."),
    as_json: bool = typer.Option(False, "--json", help="Print each burst as one line of JSON."),
) -> None:
    """List the current bursts, with their events and independent detections."""
    newest: dict[str, BurstResolved] = {}
    for burst in _bursts():
        matches = camera_matches(camera, burst.camera)
        if matches and (burst.burst_id not in newest or burst.revision >= newest[burst.burst_id].revision):
            newest[burst.burst_id] = burst
    present = [burst for burst in newest.values() if burst.status is not BurstStatus.SUPERSEDED]
    counted = count_detections(present, rules_lookup(settings(), _deployments()))
    table = Table(
        _id("burst"), "camera", "started (camera's clock)", "frames", "verdict", "status", "event", "independent"
    )
    for burst in sorted(present, key=lambda burst: (burst.camera, burst.started_at, burst.burst_id)):
        detection = counted.get(burst.burst_id)
        row = {
            "burst_id": burst.burst_id,
            "camera": burst.camera,
            "started_at": burst.started_at.isoformat(sep=" "),
            "frames": burst.frame_count,
            "verdict": describe_verdict(burst) if burst.verdict or burst.category else "",
            "status": burst.status.value,
            "event_id": detection.event_id if detection else "",
            "independent": detection.independent if detection else None,
        }
        if as_json:
            echo_json({**row, **_new_fields(burst)})
        else:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
    if not as_json:
        nothing = f"no bursts of {camera} yet" if camera else "no bursts yet"
        _console().print(table if present else f"{nothing}: check with `uncia status` whether photographs arrive")


@app.command()
def explain(
    burst: str = typer.Argument(help="Id of the burst, `bst-…`; see `uncia bursts list`."),
    as_json: bool = typer.Option(False, "--json", help="Print the explanation as one line of JSON."),
) -> None:
    """Explain the verdict on a burst, frame by frame and revision by revision."""
    events = [event for event in _bursts() if event.burst_id == burst]
    if not events:
        raise NoSuchBurst(f"no burst {burst!r} on {BURST_RESOLVED.full_name(settings())}: see `uncia bursts list`")
    frames = {frame.upload_id: frame for event in events for frame in event.frames}
    explanation = explain_burst(events, _predictions(frames))
    if as_json:
        echo_json(asdict(explanation))
    else:
        _print(explanation, _console())


def _new_fields(burst: BurstResolved) -> dict[str, object]:
    """Category, probability, count and taxon; empty for a burst that no detector looked at."""
    if burst.category is None:
        return {}
    return {
        "category": burst.category.value,
        "animal_probability": burst.animal_probability,
        "count": burst.count,
        "evidence": describe_evidence(burst),
    }


def _id(title: str) -> Column:
    """Return a column of ids that is never truncated, so that ids can be copied from a narrow terminal."""
    return Column(title, no_wrap=True, min_width=_ID_WIDTH)


def _console() -> Console:
    # A pipe has no width.
    return plain_console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _print(burst: BurstExplanation, console: Console) -> None:
    successor = f", superseded by {burst.superseded_by}" if burst.superseded_by else ""
    console.print(
        Text(burst.burst_id, style="bold"), f" {burst.camera}  trigger {burst.trigger.value}  {burst.status}{successor}"
    )
    console.print(f"closed: {burst.closed_because}" + (f", at {burst.closed_at}" if burst.closed_at else ""))
    if burst.category:
        console.print(f"verdict: {burst.summary}", markup=False)
        console.print(
            f"category by the weights {burst.fusion or 'of an unknown model'}; best crop: {burst.best_crop}",
            markup=False,
        )
    console.print(f"rule {burst.rule}, models {', '.join(burst.models) or 'none'}, settings {burst.settings}")
    if burst.flags or burst.supersedes:
        console.print(f"flags: {', '.join(burst.flags) or 'none'}; supersedes: {', '.join(burst.supersedes) or 'none'}")
    console.print(_frames_table(burst))
    if burst.category:
        console.print(
            "boxes: x, y, width and height as shares of the photograph; percentages are calibrated, scores not"
        )
    console.print("* the verdict is based on these frames. Revisions that were compacted away are not listed:")
    console.print(_revisions_table(burst))


def _revisions_table(burst: BurstExplanation) -> Table:
    table = Table("revision", "status", "frames", "verdict", "changes")
    for revision in burst.revisions:
        changes = [*revision.changes, *([f"{len(revision.gained)} more"] if revision.gained else [])]
        changes += [f"{len(revision.lost)} removed"] if revision.lost else []
        table.add_row(
            str(revision.revision), revision.status, str(revision.frames), revision.verdict, "; ".join(changes)
        )
    return table


def _frames_table(burst: BurstExplanation) -> Table:
    table = Table(
        "", _id("frame"), "captured (camera's clock)", "predicted (UTC)", "n of m", "joined by", "shows", "scores"
    )
    for frame in burst.frames:
        scores = ", ".join(f"{label} {score:.3f}" for label, score in frame.scores.items())
        mark = "*" if frame.deciding else ""
        table.add_row(
            mark,
            frame.image_id,
            frame.captured_at.replace("T", " "),
            frame.predicted_at[:_TO_THE_SECOND].replace("T", " "),
            frame.counted,
            frame.joined,
            "; ".join(part for part in (frame.shows, *frame.boxes, "second look" if frame.second_look else "") if part),
            frame.rejected or scores,
        )
    return table
