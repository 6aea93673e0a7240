"""One photograph, one frame: what a later upload replaces, what moved to another camera, what came in two sizes."""

from dataclasses import replace
from itertools import permutations

import pytest

from tests.unit.processors.bursts.builders import Camera, Photo, images
from uncia.events import BurstResolved, BurstStatus

FIRST = Photo("first", 0, 1, 3, event=5, serial="S")
THIRD = Photo("third", 2, 3, 3, event=5, serial="S")
HALF = Photo("half", 1, 2, 3, event=5, serial="S", file="RCNX0002.JPG", rejected=True)
WHOLE = Photo("whole", 1, 2, 3, event=5, serial="S", file="RCNX0002.JPG", uploaded=3)
EMPTY = Photo("empty", 5000, file="IMG_0009.JPG", rejected=True, reason="image-empty")
LATER = Photo("later", -9000, file="IMG_0009.JPG", uploaded=9)


def settled(photos: list[Photo], every_s: float = 0) -> list[BurstResolved]:
    """The bursts that exist after these have arrived one after the other, followed by silence."""
    camera = Camera()
    for place, photo in enumerate(photos):
        camera.apply(photo, place * every_s)
    camera.tick(len(photos) * every_s + 60)
    check(camera)
    return list(camera.settled().values())


def check(camera: Camera) -> None:
    """What every subscriber relies on: revisions rise by one, and a superseded id stays superseded."""
    last: dict[str, int] = {}
    retired: set[str] = set()
    for event in camera.events:
        assert event.revision == last.get(event.burst_id, 0) + 1
        assert event.burst_id not in retired
        last[event.burst_id] = event.revision
        if event.status is BurstStatus.SUPERSEDED:
            retired.add(event.burst_id)
    for event in camera.settled().values():
        assert event.closed_at is not None


@pytest.mark.parametrize("every_s", [0, 1, 40])
@pytest.mark.parametrize(
    "order", list(permutations([FIRST, HALF, WHOLE, THIRD])), ids=lambda order: "-".join(photo.name for photo in order)
)
def test_half_a_file_then_the_whole_one_is_one_readable_frame_in_any_order(
    order: tuple[Photo, ...], every_s: float
) -> None:
    (burst,) = settled(list(order), every_s)
    assert images(burst) == ["first", "whole", "third"]
    assert (burst.unreadable, burst.expected_frames) == (0, 3)


def test_a_final_burst_is_revised_when_the_whole_file_follows() -> None:
    camera = Camera()
    for photo in (FIRST, HALF, THIRD):
        camera.arrive(photo, 0)
    (event,) = camera.arrive(WHOLE, 300)
    assert (event.status, event.unreadable, images(event)) == (BurstStatus.REVISED, 0, ["first", "whole", "third"])
    assert "img-half was replaced by img-whole" in event.changes
    assert camera.arrive(HALF, 301) == [], "a repetition of the half changes nothing"


@pytest.mark.parametrize("order", [(EMPTY, LATER), (LATER, EMPTY)])
def test_an_empty_file_then_the_whole_one_leaves_no_burst_of_nothing(order: tuple[Photo, ...]) -> None:
    (burst,) = settled(list(order), 40)
    assert images(burst) == ["later"]
    assert burst.unreadable == 0


def test_a_burst_that_loses_its_only_frame_names_its_successor() -> None:
    camera = Camera()
    (before,) = camera.arrive(EMPTY, 0)
    camera.tick(30)
    superseded, after = camera.arrive(LATER, 40)
    assert (superseded.status, superseded.burst_id) == (BurstStatus.SUPERSEDED, before.burst_id)
    assert superseded.superseded_by == after.burst_id
    assert after.supersedes == (before.burst_id,)


def test_another_picture_under_the_same_key_takes_the_older_one_out_of_its_burst() -> None:
    old = Photo("old", 1, file="IMG_0001.JPG")
    new = Photo("new", 9000, file="IMG_0001.JPG", uploaded=60)
    for order in permutations([Photo("a", 0), old, Photo("b", 2), new]):
        assert sorted(map(images, settled(list(order)))) == [["a", "b"], ["new"]]


def test_the_last_content_counts_also_when_it_was_there_before() -> None:
    one = Photo("one", 0, file="A.JPG")
    two = Photo("two", 0, file="A.JPG", uploaded=10)
    again = replace(one, uploaded=20)
    for order in permutations([one, two, again]):
        (burst,) = settled(list(order))
        assert images(burst) == ["one"]


def test_the_same_content_under_the_same_key_is_a_repetition() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0), 0)
    camera.tick(30)
    assert camera.arrive(replace(Photo("a", 0), uploaded=50), 60) == []


def test_a_copy_under_another_key_stays_when_the_first_key_is_overwritten() -> None:
    first = Photo("first", 0, image="same", file="A.JPG")
    copy = Photo("copy", 0, image="same", file="B.JPG", uploaded=5)
    other = Photo("other", 5000, file="A.JPG", uploaded=9)
    for order in permutations([first, copy, other]):
        bursts = settled(list(order))
        assert sorted(map(images, bursts)) == [["other"], ["same"]]
        (kept,) = [burst for burst in bursts if images(burst) == ["same"]]
        assert kept.frames[0].upload_id == "upl-copy"


