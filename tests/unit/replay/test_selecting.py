"""Which photographs a replay takes."""

from datetime import UTC, datetime

import pytest

from producers.replay.selection import Selection, time_of
from tests.unit.replay.replay_making import uploaded

OURS = "ridge/north/2026/05/16/20260516T053617067-8a217de04181c1ad.jpg"


def test_nothing_given_selects_everything() -> None:
    assert Selection().takes(uploaded("whatever.jpg"))


def test_our_gateways_keys_tell_the_capture_time() -> None:
    assert time_of(uploaded(OURS)) == datetime(2026, 5, 16, 5, 36, 17, 67000)


def test_other_keys_leave_the_moment_of_the_upload() -> None:
    at = datetime(2026, 6, 3, 10, tzinfo=UTC)
    assert time_of(uploaded("ridge/north/IMG_0001.JPG", at=at)) == datetime(2026, 6, 3, 10)


@pytest.mark.parametrize(
    ("since", "until", "taken"),
    [
        ("2026-05-16T05:36:17", None, True),
        ("2026-05-16T05:36:18", None, False),
        (None, "2026-05-16T05:36:18", True),
        (None, "2026-05-16T05:36:17.067", False),
    ],
)
def test_since_is_inclusive_and_until_is_not(since: str | None, until: str | None, taken: bool) -> None:
    selection = Selection.model_validate({"since": since, "until": until})
    assert selection.takes(uploaded(OURS)) is taken


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(cameras=("ridge/north",)), True),
        (Selection(cameras=("ridge/*",)), True),
        (Selection(cameras=("ridge/south",)), False),
        (Selection(stations=("ridge",)), True),
        (Selection(stations=("valley",)), False),
        (Selection(stations=("valley",), cameras=("*/north",)), True),
    ],
)
def test_cameras_and_stations_are_chosen_by_name_or_pattern(selection: Selection, taken: bool) -> None:
    assert selection.takes(uploaded(OURS)) is taken


def test_a_camera_is_selected_in_every_unicode_form() -> None:
    stored = uploaded("ho\u0308he/north/1.jpg", camera="ho\u0308he/north")
    assert Selection(cameras=("h\u00f6he/*",)).takes(stored)
    assert Selection(stations=("h\u00f6he ",)).takes(stored)
    assert not Selection(stations=("hohe",)).takes(stored)
