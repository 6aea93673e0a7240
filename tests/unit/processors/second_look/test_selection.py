"""Inconclusive bursts get one second look, at their best frames; the choice depends on the event alone."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.agents.workers import RESOLVED
from uncia.camtrap.taxonomy import ROOT
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    DetectionCategory,
    FrameBox,
    Rejection,
    SecondLookReason,
)
from uncia.processors.second_look.selection import RULE, Inconclusive, build_request

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
INCONCLUSIVE = Inconclusive(threshold=0.67, within=0.3, taxa=True)
BOX = FrameBox(category=DetectionCategory.ANIMAL, score=0.4, box=(0.1, 0.1, 0.2, 0.2))


def frame(number: int, probability: float, *boxes: FrameBox) -> BurstFrame:
    changes = {"image_id": f"img-{number}", "animal_probability": probability, "boxes": boxes, "rejection": None}
    return RESOLVED.frames[0].model_copy(update=changes)


def burst(probability: float | None = 0.5, category: str = "blank", **changes: object) -> BurstResolved:
    values: dict[str, object] = {
        "status": BurstStatus.FINAL,
        "animal_probability": probability,
        "category": BurstCategory(category),
        "frames": (frame(1, 0.4, BOX), frame(2, 0.6)),
        "closed_at": NOW,
        "verdict": None,
    }
    return RESOLVED.model_copy(update={**values, **changes})


def verdict(taxon: str, *, focus: bool = False) -> object:
    assert RESOLVED.verdict is not None
    return RESOLVED.verdict.model_copy(update={"taxon": taxon, "focus": focus})


@pytest.mark.parametrize(("probability", "expected"), [(0.36, False), (0.38, True), (0.66, True), (0.96, True)])
def test_a_burst_near_the_threshold_is_inconclusive(probability: float, expected: bool) -> None:
    reason = INCONCLUSIVE.reason(burst(probability))
    assert reason == (SecondLookReason.NEAR_THRESHOLD if expected else None)


def test_an_animal_without_a_taxon_is_inconclusive_unless_that_is_switched_off() -> None:
    unnamed = burst(0.99, "animal", verdict=verdict(ROOT))
    assert INCONCLUSIVE.reason(unnamed) is SecondLookReason.TAXON_UNKNOWN
    assert Inconclusive(0.67, 0.3, taxa=False).reason(unnamed) is None
    assert INCONCLUSIVE.reason(burst(0.99, "animal", verdict=verdict("Felidae"))) is None
    unboxed = burst(0.99, "animal", verdict=verdict(ROOT), frames=(frame(1, 0.9),))
    assert INCONCLUSIVE.reason(unboxed) is None


def test_persons_vehicles_and_focus_taxa_are_conclusive() -> None:
    assert INCONCLUSIVE.reason(burst(0.6, "person")) is None
    assert INCONCLUSIVE.reason(burst(0.6, "vehicle")) is None
    assert INCONCLUSIVE.reason(burst(0.6, "animal", verdict=verdict("Panthera uncia", focus=True))) is None


def test_bursts_without_a_detector_or_that_are_not_settled_are_left_alone() -> None:
    assert INCONCLUSIVE.reason(burst(None)) is None
    for status in (BurstStatus.PROVISIONAL, BurstStatus.SUPERSEDED):
        assert INCONCLUSIVE.reason(burst(status=status)) is None
    assert INCONCLUSIVE.reason(burst(status=BurstStatus.REVISED)) is not None


def test_a_burst_has_one_second_look() -> None:
    looked = frame(1, 0.4, BOX).model_copy(update={"second_look": RULE})
    assert INCONCLUSIVE.reason(burst(frames=(looked, frame(2, 0.6)))) is None


def test_the_best_frames_are_requested_with_their_boxes() -> None:
    frames = (
        frame(1, 0.2),
        frame(2, 0.6, BOX),
        frame(3, 0.6),
        frame(4, 0.9).model_copy(update={"rejection": Rejection(reason="image-empty", message="")}),
        frame(5, 0.9).model_copy(update={"boxes": None}),
        frame(6, 0.5),
    )
    event = burst(frames=frames)
    request = build_request(event, SecondLookReason.NEAR_THRESHOLD, 3, timedelta(minutes=15), NOW)
    assert request is not None
    assert [chosen.image_id for chosen in request.frames] == ["img-2", "img-3", "img-6"]
    assert [chosen.boxes for chosen in request.frames] == [(BOX,), (), ()]
    assert request.useful_until == NOW + timedelta(minutes=15)
    again = build_request(event, SecondLookReason.TAXON_UNKNOWN, 3, timedelta(0), NOW + timedelta(hours=1))
    assert again is not None
    assert again.second_look_id == request.second_look_id


def test_a_burst_that_no_frame_can_be_read_of_is_not_requested() -> None:
    event = burst(frames=(frame(1, 0.5).model_copy(update={"boxes": None}),))
    assert build_request(event, SecondLookReason.NEAR_THRESHOLD, 3, timedelta(0), NOW) is None
