"""`uncia camera` on a topic of plain values."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from uncia.commands import camera as command
from uncia.errors import UnciaError
from uncia.events import StaticObject, StaticObjectsChanged, StaticObjectsCleared
from uncia.kafka.broker import Message
from uncia.settings import Settings

STUMP, STONE = (0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.1, 0.1)


def changed(camera: str, *boxes: Any) -> bytes:
    return StaticObjectsChanged(
        station=camera.partition("/")[0],
        camera=camera,
        objects=tuple(StaticObject(box=box, bursts=20) for box in boxes),
        changed_at=datetime(2026, 5, 14, tzinfo=UTC),
    ).to_bytes()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[StaticObjectsCleared]:
    values = [changed("ridge/north", STONE), b"{", changed("hut/yard"), changed("ridge/north", STUMP, STONE)]
    orders: list[StaticObjectsCleared] = []
    monkeypatch.setattr(command, "settings", Settings)
    monkeypatch.setattr(
        command, "read_topics", lambda *_, **__: (Message("t", 0, at, 0, b"k", v, []) for at, v in enumerate(values))
    )
    monkeypatch.setattr(
        command,
        "send_to_cameras",
        lambda _, __, messages: orders.extend(StaticObjectsCleared.from_bytes(value) for *_, value in messages),
    )
    return orders


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command.app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_the_newest_objects_of_the_camera_are_shown_with_numbers(sent: list[StaticObjectsCleared]) -> None:
    output = run("show", "ridge/north")
    assert "10.0%" in output
    assert "20+" in output
    assert [found["box"] for found in json.loads(run("show", "ridge/north", "--json"))["objects"]] == [
        list(STUMP),
        list(STONE),
    ]


@pytest.mark.parametrize("camera", ["hut/yard", "ridge/south"])
def test_a_camera_without_static_objects_says_so(sent: list[StaticObjectsCleared], camera: str) -> None:
    assert run("show", camera) == f"{camera} has no static objects\n"
    assert json.loads(run("show", camera, "--json"))["objects"] == []
    with pytest.raises(UnciaError, match="no static objects to clear"):
        run("clear-static", camera)


def test_one_object_or_all_are_cleared(sent: list[StaticObjectsCleared]) -> None:
    assert "forgets 1 static object of ridge/north" in run("clear-static", "ridge/north", "--box", "2")
    assert "forgets 2 static objects of ridge/north" in run("clear-static", "ridge/north")
    assert [(order.camera, order.box) for order in sent] == [("ridge/north", STONE), ("ridge/north", None)]


def test_a_number_that_is_not_shown_is_refused(sent: list[StaticObjectsCleared]) -> None:
    with pytest.raises(UnciaError, match="no static object 3"):
        run("clear-static", "ridge/north", "--box", "3")
    assert not sent
