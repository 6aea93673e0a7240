"""A comparison as JSON, from which the page is made too, and as text on a terminal; pure."""

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from uncia.producers.replay.burst_snapshot import BurstSnapshot
from uncia.producers.replay.compare import BurstChange, ChangeKind, HoldReason, ReplayComparison
from uncia.producers.replay.description import Replay

ROWS_SHOWN = 25
"""Rows of each table on the terminal."""


def to_json_object(replay: Replay, comparison: ReplayComparison) -> dict[str, Any]:
    """What `uncia replay diff --json` prints: counts, confusion table, changes with the events of both sides."""
    different = comparison.different()
    return {
        "replay": replay.name,
        "plan": replay.plan.describe(),
        "complete": replay.completed_at is not None,
        "kinds": {str(kind): count for kind, count in comparison.kinds().items()},
        "to_promote": len(comparison.to_promote()),
        "held": held_counts(comparison),
        "held_changes": held_rows(comparison),
        "confusion": [
            {"live": live_label, "replay": replay_label, "bursts": bursts, "frames": frames}
            for (live_label, replay_label), (bursts, frames) in _confusion_rows(comparison)
        ],
        "rejections": list(_rejections(different)),
        "changes": [
            {
                "kind": str(change.kind),
                "held": str(change.held) if change.held else None,
                "camera": change.camera,
                "live": [_event(burst) for burst in change.live],
                "replay": [_event(burst) for burst in change.replay],
            }
            for change in different
        ],
    }


def show(replay: Replay, comparison: ReplayComparison, console: Console) -> None:
    """Print the counts, the confusion table and the first changes."""
    counts = comparison.kinds()
    console.print(f"Replay {replay.name}: {replay.plan.describe()}", markup=False)
    if replay.completed_at is None:
        console.print(f"It is not complete: `uncia replay start {replay.name}` resumes it.", style="yellow")
    summary = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "no burst on either side"
    console.print(f"Bursts: {summary}. To promote: {len(comparison.to_promote())}.")
    for line in held_lines(comparison):
        console.print(line, markup=False)
    if counts[ChangeKind.SAME] == sum(counts.values()):
        return
    console.print(_confusion_table(comparison))
    console.print(_change_table(comparison.different()))
    for rejection in list(_rejections(comparison.different()))[:ROWS_SHOWN]:
        line = f"{rejection['image_id']}: {rejection['live'] or 'readable'} became {rejection['replay'] or 'readable'}"
        console.print(line, markup=False)


def held_counts(comparison: ReplayComparison) -> dict[str, int]:
    """The number of held changes by reason."""
    return {str(reason): count for reason, count in comparison.held().items()}


def held_rows(comparison: ReplayComparison) -> list[dict[str, Any]]:
    """Each held change: the reason, the camera, the time, and the ids of its bursts on both sides."""
    return [
        {
            "why": str(change.held),
            "camera": change.camera,
            "taken": f"{min(burst.event.started_at for burst in change.live or change.replay):%Y-%m-%dT%H:%M:%S}",
            "live": [burst.burst_id for burst in change.live],
            "replay": [burst.burst_id for burst in change.replay],
        }
        for change in comparison.held_changes()
    ]


def held_lines(comparison: ReplayComparison, max_named: int = 5) -> Iterator[str]:
    """For people: a line for each reason, with the number of changes and the first `max_named` bursts."""
    rows = held_rows(comparison)
    for reason, count in sorted(comparison.held().items(), key=lambda entry: list(HoldReason).index(entry[0])):
        named = [row for row in rows if row["why"] == str(reason)]
        names = [f"{(row['live'] or row['replay'])[0]} of {row['camera']}" for row in named[:max_named]]
        more = f" and {len(named) - max_named} more" if len(named) > max_named else ""
        yield f"Held: {count}, because {reason}: {', '.join(names)}{more}."


def _confusion_table(comparison: ReplayComparison) -> Table:
    table = Table("live", "replay", "bursts", "frames", title="Verdicts")
    rows = _confusion_rows(comparison)
    for (live_label, replay_label), (bursts, frames) in rows[:ROWS_SHOWN]:
        style = "dim" if live_label == replay_label else ""
        table.add_row(live_label, replay_label, str(bursts), str(frames), style=style)
    if len(rows) > ROWS_SHOWN:
        table.add_row("…", f"{len(rows) - ROWS_SHOWN} more", "", "")
    return table


def _change_table(different: list[BurstChange]) -> Table:
    table = Table("change", "camera", "taken", "frames", "live", "replay", "held", title="Changes")
    for change in different[:ROWS_SHOWN]:
        bursts = change.live or change.replay
        table.add_row(
            str(change.kind),
            change.camera,
            f"{min(burst.event.started_at for burst in bursts):%Y-%m-%d %H:%M:%S}",
            str(sum(len(burst.frames) for burst in bursts)),
            _labels(change.live),
            _labels(change.replay),
            str(change.held or ""),
        )
    if len(different) > ROWS_SHOWN:
        table.add_row("…", f"{len(different) - ROWS_SHOWN} more", "", "", "", "", "")
    return table


def _labels(bursts: tuple[BurstSnapshot, ...]) -> str:
    return ", ".join(burst.label for burst in bursts) or "none"


def _confusion_rows(comparison: ReplayComparison) -> list[tuple[tuple[str, str], tuple[int, int]]]:
    """Different labels first, then by the number of photographs."""
    return sorted(comparison.confusion().items(), key=lambda row: (row[0][0] == row[0][1], -row[1][1], row[0]))


def _rejections(different: list[BurstChange]) -> Iterator[dict[str, Any]]:
    """Photographs that only one side rejected, or both for different reasons."""
    for change in different:
        live = {frame.upload_id: frame for frame in change.live_frames()}
        for frame in change.replay_frames():
            before = live.get(frame.upload_id)
            if before is not None and before.rejection != frame.rejection:
                yield {
                    "image_id": frame.image_id,
                    "upload_id": frame.upload_id,
                    "live": before.rejection,
                    "replay": frame.rejection,
                }


def _event(burst: BurstSnapshot) -> dict[str, Any]:
    return dict(json.loads(burst.raw))
