"""Which photographs a replay takes."""

from datetime import UTC, datetime

import pytest

from tests.unit.producers.replay.replay_making import uploaded
from uncia.errors import SettingsError
from uncia.events import ImageUploaded
from uncia.kafka.broker import Message
from uncia.producers.replay.selection import Selection, camera_time, time_of
from uncia.producers.replay.selection_check import _Seen

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


def test_the_capture_time_that_live_read_counts_before_the_key_and_the_upload() -> None:
    taken = datetime(2026, 5, 1, 10)
    assert time_of(uploaded("ridge/north/IMG_0001.JPG"), {"upl-1": taken}) == taken
    assert time_of(uploaded(OURS), {"upl-1": taken}) == taken
    selection = Selection(since=datetime(2026, 5, 1), until=datetime(2026, 5, 2))
    assert selection.takes(uploaded("ridge/north/IMG_0001.JPG"), {"upl-1": taken})
    assert not selection.takes(uploaded("ridge/north/IMG_0001.JPG"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01", datetime(2026, 5, 1)),
        ("2026-05-01T10:30", datetime(2026, 5, 1, 10, 30)),
        (" 2026-05-01 10:30:00.250 ", datetime(2026, 5, 1, 10, 30, 0, 250_000)),
    ],
)
def test_a_date_alone_is_its_first_moment(text: str, moment: datetime) -> None:
    assert camera_time(text) == moment


@pytest.mark.parametrize("text", ["2026-05-01T10:00:00Z", "2026-05-01T10:00:00+05:45"])
def test_a_time_zone_is_refused_since_a_cameras_clock_has_none(text: str) -> None:
    with pytest.raises(SettingsError, match="time zone"):
        camera_time(text)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "01.05.2026", "2026-05-01T25:00:00"])
def test_what_is_no_time_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(SettingsError, match="2026-05-01"):
        camera_time(text)


def test_the_day_of_until_is_left_out() -> None:
    selection = Selection(until=camera_time("2026-05-16"))
    assert not selection.takes(uploaded(OURS))
    assert Selection(until=camera_time("2026-05-17")).takes(uploaded(OURS))


@pytest.mark.parametrize("until", ["2026-05-01", "2026-04-30"])
def test_a_range_in_which_no_moment_lies_is_refused(until: str) -> None:
    with pytest.raises(SettingsError, match="is not before"):
        Selection(since=camera_time("2026-05-01"), until=camera_time(until)).possible()


def test_names_are_the_same_however_their_letters_are_composed_and_patterns_may_be_names() -> None:
    assert Selection(cameras=("hu\u0308tte/nord",)).takes(uploaded("k", camera="h\u00fctte/nord"))
    assert Selection(cameras=("ridge/[old]",)).takes(uploaded("k", camera="ridge/[old]"))


def refusal(selection: Selection, *uploads: ImageUploaded) -> str | None:
    """Why the selection is refused of these uploads; None where it is not."""
    seen = _Seen(selection)
    for upload in uploads:
        if seen.add(Message("t", 0, 0, 0, None, upload.to_bytes(), []), {}):
            return None
    return seen.refusal()


def test_a_name_that_no_camera_has_is_refused_with_those_that_are_like_it() -> None:
    theirs = [uploaded(OURS), uploaded(OURS, camera="valley/ford")]
    assert refusal(Selection(cameras=("rigde/*",)), *theirs) == (
        "no photograph is of the camera rigde/*: did you mean ridge/*?"
    )
    assert "there are ridge/north, valley/ford" in str(refusal(Selection(stations=("zzz",)), *theirs))
    # Another name that does select something does not hide it.
    assert "rigde/north" in str(refusal(Selection(cameras=("valley/*", "rigde/north")), *theirs))
    assert refusal(Selection(cameras=("valley/*", "ridge/north")), *theirs) is None


def test_times_at_which_nothing_was_taken_are_refused_with_those_at_which_something_was() -> None:
    why = refusal(Selection(since=datetime(2027, 1, 1), cameras=("ridge/*",)), uploaded(OURS))
    assert "2026-05-16 05:36:17" in str(why)
    assert refusal(Selection()) == "nothing to replay: no photograph has been uploaded yet"
    assert refusal(Selection(), uploaded(OURS)) is None
