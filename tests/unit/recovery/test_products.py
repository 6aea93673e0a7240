"""The accounts of the recovery suite notice every crop and explanation that is missing, doubled or left over."""

from datetime import UTC, datetime

import pytest

from tests.agents.workers import explanation_request, resolved
from tests.recovery.observer import Station
from tests.recovery.products import Products
from uncia import ids
from uncia.events import BurstCategory, BurstResolved, CropPublished, DetectionCategory, ImageExplained, Rejection
from uncia.settings import Settings

BURST = resolved(1)
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def crop(burst: BurstResolved = BURST, **changes: object) -> CropPublished:
    (frame,) = burst.frames
    (found,) = frame.boxes or ()
    crop_id = ids.crop_id(frame.image_id, found.box)
    return CropPublished(
        crop_id=crop_id,
        burst_id=burst.burst_id,
        image_id=frame.image_id,
        station=burst.station,
        camera=burst.camera,
        bucket="camera-uploads",
        key=f"crops/{burst.camera}/{crop_id}.jpg",
        sha256="a",
        box=found.box,
        crop_box=found.box,
        category=DetectionCategory.ANIMAL,
        score=found.score,
        captured_at=frame.captured_at,
        published_at=NOW,
    ).model_copy(update=changes)


def answer(**changes: object) -> ImageExplained:
    request = explanation_request(1)
    return ImageExplained(
        explanation_id=request.explanation_id,
        image_id=request.image_id,
        station=request.station,
        camera=request.camera,
        method=request.method,
        explained_at=NOW,
    ).model_copy(update=changes)


def problems(
    burst: BurstResolved = BURST, crops: tuple[CropPublished, ...] = (crop(),), answers: tuple[ImageExplained, ...] = ()
) -> list[str]:
    """The problems of a station with one burst, these events, and one request where there are answers."""
    station = Station()
    station.bursts[burst.burst_id] = burst
    for event in crops:
        station.crops.setdefault(event.crop_id, []).append(event)
    for given in answers:
        station.requested[explanation_request(1).explanation_id] = explanation_request(1).image_id
        station.explained.setdefault(given.explanation_id, []).append(given)
    return Products(Settings(_env_file=None), "ridge").topic_problems(station)


def test_every_crop_once_is_no_problem_nor_is_a_repeated_event() -> None:
    assert problems() == []
    assert problems(crops=(crop(), crop())) == []


@pytest.mark.parametrize(
    ("crops", "problem"),
    [
        ((), "1 of 1 crops are missing"),
        ((crop(), crop(withdrawn="not-selected")), "1 of 1 crops are missing"),
        ((crop(), crop(crop_id="crp-other")), "1 crops of no current burst are not withdrawn"),
        ((crop(), crop(sha256="b")), "1 crops were published twice with different contents"),
        ((crop(burst_id="bst-other"),), "1 crops name another burst than the one that they belong to"),
    ],
)
def test_a_crop_that_is_lost_doubled_or_left_over_is_a_problem(crops: tuple[CropPublished, ...], problem: str) -> None:
    assert problems(crops=crops) == [problem]


def test_a_crop_of_a_burst_with_a_person_is_a_problem() -> None:
    person = BURST.model_copy(update={"category": BurstCategory.PERSON})
    assert problems(person) == ["1 crops of no current burst are not withdrawn"]
    assert problems(person, crops=(crop(), crop(withdrawn="person-in-burst"))) == []


def test_a_request_without_an_answer_is_a_problem() -> None:
    station = Station(requested={"exp-1": "img-1"})
    found = Products(Settings(_env_file=None), "ridge").topic_problems(station)
    assert found == ["1 of 1 explanations are missing"]


def test_an_answer_is_given_once_or_repeated_unchanged() -> None:
    refused = Rejection(reason="object-missing", message="gone")
    assert problems(answers=(answer(), answer())) == []
    assert problems(answers=(answer(), answer(score=0.5))) == [
        "1 explanations were published twice with different contents"
    ]
    assert problems(answers=(answer(rejection=refused),)) == ["1 explanations were refused"]
    assert problems(answers=(answer(explanation_id="exp-x"),)) == [
        "1 of 1 explanations are missing",
        "1 explanations were never requested",
    ]


def test_an_explanation_of_a_burst_with_a_person_must_be_withdrawn() -> None:
    person = BURST.model_copy(update={"category": BurstCategory.PERSON})
    withdrawn = Rejection(reason="person-in-burst", message="a person")
    assert problems(person, (), (answer(),)) == ["1 explanations show a burst with a person"]
    assert problems(person, (), (answer(), answer(rejection=withdrawn))) == []
