"""`uncia fetch` requests the photographs of thumbnails, and says in one sentence why it cannot."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.paths import EVENT_SAMPLES
from tests.unit.processors.thin_links.bursts import burst, frame
from uncia.commands import fetch as command
from uncia.errors import UnciaError
from uncia.events import BurstStatus, Event, FetchReason, FetchRequested, ImagePredicted
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import Topic

APP = typer.Typer()
APP.command()(command.fetch)

PREDICTED = ImagePredicted.from_bytes((EVENT_SAMPLES / "camera.image.predicted.v1.json").read_bytes())


class Terminal:
    """Runs the command; topics are lists of events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.sent: list[FetchRequested] = []

    def read(self, settings: Settings, topics: tuple[Topic, ...], **_: Any) -> Iterator[Message]:
        for offset, event in enumerate(self.events):
            if event.topic == topics[0].name:
                yield Message(topics[0].name, 0, offset, 0, b"", event.to_bytes(), [])

    def send(self, settings: Settings, topic: Topic, messages: list[tuple[str, bytes, bytes]]) -> None:
        self.sent += [FetchRequested.from_bytes(value) for _, _, value in messages]

    def run(self, *arguments: str) -> str:
        ended = CliRunner().invoke(APP, list(arguments))
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return ended.stdout


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    found = Terminal()
    monkeypatch.setattr(command, "settings", lambda: Settings(_env_file=None))
    monkeypatch.setattr(command, "read_topics", found.read)
    monkeypatch.setattr(command, "send_to_cameras", found.send)
    return found


def test_of_a_burst_the_best_photographs_are_requested(terminal: Terminal) -> None:
    event = burst(frame(1), frame(2, deciding=True), frame(3, whole=True))
    terminal.events = [event]
    terminal.run(event.burst_id)
    assert [(one.key, one.reason) for one in terminal.sent] == [(frame(2).key, FetchReason.PERSON)]
    terminal.run(event.burst_id, "--frames", "5")
    assert [one.key for one in terminal.sent[1:]] == [frame(2).key, frame(1).key]


def test_an_image_is_requested_by_its_id(terminal: Terminal) -> None:
    terminal.events = [PREDICTED.model_copy(update={"key": frame(1).key})]
    assert "which its gateway knows as" in terminal.run(PREDICTED.image_id)
    assert [one.key for one in terminal.sent] == [frame(1).key]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [("bst-unknown", "no burst"), ("img-unknown", "no image"), ("IMG_0001.JPG", "is no id of an image")],
)
def test_what_is_not_known_is_said_in_a_sentence(terminal: Terminal, target: str, sentence: str) -> None:
    with pytest.raises(UnciaError, match=sentence):
        terminal.run(target)
    assert not terminal.sent


def test_what_is_stored_whole_is_not_requested(terminal: Terminal) -> None:
    terminal.events = [burst(frame(1, whole=True)), PREDICTED]
    for target in (terminal.events[0].burst_id, PREDICTED.image_id):  # type: ignore[attr-defined]
        with pytest.raises(UnciaError, match="stored whole"):
            terminal.run(target)


def test_a_superseded_burst_names_its_successor(terminal: Terminal) -> None:
    event = burst(frame(1), status=BurstStatus.SUPERSEDED, superseded_by="bst-next")
    terminal.events = [event]
    with pytest.raises(UnciaError, match="fetch bst-next"):
        terminal.run(event.burst_id)
