"""Doubtful bursts are requested, at a bounded rate; the choice depends on the event alone."""

from datetime import UTC, datetime

from tests.agents.workers import RESOLVED
from tests.unit.uncia.serving.fake_triton import CARD
from uncia.events import BurstCategory, BurstResolved, BurstStatus, ExplanationReason, Rejection
from uncia.processors.explain.selection import build_request, find_doubt, shows_person


def burst(*scores: float | None, threshold: float | None = 0.02, status: str = "final") -> BurstResolved:
    assert RESOLVED.verdict is not None
    frames = tuple(
        RESOLVED.frames[0].model_copy(update={"image_id": f"img-{at}", "score": score, "rejection": None})
        for at, score in enumerate(scores)
    )
    verdict = RESOLVED.verdict.model_copy(update={"threshold": threshold, "label": "snow leopard"})
    return RESOLVED.model_copy(update={"frames": frames, "verdict": verdict, "status": BurstStatus(status)})


def test_the_frame_next_to_the_threshold_is_requested() -> None:
    doubt = find_doubt(burst(0.9, 0.03, 0.018))
    assert doubt is not None
    assert (doubt.frame.image_id, doubt.reason) == ("img-2", ExplanationReason.NEAR_THRESHOLD)


def test_frames_on_both_sides_of_the_threshold_disagree() -> None:
    doubt = find_doubt(burst(0.001, 0.9, 0.5))
    assert doubt is not None
    assert (doubt.frame.image_id, doubt.reason) == ("img-1", ExplanationReason.DISAGREEMENT)


def test_frames_of_different_categories_disagree() -> None:
    event = burst(0.9, 0.8, threshold=None)
    assert find_doubt(event) is None
    blank = event.frames[1].model_copy(update={"category": BurstCategory.BLANK})
    animal = event.frames[0].model_copy(update={"category": BurstCategory.ANIMAL})
    doubt = find_doubt(event.model_copy(update={"frames": (animal, blank)}))
    assert doubt is not None
    assert doubt.frame.image_id == "img-0"


def test_a_burst_that_agrees_is_not_requested() -> None:
    assert find_doubt(burst(0.9, 0.8, 0.95)) is None
    assert find_doubt(burst(0.0001, 0.0002)) is None


def test_only_final_bursts_are_requested() -> None:
    for status in ("provisional", "revised", "superseded"):
        assert find_doubt(burst(0.02, status=status)) is None


def test_unreadable_frames_and_bursts_without_a_verdict_are_not_requested() -> None:
    event = burst(0.02)
    rejected = event.frames[0].model_copy(update={"rejection": Rejection(reason="image-empty", message="")})
    assert find_doubt(event.model_copy(update={"frames": (rejected,)})) is None
    assert find_doubt(event.model_copy(update={"verdict": None})) is None
    assert find_doubt(burst(None, None)) is None


def test_a_request_names_the_class_of_the_verdict_and_is_the_same_every_time() -> None:
    event, now = burst(0.02), datetime.now(UTC)
    request = build_request(event, event.frames[0], ExplanationReason.NEAR_THRESHOLD, CARD, now)
    assert request.class_index == 0
    assert request.explanation_id.startswith("exp-")
    later = build_request(event, event.frames[0], ExplanationReason.DISAGREEMENT, CARD, datetime.now(UTC))
    assert later.explanation_id == request.explanation_id
    other = build_request(event, event.frames[0], ExplanationReason.PERSON, CARD, now, class_index=1)
    assert other.explanation_id != request.explanation_id


def test_a_person_is_seen_in_the_category_of_the_burst_or_of_a_frame() -> None:
    event = burst(0.5)
    assert not shows_person(event)
    assert shows_person(event.model_copy(update={"category": BurstCategory.PERSON}))
    assert shows_person(event.model_copy(update={"crops_withheld": True}))
    frame = event.frames[0].model_copy(update={"category": BurstCategory.PERSON})
    assert shows_person(event.model_copy(update={"frames": (frame,)}))
