"""A comparison as JSON, which the page is made of too, and as words on a terminal; pure."""

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from uncia.producers.replay.burst_snapshot import Standing
from uncia.producers.replay.compare import Change, Comparison, Held, Kind
from uncia.producers.replay.description import Replay

SHOWN = 25
"""Lines of each table on the terminal."""


def as_json(replay: Replay, comparison: Comparison) -> dict[str, Any]:
    """Everything: counts, confusion table, and each change with the events of both sides."""
    different = comparison.different()
    return {
        "replay": replay.name,
        "plan": replay.plan.words(),
        "complete": replay.completed_at is not None,
        "kinds": {str(kind): count for kind, count in comparison.kinds().items()},
        "to_promote": len(comparison.to_promote()),
        "held": {str(why): count for why, count in comparison.held().items()},
        "held_changes": held_rows(comparison),
        "confusion": [
            {"live": live, "replay": ours, "bursts": bursts, "frames": frames}
            for (live, ours), (bursts, frames) in _by_weight(comparison)
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


def show(replay: Replay, comparison: Comparison, console: Console) -> None:
    """The same in words: counts, the confusion table, and the first changes."""
    counted = comparison.kinds()
    console.print(f"Replay {replay.name}: {replay.plan.words()}", markup=False)
    if replay.completed_at is None:
        console.print(f"It is not done: `uncia replay start {replay.name}` goes on.", style="yellow")
    words = ", ".join(f"{count} {kind}" for kind, count in counted.items() if count) or "no burst on either side"
    console.print(f"Bursts: {words}. To promote: {len(comparison.to_promote())}.")
    for line in held_lines(comparison):
        console.print(line, markup=False)
    if counted[Kind.SAME] == sum(counted.values()):
        return
    console.print(_confusion_table(comparison))
    console.print(_change_table(comparison.different()))
    for rejection in list(_rejections(comparison.different()))[:SHOWN]:
        line = f"{rejection['image_id']}: {rejection['live'] or 'readable'} became {rejection['replay'] or 'readable'}"
        console.print(line, markup=False)


def held_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Every change that is held: why, whose, when, and the ids of the bursts that stay as they are."""
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


def held_lines(comparison: Comparison, at_most: int = 5) -> Iterator[str]:
    """The same in words: a line for each reason, with how many and which."""
    rows = held_rows(comparison)
    for why, count in sorted(comparison.held().items(), key=lambda entry: list(Held).index(entry[0])):
        named = [row for row in rows if row["why"] == str(why)]
        names = [f"{(row['live'] or row['replay'])[0]} of {row['camera']}" for row in named[:at_most]]
        more = f" and {len(named) - at_most} more" if len(named) > at_most else ""
        yield f"Held: {count}, because {why}: {', '.join(names)}{more}."


def _confusion_table(comparison: Comparison) -> Table:
    table = Table("live", "replay", "bursts", "frames", title="Verdicts")
    rows = _by_weight(comparison)
    for (live, ours), (bursts, frames) in rows[:SHOWN]:
        table.add_row(live, ours, str(bursts), str(frames), style="dim" if live == ours else "")
    if len(rows) > SHOWN:
        table.add_row("…", f"{len(rows) - SHOWN} more", "", "")
    return table


def _change_table(different: list[Change]) -> Table:
    table = Table("what", "camera", "taken", "frames", "live", "replay", "held", title="Changes")
    for change in different[:SHOWN]:
        sides = change.live or change.replay
        table.add_row(
            str(change.kind),
            change.camera,
            f"{min(burst.event.started_at for burst in sides):%Y-%m-%d %H:%M:%S}",
            str(sum(len(burst.frames) for burst in sides)),
            _verdicts(change.live),
            _verdicts(change.replay),
            str(change.held or ""),
        )
    if len(different) > SHOWN:
        table.add_row("…", f"{len(different) - SHOWN} more", "", "", "", "", "")
    return table


def _verdicts(bursts: tuple[Standing, ...]) -> str:
    return ", ".join(burst.label for burst in bursts) or "none"


def _by_weight(comparison: Comparison) -> list[tuple[tuple[str, str], tuple[int, int]]]:
    """What differs first, by photographs."""
    return sorted(comparison.confusion().items(), key=lambda row: (row[0][0] == row[0][1], -row[1][1], row[0]))


def _rejections(different: list[Change]) -> Iterator[dict[str, Any]]:
    """Photographs that only one side could read, or for another reason not."""
    for change in different:
        live = {frame.upload_id: frame for burst in change.live for frame in burst.frames}
        for frame in (frame for burst in change.replay for frame in burst.frames):
            before = live.get(frame.upload_id)
            if before is not None and before.rejection != frame.rejection:
                yield {
                    "image_id": frame.image_id,
                    "upload_id": frame.upload_id,
                    "live": before.rejection,
                    "replay": frame.rejection,
                }


def _event(burst: Standing) -> dict[str, Any]:
    return dict(json.loads(burst.raw))
