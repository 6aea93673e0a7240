"""One photograph, one frame: what a later upload replaces, what moved to another camera, what came in two sizes."""

from dataclasses import replace
from itertools import permutations

import pytest

from tests.unit.processors.bursts.burst_making import Camera, Shot, images
from uncia.events import BurstResolved, BurstStatus

FIRST = Shot("first", 0, 1, 3, event=5, serial="S")
THIRD = Shot("third", 2, 3, 3, event=5, serial="S")
HALF = Shot("half", 1, 2, 3, event=5, serial="S", file="RCNX0002.JPG", rejected=True)
WHOLE = Shot("whole", 1, 2, 3, event=5, serial="S", file="RCNX0002.JPG", uploaded=3)
EMPTY = Shot("empty", 5000, file="IMG_0009.JPG", rejected=True, reason="image-empty")
LATER = Shot("later", -9000, file="IMG_0009.JPG", uploaded=9)


def settled(shots: list[Shot], every_s: float = 0) -> list[BurstResolved]:
    """Bursts that stand once these have come, one after the other, and silence after them."""
    camera = Camera()
    for place, shot in enumerate(shots):
        camera.take(shot, place * every_s)
    camera.tick(len(shots) * every_s + 60)
    check(camera)
    return list(camera.settled().values())


def check(camera: Camera) -> None:
    """What every reader relies on: revisions rise by one, and a superseded id stays superseded."""
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
    "order", list(permutations([FIRST, HALF, WHOLE, THIRD])), ids=lambda order: "-".join(shot.name for shot in order)
)
def test_half_a_file_then_the_whole_one_is_one_readable_frame_in_any_order(
    order: tuple[Shot, ...], every_s: float
) -> None:
    (burst,) = settled(list(order), every_s)
    assert images(burst) == ["first", "whole", "third"]
    assert (burst.unreadable, burst.expected_frames) == (0, 3)


def test_a_final_burst_is_revised_when_the_whole_file_follows() -> None:
    camera = Camera()
    for shot in (FIRST, HALF, THIRD):
        camera.frame(shot, 0)
    (event,) = camera.frame(WHOLE, 300)
    assert (event.status, event.unreadable, images(event)) == (BurstStatus.REVISED, 0, ["first", "whole", "third"])
    assert "img-half was replaced by img-whole" in event.changes
    assert camera.frame(HALF, 301) == [], "a repetition of the half changes nothing"


@pytest.mark.parametrize("order", [(EMPTY, LATER), (LATER, EMPTY)])
def test_an_empty_file_then_the_whole_one_leaves_no_burst_of_nothing(order: tuple[Shot, ...]) -> None:
    (burst,) = settled(list(order), 40)
    assert images(burst) == ["later"]
    assert burst.unreadable == 0


def test_a_burst_that_loses_its_only_frame_names_its_heir() -> None:
    camera = Camera()
    (before,) = camera.frame(EMPTY, 0)
    camera.tick(30)
    superseded, after = camera.frame(LATER, 40)
    assert (superseded.status, superseded.burst_id) == (BurstStatus.SUPERSEDED, before.burst_id)
    assert superseded.superseded_by == after.burst_id
    assert after.supersedes == (before.burst_id,)


def test_another_picture_under_the_same_key_takes_the_older_one_out_of_its_burst() -> None:
    old = Shot("old", 1, file="IMG_0001.JPG")
    new = Shot("new", 9000, file="IMG_0001.JPG", uploaded=60)
    for order in permutations([Shot("a", 0), old, Shot("b", 2), new]):
        assert sorted(map(images, settled(list(order)))) == [["a", "b"], ["new"]]


def test_the_last_content_counts_also_when_it_was_there_before() -> None:
    one = Shot("one", 0, file="A.JPG")
    two = Shot("two", 0, file="A.JPG", uploaded=10)
    again = replace(one, uploaded=20)
    for order in permutations([one, two, again]):
        (burst,) = settled(list(order))
        assert images(burst) == ["one"]


def test_the_same_content_under_the_same_key_is_a_repetition() -> None:
    camera = Camera()
    camera.frame(Shot("a", 0), 0)
    camera.tick(30)
    assert camera.frame(replace(Shot("a", 0), uploaded=50), 60) == []


def test_a_copy_under_another_key_stays_when_the_first_key_is_overwritten() -> None:
    first = Shot("first", 0, image="same", file="A.JPG")
    copy = Shot("copy", 0, image="same", file="B.JPG", uploaded=5)
    other = Shot("other", 5000, file="A.JPG", uploaded=9)
    for order in permutations([first, copy, other]):
        bursts = settled(list(order))
        assert sorted(map(images, bursts)) == [["other"], ["same"]]
        (kept,) = [each for each in bursts if images(each) == ["same"]]
        assert kept.frames[0].upload_id == "upl-copy"


