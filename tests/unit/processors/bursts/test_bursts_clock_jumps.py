"""Sequences that the camera numbers stay whole when its clock jumps; other sequences stay apart."""

from dataclasses import replace
from itertools import permutations

import pytest

from tests.unit.processors.bursts.builders import Camera, Photo, images
from uncia.events import BurstResolved

HOUR, YEARS = 3600, 230_000_000


def make_photo(number: int, taken: float, **more: object) -> Photo:
    values: dict[str, object] = {"event": 33, "serial": "S", "file": f"RCNX{100 + number:04}.JPG", **more}
    return Photo(f"{values['event']}-{number}-{taken}", taken, number, 3, **values)  # type: ignore[arg-type]


def settled(*photos: Photo) -> list[BurstResolved]:
    camera = Camera()
    for photo in photos:
        camera.apply(photo, 0)
    camera.tick(100)
    return sorted(camera.settled().values(), key=lambda event: event.started_at)


@pytest.mark.parametrize(
    ("second", "third"),
    [(1 - HOUR, 2 - HOUR), (1 + HOUR, 2 + HOUR), (1, 2 - HOUR), (1, 2 + HOUR), (1 - YEARS, 2 - YEARS), (YEARS, YEARS)],
)
@pytest.mark.parametrize("named", [True, False], ids=["file numbers", "no file numbers"])
def test_a_clock_that_jumps_within_a_numbered_sequence_does_not_split_it(
    second: float, third: float, named: bool
) -> None:
    photos = [make_photo(1, 0), make_photo(2, second), make_photo(3, third)]
    if not named:
        names = [f"2026/03/01/20260301T000000{n}00-{n:016x}.jpg" for n in range(3)]
        photos = [replace(photo, file=name) for photo, name in zip(photos, names, strict=True)]
    for order in permutations(photos):
        (burst,) = settled(*order)
        assert images(burst) == [photo.name for photo in photos]
        assert burst.flags == ("clock-jump",)
        assert burst.closed_by == "sequence"
        assert burst.started_at <= burst.ended_at
        assert (burst.ended_at - burst.started_at).total_seconds() < 60


def test_a_sequence_without_a_jump_has_no_flag() -> None:
    (burst,) = settled(make_photo(1, 0), make_photo(2, 20), make_photo(3, 600))
    assert burst.flags == ()


def test_the_captured_times_stay_as_the_camera_wrote_them() -> None:
    (burst,) = settled(make_photo(1, 0), make_photo(2, 1 - HOUR), make_photo(3, 2 - HOUR))
    first, second, _ = burst.frames
    assert (second.captured_at - first.captured_at).total_seconds() == 1 - HOUR


@pytest.mark.parametrize(
    "others",
    [
        [make_photo(2, 1 + 21 * 86400, file="RCNX0402.JPG"), make_photo(3, 2 + 21 * 86400, file="RCNX0403.JPG")],
        [make_photo(2, 1 - HOUR, serial="T"), make_photo(3, 2 - HOUR, serial="T")],
        [make_photo(2, 1 - HOUR, event=34), make_photo(3, 2 - HOUR, event=34)],
        [make_photo(2, 1 - HOUR, file="other/RCNX0102.JPG")],
        [make_photo(1, -HOUR, file="RCNX0098.JPG"), make_photo(2, 1 - HOUR, file="RCNX0099.JPG")],
    ],
    ids=["counters reset weeks apart", "other serial", "other event", "other folder", "the same numbers again"],
)
def test_two_sequences_are_not_merged(others: list[Photo]) -> None:
    for order in permutations([make_photo(1, 0), *others]):
        bursts = settled(*order)
        assert len(bursts) == 2
        assert all("clock-jump" not in burst.flags for burst in bursts)


def test_without_file_numbers_uploads_far_apart_are_not_one_trigger() -> None:
    first = replace(make_photo(1, 0), file="a.jpg")
    second = replace(make_photo(2, 1 - HOUR), file="b.jpg", uploaded=3 * HOUR)
    assert len(settled(first, second)) == 2


def test_a_burst_that_was_final_is_joined_by_the_frames_behind_the_jump() -> None:
    camera = Camera()
    camera.arrive(make_photo(1, 0), 0)
    camera.tick(30)
    (event,) = camera.arrive(make_photo(2, 1 - HOUR), 40)
    assert (event.status, len(event.frames), event.flags) == ("revised", 2, ("clock-jump",))


def test_the_next_trigger_by_the_new_clock_is_a_burst_of_its_own() -> None:
    after = [make_photo(n, 30 - YEARS + n, event=34, file=f"RCNX{103 + n:04}.JPG") for n in (1, 2, 3)]
    bursts = settled(make_photo(1, 0), make_photo(2, -YEARS), make_photo(3, 1 - YEARS), *after)
    assert [len(burst.frames) for burst in bursts] == [3, 3]
    assert [burst.flags for burst in bursts] == [(), ("clock-jump",)]
