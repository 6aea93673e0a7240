"""Which boxes of a burst get a crop."""

from datetime import UTC, datetime

import pytest

from tests.unit.processors.crops.builders import BOX, animal, burst, frame, person
from uncia.events import (
    BoxSource,
    BurstCategory,
    BurstReview,
    BurstStatus,
    DetectionCategory,
    FurtherObservation,
)
from uncia.events.bursts import CropReference
from uncia.events.values import Box
from uncia.processors.crops.selection import (
    BURST_SUPERSEDED,
    NOT_SELECTED,
    PERSON_IN_BURST,
    Selection,
    select_crops,
)

OTHER: Box = (0.5, 0.1, 0.2, 0.2)


def chosen(selection: Selection) -> list[tuple[str, float]]:
    return [(crop.frame.upload_id, crop.score) for crop in selection.wanted]


def test_the_best_animal_of_each_frame_is_selected_best_first() -> None:
    frames = [frame(1, animal(0.5), animal(0.6, OTHER)), frame(2, animal(0.9)), frame(3)]
    selection = select_crops(burst(frames), most=5, withheld_by_person=True)
    assert chosen(selection) == [("upl-2", 0.9), ("upl-1", 0.6)]


def test_no_more_than_the_setting_allows() -> None:
    frames = [frame(number, animal(0.5 + number / 100)) for number in range(9)]
    assert len(select_crops(burst(frames), most=5, withheld_by_person=True).wanted) == 5
    assert select_crops(burst(frames), most=0, withheld_by_person=True).wanted == ()


def test_the_best_crop_of_the_event_comes_first_whatever_its_score() -> None:
    frames = [frame(1, animal(0.06)), frame(2, animal(0.9))]
    best = CropReference(image_id=frames[0].image_id, box=BOX, category=DetectionCategory.ANIMAL, score=0.06)
    selection = select_crops(burst(frames, best_crop=best), most=1, withheld_by_person=True)
    assert chosen(selection) == [("upl-1", 0.06)]


def test_a_box_without_a_detection_gets_a_crop_after_all_others_that_says_so() -> None:
    made = animal(0, OTHER, source=BoxSource.MOVEMENT, best=True)
    frames = [frame(1, animal(0.6), made), frame(2, animal(0.3))]
    selection = select_crops(burst(frames), most=5, withheld_by_person=True)
    assert [(crop.box, crop.source) for crop in selection.wanted] == [(BOX, None), (OTHER, BoxSource.MOVEMENT)]
    withheld = [*frames, frame(3, person())]
    assert select_crops(burst(withheld), most=5, withheld_by_person=True).wanted == ()


def test_the_box_of_choice_gets_the_crop_rather_than_one_with_a_higher_score() -> None:
    selection = select_crops(
        burst([frame(1, animal(0.6), animal(0.4, OTHER, best=True))]), most=5, withheld_by_person=True
    )
    assert [crop.box for crop in selection.wanted] == [OTHER]


@pytest.mark.parametrize("box", [animal(0.1), animal(0.9, static=True)], ids=["weak", "static"])
def test_weak_and_static_boxes_get_no_crop(box: object) -> None:
    assert select_crops(burst([frame(1, box)]), most=5, withheld_by_person=True).wanted == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("category", [BurstCategory.BLANK, BurstCategory.VEHICLE])
def test_a_burst_without_an_animal_gets_no_crop(category: BurstCategory) -> None:
    event = burst([frame(1, animal())], category=category)
    assert select_crops(event, most=5, withheld_by_person=True) == Selection((), NOT_SELECTED)


def test_a_person_in_any_frame_withholds_all_crops() -> None:
    events = [
        burst([frame(1, animal()), frame(2, person())]),
        burst([frame(1, animal()), frame(2, category=BurstCategory.PERSON)], category=BurstCategory.ANIMAL),
        burst([frame(1, animal())], category=BurstCategory.ANIMAL, crops_withheld=True),
        burst([frame(1, animal())], category=BurstCategory.PERSON),
    ]
    for event in events:
        assert select_crops(event, most=5, withheld_by_person=True) == Selection((), PERSON_IN_BURST)


def test_a_weak_box_of_a_person_counts_only_where_the_event_says_nothing() -> None:
    frames = [frame(1, animal(), person(0.3))]
    event = burst(frames, category=BurstCategory.ANIMAL, crops_withheld=False)
    assert len(select_crops(event, most=5, withheld_by_person=True).wanted) == 1


def test_the_setting_publishes_crops_next_to_persons() -> None:
    event = burst([frame(1, animal()), frame(2, person())])
    assert chosen(select_crops(event, most=5, withheld_by_person=False)) == [("upl-1", 0.8)]


def test_a_superseded_burst_has_no_crops() -> None:
    event = burst([frame(1, animal())], status=BurstStatus.SUPERSEDED)
    assert select_crops(event, most=5, withheld_by_person=True) == Selection((), BURST_SUPERSEDED)


@pytest.mark.parametrize(
    ("category", "further"),
    [(BurstCategory.PERSON, None), (BurstCategory.ANIMAL, (FurtherObservation(category=BurstCategory.PERSON),))],
)
def test_a_person_that_only_a_review_sees_withholds_all_crops(
    category: BurstCategory, further: tuple[FurtherObservation, ...] | None
) -> None:
    reviewed = BurstReview(
        review_id="rev-1",
        reviewer="rita",
        decision="correct",
        category=category,
        further=further,
        reviewed_at=datetime(2026, 5, 2, tzinfo=UTC),
    )
    shown = burst([frame(1, animal())], review=reviewed, crops_withheld=False)
    assert select_crops(shown, most=5, withheld_by_person=True).withdrawal == PERSON_IN_BURST
