"""A second look adds evidence to its frame, whenever it comes, and revises the frame's burst once."""

from datetime import timedelta
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.processors.bursts.builders import (
    CAMERA,
    LOG,
    Camera,
    Found,
    Photo,
    detections,
    frame_record,
    make_engine,
    predicted,
)
from tests.unit.processors.bursts.test_state_store import Crash, Log, sent_events
from uncia.camtrap.hidden_people import STORED_BOXES
from uncia.errors import PermanentError
from uncia.events import (
    BurstCategory,
    BurstResolved,
    BurstStatus,
    ClassVector,
    DetectionCategory,
    FrameSecondLook,
    Rejection,
    SecondLookCompleted,
    SecondLookReason,
)
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.second_looks import (
    DISCOUNT,
    MAX_WAITING,
    StoredSecondLook,
    stored_second_looks,
    with_second_look,
)

PARTITION = partition_of(CAMERA, 4)
RULE = "tiles-2x2/1"
WEAK, STRONG = Found(0.05, (0.1, 0.1, 0.1, 0.1)), Found(0.95, (0.6, 0.6, 0.3, 0.3))
PHOTOS = [
    Photo("a", 0, 1, 3, boxes=(WEAK,)),
    Photo("b", 1, 2, 3, boxes=(WEAK,)),
    Photo("c", 2, 3, 3, boxes=()),
    Photo("d", 100, boxes=(WEAK,), grey=60),
]


def completed(
    *names: str, boxes: tuple[Found, ...] = (STRONG,), at: float = 0, version: str = "1", name: str = "snd-1"
) -> SecondLookCompleted:
    """The second look at these photographs, all with these boxes."""
    detection = detections(boxes).model_copy(update={"version": version})
    return SecondLookCompleted(
        second_look_id=name,
        burst_id="bst-1",
        station="ridge",
        camera=CAMERA,
        frames=tuple(
            FrameSecondLook(image_id=f"img-{own}", upload_id=f"upl-{own}", detection=detection) for own in names
        ),
        reason=SecondLookReason.NEAR_THRESHOLD,
        rule=RULE,
        completed_at=LOG + timedelta(seconds=at),
    )


def look(camera: Camera, event: SecondLookCompleted, at: float) -> list[BurstResolved]:
    """The second look arrives at a second of log time. Returns the events that follow."""
    now = LOG + timedelta(seconds=at)
    return camera._add(camera.sessioniser.apply_second_looks(camera.state, event, now)).events


def camera_with(*photos: Photo) -> Camera:
    camera = Camera()
    for at, photo in enumerate(photos):
        camera.arrive(photo, at)
    return camera


def test_a_second_look_revises_a_final_burst_and_says_so() -> None:
    camera = camera_with(*PHOTOS[:3])
    (before,) = camera.settled().values()
    assert (before.status, before.category) == (BurstStatus.FINAL, BurstCategory.BLANK)
    (event,) = look(camera, completed("a", "b"), 10)
    assert (event.status, event.revision) == (BurstStatus.REVISED, before.revision + 1)
    assert event.category is BurstCategory.ANIMAL
    assert event.changes == ("second look at 2 frames", "verdict: blank became Animalia")
    assert [frame.second_look for frame in event.frames] == [RULE, RULE, None]
    assert (event.animal_probability or 0) > (before.animal_probability or 0)
    shown = event.frames[0].boxes or ()
    assert [(box.second_look, box.box) for box in shown] == [(True, STRONG.box), (None, WEAK.box)]


def test_a_repeated_second_look_changes_nothing() -> None:
    camera = camera_with(*PHOTOS[:3])
    assert look(camera, completed("a"), 10)
    assert look(camera, completed("a"), 11) == []
    # Carried out again after a crash, with the same outcome.
    assert look(camera, completed("a", at=5), 12) == []
    assert len(look(camera, completed("a", boxes=(WEAK,), at=6), 13)) == 1
    assert look(camera, completed("a", at=5), 14) == []


def test_a_second_look_that_comes_before_its_frame_counts_when_the_frame_comes() -> None:
    camera = Camera()
    assert look(camera, completed("a"), 0) == []
    (event, *_) = camera.arrive(PHOTOS[0], 1)
    assert event.frames[0].second_look == RULE
    assert event.changes == ()


def test_a_second_look_at_a_burst_that_is_open_is_provisional() -> None:
    camera = camera_with(PHOTOS[0])
    (event,) = look(camera, completed("a"), 1)
    assert event.status is BurstStatus.PROVISIONAL


def test_a_second_look_that_comes_too_late_by_the_log_is_dropped_whether_or_not_the_burst_has_expired() -> None:
    for expired in (False, True):
        camera = camera_with(*PHOTOS[:3])
        if expired:
            camera.tick(2000)
        assert look(camera, completed("a"), 1900) == []
        assert not camera.state.second_looks


def test_an_expired_burst_takes_its_second_looks_with_it() -> None:
    camera = camera_with(*PHOTOS[:3])
    look(camera, completed("a"), 10)
    assert set(camera.state.second_looks) == {"img-a"}
    camera.tick(2000)
    assert not camera.state.second_looks
    assert camera.state.second_looks_removed == {"img-a"}


