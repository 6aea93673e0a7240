"""Two cameras under one id, and cameras that write no seconds: recognised by their frames, in any order."""

from dataclasses import replace
from itertools import permutations

import pytest

from tests.unit.processors.bursts.builders import Camera, Photo, images
from uncia.events import CaptureTimeSource, Trigger

B1, B2 = (Photo(f"b{n}", 4 * n, make="BUSHNELL", camera_model="119636") for n in (1, 2))
S1, S2 = (Photo(f"s{n}", 4 * n + 2, make="Stealth Cam", camera_model="STC-G42NG") for n in (1, 2))


def settled(photos: list[Photo], every_s: float = 0) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Photographs of each burst, and the flags of the newest."""
    camera = Camera()
    for place, photo in enumerate(photos):
        camera.apply(photo, place * every_s)
    camera.tick(len(photos) * every_s + 60)
    return {tuple(images(event)): event.flags for event in camera.settled().values()}


def test_two_models_without_serial_numbers_that_take_turns_are_kept_apart_and_flagged() -> None:
    for order in permutations([B1, S1, B2, S2]):
        found = settled(list(order))
        assert set(found) == {("b1", "b2"), ("s1", "s2")}
        assert set(found.values()) == {("two-cameras",)}


@pytest.mark.parametrize(
    ("make", "model"),
    [
        (None, None),
        ("BUSHNELL", None),
        (None, "119636"),
        ("Bushnell ", " 119636"),
        ("bushnell\0\0", "119636\0"),
        ("BUSHNELL", "Bushnell 119636"),
        ("BUSHNELL", "119-636"),
    ],
)
def test_a_missing_field_or_a_variant_of_its_spelling_is_no_second_camera(make: str | None, model: str | None) -> None:
    odd = replace(S1, make=make, camera_model=model)
    for order in permutations([B1, odd, B2]):
        assert settled(list(order)) == {("b1", "s1", "b2"): ()}


def test_a_photograph_without_serial_number_is_of_the_camera_whose_model_it_names() -> None:
    a, b = replace(B1, serial="A"), replace(S1, serial="B")
    for order in permutations([a, B2, b, S2]):
        assert set(settled(list(order))) == {("b1", "b2"), ("s1", "s2")}


def test_an_unreadable_photograph_goes_with_the_camera_that_was_first_in_any_order() -> None:
    lost = Photo("lost", 5, rejected=True, trigger=Trigger.UNKNOWN)
    for order in permutations([replace(B1, serial="A"), replace(S1, serial="B"), lost]):
        assert set(settled(list(order))) == {("b1", "lost"), ("s1",)}


def test_a_model_that_follows_another_is_a_camera_that_was_replaced() -> None:
    later = replace(S1, taken=9000)
    assert set(settled([B1, B2, later]).values()) == {()}


def test_placeholders_are_no_serial_numbers() -> None:
    assert settled([replace(B1, serial="00000000"), replace(B2, serial=None)]) == {("b1", "b2"): ()}


def cuddeback(name: str, taken: float, make: str | None = "CUDDEBACK", **more: object) -> Photo:
    return Photo(name, taken, make=make, camera_model="H-1453", **more)  # type: ignore[arg-type]


def test_a_cuddeback_that_writes_seconds_is_divided_by_the_gap() -> None:
    every = [cuddeback("a", 7), cuddeback("b", 9), cuddeback("c", 58), cuddeback("d", 61)]
    for order in permutations(every):
        assert set(settled(list(order))) == {("a", "b"), ("c", "d")}


@pytest.mark.parametrize("make", ["CUDDEBACK", "ACME"])
def test_seconds_that_are_always_00_join_neighbouring_minutes_for_any_make(make: str) -> None:
    every = [cuddeback("a", 0, make), cuddeback("b", 0, make), cuddeback("c", 60, make), cuddeback("d", 60, make)]
    for order in permutations(every):
        assert set(settled(list(order))) == {("a", "b", "c", "d")}


def test_one_photograph_with_seconds_revises_what_was_joined_without() -> None:
    every = [cuddeback("a", 0), cuddeback("b", 60), cuddeback("z", 5000 + 7)]
    for order in permutations(every):
        for every_s in (0, 40):
            assert set(settled(list(order), every_s)) == {("a",), ("b",), ("z",)}


def test_a_time_of_the_key_or_the_upload_shows_no_seconds() -> None:
    lost = cuddeback("x", 31, rejected=True, source=CaptureTimeSource.UPLOAD)
    assert ("a", "x", "b") in settled([cuddeback("a", 0), cuddeback("b", 60), lost])


def test_time_lapse_at_full_minutes_is_not_joined() -> None:
    every = [Photo(f"{n}", 60 * n, trigger=trigger) for n in range(3) for trigger in (Trigger.TIME_LAPSE,)]
    unknown = [Photo(f"u{n}", 60 * n, trigger=Trigger.UNKNOWN) for n in range(3)]
    assert len(settled(every)) == 3
    assert len(settled(unknown)) == 3
