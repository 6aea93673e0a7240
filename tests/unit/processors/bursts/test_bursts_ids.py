"""Burst ids: superseded for good, parts name their origin, and no final event before all numbers are in."""

from itertools import permutations

from tests.unit.processors.bursts.builders import Camera, Photo, images
from uncia.events import BurstStatus, Trigger


def test_a_superseded_id_never_comes_back() -> None:
    camera = Camera()
    (lone,) = camera.arrive(Photo("c", 2, trigger=Trigger.UNKNOWN), 0)
    camera.tick(30)
    camera.arrive(Photo("a", 0, 1, 3, event=1), 31)
    camera.arrive(Photo("b", 1, 1, 3, event=2), 32)
    camera.arrive(Photo("d", 1.5, 1, 3, event=3), 33)
    retired: set[str] = set()
    for event in camera.events:
        assert event.burst_id not in retired
        if event.status is BurstStatus.SUPERSEDED:
            retired.add(event.burst_id)
    assert lone.burst_id in retired
    assert [images(event) for event in camera.settled().values()] == [["a"], ["b"], ["d", "c"]]


def test_a_piece_that_falls_apart_again_takes_a_new_id() -> None:
    camera = Camera()
    (lone,) = camera.arrive(Photo("c", 5), 0)
    camera.arrive(Photo("b", 4, file="B.JPG"), 1)
    camera.arrive(Photo("elsewhere", 5000, file="B.JPG", uploaded=9), 2)
    (present,) = [event for event in camera.settled().values() if images(event) == ["c"]]
    assert present.burst_id != lone.burst_id
    (later,) = camera.arrive(Photo("d", 6), 3)
    assert later.burst_id == present.burst_id


def test_pieces_of_a_split_name_their_origin() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0, 1, 3, event=1), 0)
    (whole,) = camera.arrive(Photo("c", 2, trigger=Trigger.UNKNOWN), 0)
    kept, piece = camera.arrive(Photo("b", 1, 1, 3, event=2), 0)
    assert (kept.burst_id, kept.split_from) == (whole.burst_id, None)
    assert (images(piece), piece.split_from) == (["b", "c"], whole.burst_id)
    (again,) = camera.arrive(Photo("d", 3, trigger=Trigger.UNKNOWN), 1)
    assert again.split_from == whole.burst_id
    closed = camera.tick(60)
    assert {event.split_from for event in closed} == {None, whole.burst_id}


def test_a_merge_is_no_split() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0), 0)
    camera.arrive(Photo("c", 20), 0)
    events = camera.arrive(Photo("b", 10), 0)
    assert {event.split_from for event in events} == {None}


def test_a_numbered_sequence_is_not_final_before_its_numbers_are_in_whatever_overtakes_it() -> None:
    ours = [Photo(f"a{n}", n, n, 3, event=1) for n in (1, 2, 3)]
    later = [Photo(f"b{n}", 500 + n, n, 3, event=2) for n in (1, 2, 3)]
    for order in permutations([*ours, *later]):
        camera = Camera()
        for place, photo in enumerate(order):
            camera.arrive(photo, place)
        finals = [event for event in camera.events if event.status is BurstStatus.FINAL]
        assert sorted(map(images, finals)) == [["a1", "a2", "a3"], ["b1", "b2", "b3"]]
        assert not [event for event in camera.events if event.status is BurstStatus.REVISED]


def test_a_numbered_sequence_whose_rest_never_comes_is_final_after_the_idle_time() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0, 1, 3), 0)
    camera.arrive(Photo("z", 5000), 1)
    (event,) = camera.tick(20)
    assert (event.status, event.closed_by, images(event)) == (BurstStatus.FINAL, "idle", ["a"])