def test_second_looks_that_wait_for_their_frames_are_bounded() -> None:
    camera = camera_with(PHOTOS[0])
    look(camera, completed("a"), 1)
    for number in range(MAX_WAITING + 10):
        look(camera, completed(f"x{number}", at=number), 2)
    held = set(camera.state.second_looks)
    assert len(held) == MAX_WAITING + 1
    assert {"img-a", "img-x10", f"img-x{MAX_WAITING + 9}"} <= held
    assert "img-x9" not in held


def test_a_photograph_that_could_not_be_looked_at_is_marked_and_nothing_else() -> None:
    camera = camera_with(*PHOTOS[:3])
    (before,) = camera.settled().values()
    gone = FrameSecondLook(
        image_id="img-a", upload_id="upl-a", rejection=Rejection(reason="object-missing", message="gone")
    )
    (event,) = look(camera, completed().model_copy(update={"frames": (gone,)}), 10)
    assert event.frames[0].second_look == RULE
    assert event.animal_probability == before.animal_probability
    assert event.frames[0].boxes == before.frames[0].boxes


def test_boxes_of_another_detector_version_do_not_count() -> None:
    camera = camera_with(*PHOTOS[:3])
    (before,) = camera.settled().values()
    (event,) = look(camera, completed("a", version="2"), 10)
    assert event.frames[0].second_look == RULE
    assert event.animal_probability == before.animal_probability


def test_static_objects_are_counted_from_first_looks_only() -> None:
    camera = camera_with(*PHOTOS[:3])
    look(camera, completed("a"), 10)
    camera.tick(2000)
    assert len(camera.state.static.places) == 1


def test_invalid_class_vectors_are_refused() -> None:
    event = completed("a", boxes=(Found(0.9, classes=(0.5, 0.5, 0, 0)),))
    frame = event.frames[0]
    assert frame.detection is not None
    bad = frame.detection.detections[0].model_copy(update={"classes": ClassVector.pack(np.array([2.0, np.nan]))})
    detection = frame.detection.model_copy(update={"detections": (bad,)})
    broken = event.model_copy(update={"frames": (frame.model_copy(update={"detection": detection}),)})
    with pytest.raises(PermanentError, match="second-look"):
        list(stored_second_looks(broken))


# What a second look adds to a frame.


def looked(photo: Photo, *boxes: Found) -> StoredSecondLook:
    (stored,) = stored_second_looks(completed(photo.name, boxes=boxes))
    return stored


def test_a_box_of_the_first_look_keeps_its_score_and_a_new_one_is_lowered() -> None:
    photo = Photo("a", 0, boxes=(Found(0.5),))
    frame = with_second_look(frame_record(photo), looked(photo, Found(0.4), STRONG))
    scores = {box.box: box.score for box in frame.boxes}
    assert scores[Found().box] == 0.5
    odds = np.log(scores[STRONG.box] / (1 - scores[STRONG.box]))
    assert odds == pytest.approx(np.log(0.95 / 0.05) - DISCOUNT, abs=1e-4)
    assert [frame.boxes[place].box for place in frame.second_look_boxes] == [STRONG.box]


def test_a_box_that_a_tile_shows_better_is_raised_to_the_lowered_score() -> None:
    photo = Photo("a", 0, boxes=(Found(0.5),))
    (box,) = with_second_look(frame_record(photo), looked(photo, Found(0.95))).boxes
    assert 0.5 < box.score < 0.95
    assert box.box == Found().box


def test_boxes_of_other_categories_are_other_boxes() -> None:
    photo = Photo("a", 0, boxes=(Found(0.5),))
    frame = with_second_look(frame_record(photo), looked(photo, Found(0.9, category=DetectionCategory.PERSON)))
    assert [box.category.value for box in frame.boxes] == ["person", "animal"]


def test_the_vector_of_the_larger_crop_counts_and_another_is_kept() -> None:
    photo = Photo("a", 0, boxes=(Found(0.5, classes=(0.7, 0.1, 0, 0)), Found(0.4, STRONG.box, classes=(0.2, 0, 0, 0))))
    found = looked(photo, Found(0.6, classes=(0.1, 0.8, 0, 0)))
    frame = with_second_look(frame_record(photo), found)
    first, second = (frame.crop_evidence(place) for place in (0, 1))
    assert first is not None
    assert second is not None
    assert first.scores[first.indices == 1] == pytest.approx(0.8, abs=1e-3)
    assert second.scores.tolist() == pytest.approx([0.2], abs=1e-3)


def _row(count: int, score: float, category: DetectionCategory) -> list[Found]:
    own = 0.1 if category is DetectionCategory.ANIMAL else 0.6
    return [Found(score, (0.09 * number, own, 0.05, 0.1), category) for number in range(count)]


