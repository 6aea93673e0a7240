"""Names that cannot be distinguished by eye have one canonical spelling."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.camtrap.names import camera_matches, canonical_camera, canonical_name


@pytest.mark.parametrize(
    "spelling",
    [
        "ho\u0308he 1",  # macOS
        " höhe 1 ",
        "höhe\u00a01",  # no-break space
        "höhe\u20091",
        "höhe  1",
        "\ufeffhöhe 1",  # byte order mark
        "hö\u200bhe 1\u200e",  # no width; left-to-right mark
        "hö\u00adhe 1",  # soft hyphen
        "ho\u200d\u0308he 1\ufe0f",
        "höhe\u30001",  # ideographic space
    ],
)
def test_spellings_that_look_the_same_are_one_name(spelling: str) -> None:
    assert canonical_name(spelling) == "höhe 1"


@pytest.mark.parametrize("other", ["Höhe 1", "hohe 1", "höhe-1", "höhe_1", "höhe １", "höhe¹", "höhe1"])
def test_spellings_that_look_different_are_two_names(other: str) -> None:
    assert canonical_name(other) != canonical_name("höhe 1")


def test_control_characters_stay_to_be_refused() -> None:
    assert canonical_name("a\tb\x00") == "a\tb\x00"


@given(st.text())
def test_a_canonical_name_is_its_own_and_equivalent_texts_share_it(text: str) -> None:
    name = canonical_name(text)
    assert canonical_name(name) == name
    assert canonical_name(unicodedata.normalize("NFD", text)) == name


@pytest.mark.parametrize("wanted", ["", "h\u00f6he", "ho\u0308he/", "ho\u0308he/cam", " höhe/cam "])
def test_a_filter_takes_a_camera_by_its_name_or_its_station(wanted: str) -> None:
    assert camera_matches(wanted, "h\u00f6he/cam")
    assert camera_matches(wanted, "ho\u0308he/cam")


@pytest.mark.parametrize("wanted", ["h", "höhe/ca", "höhe/cam2", "hohe"])
def test_a_filter_takes_no_other_camera(wanted: str) -> None:
    assert not camera_matches(wanted, "höhe/cam")


def test_the_levels_of_a_camera_are_names_of_their_own() -> None:
    assert canonical_camera("a /\u200bb") == "a/b"