def test_an_upload_whose_object_was_gone_replaces_nothing() -> None:
    seen = Shot("seen", 0, file="A.JPG")
    gone = Shot("gone", 700, file="A.JPG", uploaded=9, rejected=True, reason="object-missing")
    for order in ([seen, gone], [gone, seen]):
        (burst,) = settled(order)
        assert images(burst) == ["seen"]


def test_a_key_that_is_written_over_and_over_keeps_the_state_small() -> None:
    camera = Camera()
    for number in range(300):
        camera.frame(Shot(f"{number}", number, file="latest.jpg", uploaded=number), number)
    camera.tick(400)
    assert camera.state.size < 20
    assert [images(event) for event in camera.settled().values()] == [["299"]]
    check(camera)


MOVED = Shot("b", 1, rejected=True, reason="object-moved")


def test_a_photograph_that_moved_to_another_camera_leaves_its_burst_in_any_order() -> None:
    for order in permutations([Shot("a", 0), Shot("b", 1), Shot("c", 2), MOVED]):
        (burst,) = settled(list(order))
        assert images(burst) == ["a", "c"]


def test_a_burst_whose_only_photograph_moved_is_withdrawn() -> None:
    camera = Camera()
    (before,) = camera.frame(Shot("b", 1), 0)
    camera.tick(30)
    (event,) = camera.frame(MOVED, 40)
    assert (event.status, event.superseded_by, event.frames) == (BurstStatus.SUPERSEDED, None, ())
    assert (event.burst_id, event.revision) == (before.burst_id, 3)
    assert camera.frame(Shot("b", 1), 50) == [], "a repetition does not bring it back"
    assert camera.state.size == 0


def test_half_a_file_does_not_come_back_when_the_whole_one_moved() -> None:
    moved = replace(WHOLE, rejected=True, reason="object-moved")
    for order in permutations([FIRST, HALF, WHOLE, moved]):
        (burst,) = settled(list(order))
        assert images(burst) == ["first"]


def test_a_photograph_that_is_moved_back_is_a_frame_again_under_another_burst_id() -> None:
    camera = Camera()
    (before,) = camera.frame(Shot("b", 1), 0)
    camera.frame(MOVED, 1)
    (again,) = camera.frame(replace(Shot("b", 1), uploaded=100), 100)
    assert images(again) == ["b"]
    assert again.burst_id != before.burst_id


def test_a_changed_object_is_no_frame_and_no_answer_to_anything() -> None:
    camera = Camera()
    assert camera.frame(Shot("a", 0, rejected=True, reason="object-changed"), 0) == []
    assert camera.state.size == 0


SENT = [Shot(f"sent{n}", n, file=f"sent/PICT000{n}.JPG", size=(320, 240)) for n in (1, 2, 3)]
CARD = [Shot(f"card{n}", n, file=f"card/PICT000{n}.jpg", size=(960, 720), uploaded=9) for n in (1, 2, 3)]


def test_the_large_picture_from_the_card_replaces_the_small_one_that_was_sent() -> None:
    for order in ([*SENT, *CARD], [*CARD, *SENT], [SENT[0], *CARD, SENT[2], SENT[1]]):
        for every_s in (0, 30):
            (burst,) = settled(list(order), every_s)
            assert images(burst) == ["card1", "card2", "card3"]


@pytest.mark.parametrize(
    "other",
    [
        Shot("other", 1, file="card/PICT0002.JPG", size=(960, 720)),
        Shot("other", 2, file="card/PICT0001.JPG", size=(960, 720)),
        Shot("other", 1, file="card/PICT0001.JPG", size=(960, 540)),
        Shot("other", 1, file="card/PICT0001.JPG", size=(320, 240)),
        Shot("other", 1, file="card/PICT0001.JPG", size=(960, 720), make="Elsewhere", camera_model="X"),
    ],
    ids=["another name", "another second", "another shape", "the same size", "another camera"],
)
def test_what_is_not_the_same_photograph_in_another_size_stays(other: Shot) -> None:
    small = Shot("small", 1, file="sent/PICT0001.JPG", size=(320, 240), make="Spypoint", camera_model="Flex")
    assert sum(len(event.frames) for event in settled([small, other])) == 2


def test_small_pictures_may_be_rounded_to_whole_blocks() -> None:
    small = Shot("small", 1, file="PICT0001.JPG", size=(320, 179))
    large = Shot("large", 1, file="c/PICT0001.JPG", size=(1920, 1080))
    (burst,) = settled([small, large])
    assert images(burst) == ["large"]