@pytest.mark.parametrize("held", [3, STORED_BOXES])
def test_a_person_of_the_second_look_is_kept_however_many_animals_there_are(held: int) -> None:
    animals = _row(held, 0.8, DetectionCategory.ANIMAL)
    more = [Found(0.9, (0.09 * number, 0.4, 0.05, 0.1)) for number in range(STORED_BOXES - held)]
    persons = _row(2, 0.2, DetectionCategory.PERSON)
    frame = with_second_look(frame_record(Photo("a", 0, boxes=tuple(animals))), looked(PHOTOS[0], *more, *persons))
    assert len(frame.boxes) == STORED_BOXES
    assert [box.box for box in frame.boxes if box.category is DetectionCategory.PERSON] == [one.box for one in persons]
    assert {frame.boxes[place].box for place in frame.second_look_boxes} >= {one.box for one in persons}


@lru_cache(maxsize=1)
def _boxes() -> st.SearchStrategy[Found]:
    sides = st.floats(0.05, 0.4)
    boxes = st.tuples(st.floats(0, 0.6), st.floats(0, 0.6), sides, sides)
    return st.builds(Found, st.floats(0.01, 1), boxes, st.sampled_from(list(DetectionCategory)))


@given(st.lists(_boxes(), max_size=6), st.lists(_boxes(), max_size=6))
def test_evidence_is_added_and_none_is_taken_away(first: list[Found], second: list[Found]) -> None:
    photo = Photo("a", 0, boxes=tuple(first))
    plain, found = frame_record(photo), looked(photo, *second)
    frame = with_second_look(plain, found)
    assert with_second_look(plain, found) == frame
    has_room = len(first) + len(second) <= STORED_BOXES
    for box in plain.boxes:
        if has_room or box.category is DetectionCategory.PERSON:
            assert any(held.box == box.box and held.score >= box.score for held in frame.boxes)
    assert [box.score for box in frame.boxes] == sorted((box.score for box in frame.boxes), reverse=True)


# Frames and second looks in any order.

LOOKS = [
    completed("a", "b"),
    completed("d", boxes=(Found(0.3),), name="snd-2"),
    completed("a", boxes=(WEAK,), at=7, name="snd-3"),
    completed("b", version="2", at=-7, name="snd-4"),
]


def outcome(camera: Camera) -> list[tuple[object, ...]]:
    """What a subscriber has in the end, apart from how it came about."""
    return [
        (
            event.burst_id,
            event.category,
            event.animal_probability,
            event.best_crop and event.best_crop.image_id,
            [(frame.image_id, frame.second_look, frame.boxes) for frame in event.frames],
        )
        for _, event in sorted(camera.settled().items())
    ]


@settings(max_examples=60)
@given(st.permutations([*PHOTOS, *LOOKS]), st.lists(st.sampled_from(LOOKS), max_size=3))
def test_the_verdict_does_not_depend_on_the_order_and_repetitions_change_nothing(
    order: list[Photo | SecondLookCompleted], repeated: list[SecondLookCompleted]
) -> None:
    def run(items: list[Photo | SecondLookCompleted]) -> Camera:
        camera = Camera()
        for at, item in enumerate(items):
            if isinstance(item, Photo):
                camera.arrive(item, at)
            else:
                look(camera, item, at)
        camera.tick(300)
        return camera

    camera = run([*order, *repeated])
    assert outcome(camera) == outcome(run([*PHOTOS, *LOOKS]))
    before = len(camera.pending)
    for event in LOOKS:
        look(camera, event, 301)
    assert len(camera.pending) == before


# Crashes.


def played(log: Log, crash_after: int) -> bool:
    """Frames and second looks through workers, of which the first dies after so many writes. False: none died."""
    items: list[Photo | SecondLookCompleted] = [LOOKS[1], *PHOTOS[:2], LOOKS[0], *PHOTOS[2:], LOOKS[2]]
    place, died = 0, False
    log.left = crash_after
    while True:
        engine = make_engine(log.records)
        engine.start({PARTITION: sum(isinstance(item, Photo) for item in items[:place])})
        try:
            log.carry_out(engine.take_updates())
            while place < len(items):
                item, now = items[place], LOG + timedelta(seconds=place)
                if isinstance(item, Photo):
                    engine.process_prediction(PARTITION, place, predicted(item), now)
                else:
                    engine.process_second_look(PARTITION, item, now)
                log.carry_out(engine.take_updates())
                place += 1
        except Crash:
            died, log.left = True, 10**9
        else:
            return died


def test_a_crash_after_any_write_ends_in_the_same_results_and_the_same_state() -> None:
    quiet = Log()
    played(quiet, 10**9)
    assert any(event.changes for event in quiet.sent)
    crashes = 0
    while True:
        log = Log()
        if not played(log, crashes):
            break
        assert sent_events(log) == sent_events(quiet), f"crash after {crashes} writes"
        assert log.records == quiet.records, f"crash after {crashes} writes"
        crashes += 1
    assert crashes > 20


def test_a_second_look_in_the_wrong_partition_is_refused() -> None:
    with pytest.raises(PermanentError, match="does not belong"):
        make_engine().process_second_look((PARTITION + 1) % 4, LOOKS[0], LOG)
