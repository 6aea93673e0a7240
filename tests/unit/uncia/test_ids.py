"""Ids are derived: the same input gives the same id, on every machine, for ever."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia import ids

AT = datetime(2026, 3, 14, 7, 15, 30, 500000)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (ids.upload_id("camera-uploads", "ridge/cam-07/a.jpg", "etag"), "upl-c0a21f60516208227667ad78"),
        (ids.image_id("ridge/cam-07", "00" * 32), "img-73a13ad8ff57d70c40d7a561"),
        (ids.burst_id("ridge/cam-07", "motion", AT, "img-1"), "bst-8cb704cbfe28d1102102fbda"),
        (ids.settings_digest('{"focus": []}'), "set-e5d7dd6730d27959e00759b5"),
    ],
)
def test_ids_never_change_from_one_release_to_the_next(made: str, expected: str) -> None:
    # Written once; a catalogue full of events rests on them.
    assert made == expected


def test_an_id_tells_its_kind_and_carries_96_bits() -> None:
    kind, _, digest = ids.image_id("ridge/cam-07", "00" * 32).partition("-")
    assert kind == "img"
    assert len(bytes.fromhex(digest)) == 12


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), (("a", ""), ("", "a")), (("a",), ("a", "")), (("a/b",), ("a", "b"))],
)
def test_parts_are_framed_so_that_shifting_a_border_changes_the_id(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert ids.digest(*one) != ids.digest(*other)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_two_lists_of_parts_share_an_id_only_when_they_are_the_same(one: list[str], other: list[str]) -> None:
    assert (ids.digest(*one) == ids.digest(*other)) == (one == other)


def test_text_and_its_utf8_bytes_are_the_same_part() -> None:
    assert ids.digest("Ирбис") == ids.digest("Ирбис".encode())


def test_an_exact_copy_is_the_same_image_whatever_it_is_called() -> None:
    sha256 = ids.content_hash(b"photograph")
    assert ids.image_id("ridge/cam-07", sha256) == ids.image_id("ridge/cam-07", sha256)
    assert ids.image_id("ridge/cam-08", sha256) != ids.image_id("ridge/cam-07", sha256)


def test_a_key_that_is_written_again_is_another_upload() -> None:
    assert ids.upload_id("b", "k", "etag-1") != ids.upload_id("b", "k", "etag-2")


def test_motion_and_time_lapse_never_share_a_burst() -> None:
    assert ids.burst_id("c", "motion", AT, "img-1") != ids.burst_id("c", "time-lapse", AT, "img-1")
