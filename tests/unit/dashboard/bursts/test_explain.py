"""`uncia bursts explain` shows how a burst came about, `uncia bursts list` which event it belongs to."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from tests.unit.processors.bursts.builders import LOG, Camera, Photo, predicted
from uncia.commands import bursts as bursts_command
from uncia.dashboard.bursts.explain import explain_burst
from uncia.events import BurstCategory, DetectionCategory, FrameBox
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, Topic

PHOTOS = [Photo("a", 0, 1, 3), Photo("b", 1, 2, 3), Photo("c", 2, rejected=True)]


def played() -> Camera:
    camera = Camera()
    for number, photo in enumerate(PHOTOS):
        camera.arrive(photo, number)
    camera.arrive(Photo("d", 12), 60)
    return camera


def test_each_frame_says_why_it_is_in_and_each_revision_what_it_changed() -> None:
    camera = played()
    found = explain_burst(camera.events, {f"upl-{photo.name}": predicted(photo) for photo in PHOTOS})
    assert [(frame.image_id, frame.counted, frame.joined, frame.rejected) for frame in found.frames] == [
        ("img-a", "1 of 3", "the earliest frame", ""),
        ("img-b", "2 of 3", "the camera's own sequence", ""),
        ("img-c", "", "within the gap of the frame before", "image-truncated"),
        ("img-d", "", "within the gap of the frame before", ""),
    ]
    assert found.closed_because == "as many frames as the camera announced were in"
    assert [(revision.revision, revision.status, revision.gained) for revision in found.revisions] == [
        (1, "provisional", ["img-a"]),
        (2, "provisional", ["img-b"]),
        (3, "final", ["img-c"]),
        (4, "revised", ["img-d"]),
    ]
    assert found.revisions[3].changes == ["img-d arrived late"]
    assert found.frames[0].scores["cat"] > 0.59


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[str, Result]:
    events = played().events

    def read(_: Settings, topics: tuple[Topic, ...], **__: object) -> list[Message]:
        if topics == (DEPLOYMENT_CHANGED,):
            return []
        if topics == (BURST_RESOLVED,):
            return [Message("", 0, 0, 0, None, event.to_bytes(), []) for event in events]
        return [Message("", 0, 0, 0, None, predicted(photo).to_bytes(), []) for photo in PHOTOS]

    monkeypatch.setattr(bursts_command, "read_topics", read)
    return events[0].burst_id, CliRunner().invoke(bursts_command.app, list(words) or ["explain", events[0].burst_id])


def test_a_frame_is_explained_by_the_prediction_that_its_burst_has_used(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = played()
    of_a_copy = predicted(PHOTOS[0]).model_copy(update={"upload_id": "upl-copy", "etag": "of the copy"})
    later = predicted(PHOTOS[0]).model_copy(update={"predicted_at": LOG + timedelta(days=1), "etag": "later"})
    messages = [predicted(PHOTOS[0]), of_a_copy, later]

    def read(_: Settings, topics: tuple[Topic, ...], **__: object) -> list[Message]:
        events = camera.events if topics == (BURST_RESOLVED,) else messages
        junk = Message("", 0, 0, 0, None, b"upl-a, but no event", [])
        return [junk, *(Message("", 0, 0, 0, None, event.to_bytes(), []) for event in events)]

    monkeypatch.setattr(bursts_command, "read_topics", read)
    result = CliRunner().invoke(bursts_command.app, ["explain", camera.events[0].burst_id, "--json"])
    explained = json.loads(result.stdout.splitlines()[-1])
    assert [(frame["upload_id"], frame["etag"]) for frame in explained["frames"]][:2] == [("upl-a", "e"), ("upl-b", "")]


def test_the_command_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    burst_id, result = run(monkeypatch)
    assert result.exit_code == 0
    assert burst_id in result.output
    assert "the camera announced" in result.output


def test_an_unknown_burst_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    _, result = run(monkeypatch, "explain", "bst-none")
    assert "uncia bursts list" in str(result.exception)


def test_bursts_are_listed_with_their_event(monkeypatch: pytest.MonkeyPatch) -> None:
    burst_id, result = run(monkeypatch, "list", "--json")
    assert f'"burst_id": "{burst_id}"' in result.output
    assert '"independent": true' in result.output


def test_the_explanation_names_category_detections_and_the_best_crop() -> None:
    event = played().events[-1]
    box = FrameBox(category=DetectionCategory.ANIMAL, score=0.8, box=(0.1, 0.2, 0.3, 0.4), static=True)
    frame = event.frames[0].model_copy(
        update={"category": BurstCategory.ANIMAL, "animal_probability": 0.97, "boxes": (box,)}
    )
    changes = {"category": BurstCategory.BLANK, "animal_probability": 0.02, "crops_withheld": True}
    shown = event.model_copy(update={"frames": (frame, *event.frames[1:]), **changes})
    found = explain_burst([shown], {})
    assert (found.verdict, found.category, found.best_crop) == (
        "blank 98 %",
        "blank",
        "withheld: a person is in the burst, or the detector knows no persons",
    )
    assert found.revisions[0].verdict == "blank 98 %"
    assert found.frames[0].shows == "animal 97 %"
    assert found.frames[0].boxes == ["animal score 0.80 at 0.10 0.20 0.30 0.40 (static)"]


def test_the_explanation_marks_what_only_the_second_look_found() -> None:
    event = played().events[-1]
    box = FrameBox(category=DetectionCategory.ANIMAL, score=0.5, box=(0.1, 0.2, 0.3, 0.4), second_look=True)
    frame = event.frames[0].model_copy(update={"boxes": (box,), "second_look": "tiles-2x2/1"})
    changes = {"frames": (frame,), "changes": ("second look at 1 frame",)}
    found = explain_burst([event.model_copy(update=changes)], {})
    assert found.frames[0].second_look == "tiles-2x2/1"
    assert found.frames[0].boxes == ["animal score 0.50 at 0.10 0.20 0.30 0.40 (second look)"]
    assert found.revisions[0].changes == ["second look at 1 frame"]