def test_an_upload_whose_object_was_gone_replaces_nothing() -> None:
    seen = Photo("seen", 0, file="A.JPG")
    gone = Photo("gone", 700, file="A.JPG", uploaded=9, rejected=True, reason="object-missing")
    for order in ([seen, gone], [gone, seen]):
        (burst,) = settled(order)
        assert images(burst) == ["seen"]


def test_a_key_that_is_written_over_and_over_keeps_the_state_small() -> None:
    camera = Camera()
    for number in range(300):
        camera.arrive(Photo(f"{number}", number, file="latest.jpg", uploaded=number), number)
    camera.tick(400)
    assert len(camera.state.versions) < 20
    assert [images(event) for event in camera.settled().values()] == [["299"]]
    check(camera)


MOVED = Photo("b", 1, rejected=True, reason="object-moved")


@pytest.mark.parametrize("reason", ["object-moved", "image-forgotten"])
def test_a_photograph_that_moved_to_another_camera_or_is_forgotten_leaves_its_burst_in_any_order(reason: str) -> None:
    gone = replace(MOVED, reason=reason)
    for order in permutations([Photo("a", 0), Photo("b", 1), Photo("c", 2), gone]):
        (burst,) = settled(list(order))
        assert images(burst) == ["a", "c"]


@pytest.mark.parametrize("reason", ["object-moved", "image-forgotten"])
def test_a_burst_whose_only_photograph_moved_or_is_forgotten_is_withdrawn(reason: str) -> None:
    camera = Camera()
    (before,) = camera.arrive(Photo("b", 1), 0)
    camera.tick(30)
    (event,) = camera.arrive(replace(MOVED, reason=reason), 40)
    assert (event.status, event.superseded_by, event.frames) == (BurstStatus.SUPERSEDED, None, ())
    assert (event.burst_id, event.revision) == (before.burst_id, 3)
    assert camera.arrive(Photo("b", 1), 50) == [], "a repetition does not bring it back"
    assert len(camera.state.versions) == 0


def test_half_a_file_does_not_come_back_when_the_whole_one_moved() -> None:
    moved = replace(WHOLE, rejected=True, reason="object-moved")
    for order in permutations([FIRST, HALF, WHOLE, moved]):
        (burst,) = settled(list(order))
        assert images(burst) == ["first"]


def test_a_photograph_that_is_moved_back_is_a_frame_again_under_another_burst_id() -> None:
    camera = Camera()
    (before,) = camera.arrive(Photo("b", 1), 0)
    camera.arrive(MOVED, 1)
    (again,) = camera.arrive(replace(Photo("b", 1), uploaded=100), 100)
    assert images(again) == ["b"]
    assert again.burst_id != before.burst_id


def test_a_changed_object_is_no_frame_and_no_answer_to_anything() -> None:
    camera = Camera()
    assert camera.arrive(Photo("a", 0, rejected=True, reason="object-changed"), 0) == []
    assert len(camera.state.versions) == 0


SENT = [Photo(f"sent{n}", n, file=f"sent/PICT000{n}.JPG", size=(320, 240)) for n in (1, 2, 3)]
CARD = [Photo(f"card{n}", n, file=f"card/PICT000{n}.jpg", size=(960, 720), uploaded=9) for n in (1, 2, 3)]


def test_the_large_picture_from_the_card_replaces_the_small_one_that_was_sent() -> None:
    for order in ([*SENT, *CARD], [*CARD, *SENT], [SENT[0], *CARD, SENT[2], SENT[1]]):
        for every_s in (0, 30):
            (burst,) = settled(list(order), every_s)
            assert images(burst) == ["card1", "card2", "card3"]


@pytest.mark.parametrize(
    "other",
    [
        Photo("other", 1, file="card/PICT0002.JPG", size=(960, 720)),
        Photo("other", 2, file="card/PICT0001.JPG", size=(960, 720)),
        Photo("other", 1, file="card/PICT0001.JPG", size=(960, 540)),
        Photo("other", 1, file="card/PICT0001.JPG", size=(320, 240)),
        Photo("other", 1, file="card/PICT0001.JPG", size=(960, 720), make="Elsewhere", camera_model="X"),
    ],
    ids=["another name", "another second", "another shape", "the same size", "another camera"],
)
def test_what_is_not_the_same_photograph_in_another_size_stays(other: Photo) -> None:
    small = Photo("small", 1, file="sent/PICT0001.JPG", size=(320, 240), make="Spypoint", camera_model="Flex")
    assert sum(len(event.frames) for event in settled([small, other])) == 2


def test_small_pictures_may_be_rounded_to_whole_blocks() -> None:
    small = Photo("small", 1, file="PICT0001.JPG", size=(320, 179))
    large = Photo("large", 1, file="c/PICT0001.JPG", size=(1920, 1080))
    (burst,) = settled([small, large])
    assert images(burst) == ["large"]
