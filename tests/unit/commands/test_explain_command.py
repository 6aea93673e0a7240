"""`uncia explain` writes a heat map and weights, and says in one sentence why it cannot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.agents.doubles import servers
from tests.agents.suite import camera
from tests.agents.workers import RESOLVED, doubtful_burst, explanation_request, predicted
from tests.packages import write_package
from tests.stack.photographs import photograph
from uncia import ids
from uncia.commands import explain as command
from uncia.errors import UnciaError
from uncia.events import BurstStatus, Event, ExplanationRequested
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import Topic

APP = typer.Typer()
APP.command()(command.explain)


class Terminal:
    """Runs the command; topics are lists of events."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.events: list[Event] = []
        self.sent: list[ExplanationRequested] = []

    def read(self, settings: Settings, topics: tuple[Topic, ...], **_: Any) -> Iterator[Message]:
        for offset, event in enumerate(self.events):
            if event.topic == topics[0].name:
                yield Message(topics[0].name, 0, offset, 0, b"", event.to_bytes(), [])

    def send(self, settings: Settings, topic: Topic, messages: list[tuple[str, bytes, bytes]]) -> None:
        self.sent += [ExplanationRequested.from_bytes(value) for _, _, value in messages]

    def run(self, *arguments: object) -> str:
        ended = CliRunner().invoke(APP, [str(argument) for argument in arguments])
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        assert ended.exit_code == 0, ended.output
        return ended.stdout


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    with servers(tmp_path / "doubles") as (addresses, _, _):
        found = Terminal(Settings(_env_file=None, **addresses))
        monkeypatch.setattr(command, "settings", lambda: found.settings)
        monkeypatch.setattr(command, "read_topics", found.read)
        monkeypatch.setattr(command, "send_to_cameras", found.send)
        monkeypatch.chdir(tmp_path)
        Path("cat.jpg").write_bytes(photograph(1))
        yield found


def test_a_file_is_explained_by_triton(terminal: Terminal) -> None:
    shown = terminal.run("cat.jpg", "--samples", 12, "--out", "why")
    # The double answers every picture with the same scores.
    assert "the score is the same whatever is hidden" in shown
    assert "12 pictures in" in shown
    assert Path("why/cat.lime.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(Path("why/cat.lime.json").read_bytes())["samples"] == 12


@pytest.mark.parametrize("method", ["lime", "occlusion"])
def test_a_file_is_explained_by_a_package_with_equal_files_for_equal_seeds(terminal: Terminal, method: str) -> None:
    write_package(Path("package"))
    contents = []
    for out in ("a", "b"):
        arguments = ("cat.jpg", "--package", "package", "--method", method, "--samples", 20, "--seed", 5, "--out", out)
        facts = json.loads(terminal.run(*arguments, "--json", "--class", "set0 1"))
        assert (facts["label"], facts["method"]) == ("set0 1", method)
        contents.append([Path(file).read_bytes() for file in facts["files"]])
    assert contents[0] == contents[1]


def test_an_image_id_is_read_from_the_store(terminal: Terminal) -> None:
    request = explanation_request(1)
    event = predicted(1).model_copy(update={"image_id": request.image_id, "key": request.key, "camera": camera(1)})
    terminal.events = [predicted(2), event]
    terminal.run(request.image_id, "--samples", 4)
    assert Path(f"{request.image_id}.lime.json").exists()


def test_a_burst_id_is_explained_by_its_deciding_frame(terminal: Terminal) -> None:
    burst = doubtful_burst(1)
    terminal.events = [burst]
    facts = json.loads(terminal.run(burst.burst_id, "--samples", 4, "--json"))
    assert facts["files"][0] == f"{burst.frames[0].image_id}.lime.png"


def test_a_request_to_the_stream_has_the_id_of_every_request_for_that_explanation(terminal: Terminal) -> None:
    burst = doubtful_burst(1)
    terminal.events = [burst]
    for _ in range(2):
        assert "requested exp-" in terminal.run(burst.burst_id, "--stream", "--class", "1")
    first, second = terminal.sent
    assert first.explanation_id == second.explanation_id
    assert (first.image_id, first.class_index) == (burst.frames[0].image_id, 1)
    assert first.explanation_id.startswith(ids.explanation_prefix(first.image_id))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gone.jpg",), r"gone\.jpg cannot be read \(No such file or directory\)"),
        (("img-1",), r"no image 'img-1' on camera\.image\.predicted\.v1"),
        (("bst-9",), r"no burst 'bst-9' on camera\.burst\.resolved\.v1"),
        (("bst-old",), "the burst bst-old was superseded: explain bst-new"),
        (("cat.jpg", "--class", "unicorn"), "has no class 'unicorn'"),
        (("cat.jpg", "--stream"), "--stream takes the id"),
        (("cat.jpg", "--package", "nowhere"), "nowhere is not a model package"),
        (("bst-2",), "is not in the store"),
    ],
)
def test_what_cannot_be_explained_ends_with_one_sentence(
    terminal: Terminal, arguments: tuple[str, ...], sentence: str
) -> None:
    old = {"burst_id": "bst-old", "status": BurstStatus.SUPERSEDED, "superseded_by": "bst-new"}
    gone = doubtful_burst(2)
    frame = gone.frames[0].model_copy(update={"key": "ridge/cam-2/gone.jpg"})
    terminal.events = [RESOLVED.model_copy(update=old), gone.model_copy(update={"frames": (frame,)})]
    with pytest.raises(UnciaError, match=sentence):
        terminal.run(*arguments)


def test_a_triton_that_is_down_ends_with_one_sentence(terminal: Terminal) -> None:
    terminal.settings = terminal.settings.model_copy(update={"triton": "127.0.0.1:1"})
    with pytest.raises(UnciaError, match=r"127\.0\.0\.1:1"):
        terminal.run("cat.jpg", "--samples", 4)
