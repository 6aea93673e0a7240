"""The tables in `golden/` are the specification of the sessioniser; a person can read and add a case."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.processors.bursts.builders import LOG, Camera, Photo, images
from uncia.events import BurstResolved, BurstStatus, Trigger
from uncia.processors.bursts.config import BurstOverrides

TABLES = sorted((Path(__file__).parent / "golden").glob("*.txt"))


@dataclass(frozen=True)
class Line:
    """One line of a case; without a photo, a tick."""

    at: float
    photo: Photo | None
    expected: str


def cases() -> Iterator[tuple[str, list[Line]]]:
    for table in TABLES:
        for case in table.read_text(encoding="utf-8").split("\n== ")[1:]:
            title, *rows = case.strip().splitlines()
            yield f"{table.stem}: {title}", [line(row) for row in rows if row.strip() and not row.startswith("#")]


def line(row: str) -> Line:
    at, name, taken, attributes, expected = (part.strip() for part in row.split("|"))
    expected = expected.removeprefix("->").strip()
    return Line(
        float(at), None if name == "tick" else photo(name, taken, attributes), "" if expected == "nothing" else expected
    )


def photo(name: str, taken: str, attributes: str) -> Photo:
    words = attributes.split()
    values = dict(word.split("=") for word in words if "=" in word)
    counted = next((word.split("/") for word in words if "/" in word), None)
    own = {f"{key}_s": float(values[key]) for key in ("gap", "idle", "lateness") if key in values}
    return Photo(
        name,
        float(taken),
        sequence=int(counted[0]) if counted else None,
        length=int(counted[1]) if counted else None,
        event=int(values["event"]) if "event" in values else None,
        trigger=next((trigger for trigger in Trigger if trigger.value in words), Trigger.MOTION),
        rejected="rejected" in words,
        serial=values.get("serial"),
        make="CUDDEBACK" if "minute" in words else None,
        overrides=BurstOverrides(**own) if own else None,
    )


def format_event(event: BurstResolved, owners: dict[str, str]) -> str:
    if event.status is BurstStatus.SUPERSEDED:
        return f"superseded {owners[event.burst_id]}"
    owners[event.burst_id] = min(event.frames, key=lambda frame: (frame.captured_at, frame.image_id)).image_id[4:]
    closed = f" {event.closed_by}@{(event.closed_at - LOG).total_seconds():g}" if event.closed_at else ""
    flags = f" [{', '.join(event.flags)}]" if event.flags else ""
    return f"{event.status}{closed} {' '.join(images(event))}{flags}"


def played(lines: list[Line]) -> list[str]:
    """The events that follow from each line."""
    camera = Camera()
    owners: dict[str, str] = {}
    results = []
    for line in lines:
        events = camera.tick(line.at) if line.photo is None else camera.arrive(line.photo, line.at)
        results.append("; ".join(format_event(event, owners) for event in events))
    return results


@pytest.mark.parametrize("lines", [pytest.param(lines, id=title) for title, lines in cases()])
def test_each_line_gives_the_expected_events(lines: list[Line]) -> None:
    assert played(lines) == [line.expected for line in lines]


@pytest.mark.parametrize("lines", [pytest.param(lines, id=title) for title, lines in cases()])
def test_without_its_ticks_a_log_gives_the_same_in_the_same_order(lines: list[Line]) -> None:
    fewer = [line for line in lines[:-1] if line.photo is not None] + lines[-1:]
    assert "; ".join(filter(None, played(fewer))) == "; ".join(filter(None, played(lines)))
