"""`golden.txt` is the specification of the sessioniser; a person can read and add a case."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from burst_making import LOG, Camera, Shot, images

from uncia.events import BurstResolved, BurstStatus, Trigger

Line = tuple[float, str, str, str, str]


def cases() -> Iterator[tuple[str, list[Line]]]:
    title, lines = "", []
    for raw in (Path(__file__).parent / "golden.txt").read_text().splitlines():
        if raw.startswith("=="):
            if lines:
                yield title, lines
            title, lines = raw.removeprefix("==").strip(), []
        elif raw.strip() and not raw.startswith("#"):
            at, name, taken, said, expected = (part.strip() for part in raw.split("|"))
            lines.append((float(at), name, taken, said, expected.removeprefix("->").strip()))
    yield title, lines


def shot(name: str, taken: str, said: str) -> Shot:
    words = said.split()
    told = {}
    for word in words:
        if "/" in word:
            told["sequence"], told["length"] = (int(part) for part in word.split("/"))
        elif word.startswith("event="):
            told["event"] = int(word.removeprefix("event="))
    trigger = next((each for each in Trigger if each.value in words), Trigger.MOTION)
    return Shot(name, float(taken), trigger=trigger, rejected="rejected" in words, **told)


def written(event: BurstResolved, owners: dict[str, str]) -> str:
    if event.status is BurstStatus.SUPERSEDED:
        return f"superseded {owners[event.burst_id]}"
    owners[event.burst_id] = images(event)[0]
    closed = f" {event.closed_by}@{(event.closed_at - LOG).total_seconds():g}" if event.closed_at else ""
    return f"{event.status}{closed} {' '.join(images(event))}"


@pytest.mark.parametrize("lines", [pytest.param(lines, id=title) for title, lines in cases()])
def test_what_arrives_is_answered_as_written(lines: list[Line]) -> None:
    camera, owners = Camera(), {}
    for at, name, taken, said, expected in lines:
        events = camera.tick(at) if name == "tick" else camera.frame(shot(name, taken, said), at)
        assert "; ".join(written(event, owners) for event in events) == expected.replace("nothing", ""), (at, name)
