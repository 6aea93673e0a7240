"""Pages that commands write hide people by the events on the topics, in whichever order these arrive."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.dashboard.page_parts.test_thumbnails import NOW, burst, frame, prediction_event
from uncia.audit import audit_file_of_process, read_audit
from uncia.camtrap.hidden_people import HiddenPeople
from uncia.dashboard.page_parts.people import PeopleOnTopics, hidden_on_page
from uncia.events import (
    BurstCategory,
    BurstResolved,
    Detection,
    DetectionCategory,
    DetectionResult,
    Event,
    FrameBox,
    ObservationReviewed,
    ReviewDecision,
    ReviewedObservation,
)
from uncia.events.reviews import ReviewedBox
from uncia.kafka.broker import Message
from uncia.settings import Settings

SETTINGS = Settings(_env_file=None)
BOX = (0.1, 0.2, 0.3, 0.4)


def message(event: Event) -> Message:
    return Message(event.topic, 0, 0, 0, b"", event.to_bytes(), [])


def with_person(score: float) -> BurstResolved:
    found = FrameBox(category=DetectionCategory.PERSON, score=score, box=BOX)
    return burst(frame(1).model_copy(update={"boxes": (found,)}), frame(2))


def review(
    number: int, decision: ReviewDecision, *observations: ReviewedObservation, supersedes: str | None = None
) -> ObservationReviewed:
    return ObservationReviewed(
        review_id=f"rev-{number}",
        burst_id="bst-1",
        station="s",
        camera="s/c",
        reviewer="anna",
        decision=decision,
        observations=observations,
        supersedes=supersedes,
        reviewed_at=datetime(2026, 5, 1, number, tzinfo=UTC),
    )


def hidden(*events: Event) -> list[HiddenPeople | None]:
    messages = [message(event) for event in events]
    found = [
        [people("img-1"), people("img-2")]
        for people in (PeopleOnTopics(messages, SETTINGS), PeopleOnTopics(messages[::-1], SETTINGS))
    ]
    assert found[0] == found[1]
    return found[0]


def test_a_box_of_a_person_blurs_its_frame_and_withholds_the_others() -> None:
    assert hidden(with_person(0.9)) == [HiddenPeople((BOX,)), HiddenPeople(())]
    assert hidden(with_person(0.1)) == [None, None]


def test_what_a_reviewer_saw_counts_until_it_is_undone() -> None:
    drawn = ReviewedBox(image_id="img-2", box=BOX)
    seen = review(1, ReviewDecision.CORRECT, ReviewedObservation(category=BurstCategory.PERSON, boxes=(drawn,)))
    assert hidden(burst(frame(1), frame(2)), seen) == [HiddenPeople(()), HiddenPeople((BOX,))]
    undone = review(2, ReviewDecision.UNDO, supersedes="rev-1")
    assert hidden(burst(frame(1), frame(2)), seen, undone) == [None, None]


def test_a_prediction_without_a_burst_counts() -> None:
    detection = DetectionResult(
        model="d",
        version="1",
        settings="set-1",
        asked_at=NOW,
        inference_ms=1,
        detections=(Detection(category=DetectionCategory.PERSON, score=0.8, box=BOX),),
    )
    assert hidden(prediction_event().model_copy(update={"detection": detection})) == [HiddenPeople((BOX,)), None]


def test_messages_that_are_no_events_are_disregarded() -> None:
    junk = [Message(BurstResolved.topic, 0, 0, 0, b"", value, []) for value in (None, b"", b"junk", b"[]")]
    assert PeopleOnTopics(junk, SETTINGS)("img-1") is None


def test_a_page_with_people_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNCIA_STACK_DIR", f"{tmp_path}/none")
    settings = Settings(_env_file=None, data_dir=tmp_path / "data")
    assert hidden_on_page(settings, "report: x.html", with_people=True)("img-1") is None
    (record,) = read_audit(audit_file_of_process(settings.data_dir))
    assert (record["action"], record["what"]) == ("people_exported", "report: x.html")
