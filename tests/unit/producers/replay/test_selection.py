"""Which photographs a replay selects."""

from datetime import UTC, datetime

import pytest

from tests.unit.producers.replay.builders import upload_event
from uncia.errors import SettingsError
from uncia.events import ImageUploaded
from uncia.kafka.broker import Message
from uncia.producers.replay.selection import Selection, capture_time, parse_camera_time
from uncia.producers.replay.selection_check import _SelectionScan

GATEWAY_KEY = "ridge/north/2026/05/16/20260516T053617067-8a217de04181c1ad.jpg"


def test_an_empty_selection_selects_everything() -> None:
    assert Selection().selects(upload_event("whatever.jpg"))


def test_the_capture_time_is_read_from_a_gateways_key() -> None:
    assert capture_time(upload_event(GATEWAY_KEY)) == datetime(2026, 5, 16, 5, 36, 17, 67000)


def test_other_keys_fall_back_to_the_upload_time() -> None:
    at = datetime(2026, 6, 3, 10, tzinfo=UTC)
    assert capture_time(upload_event("ridge/north/IMG_0001.JPG", at=at)) == datetime(2026, 6, 3, 10)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-05-16T05:36:17", None, True),
        ("2026-05-16T05:36:18", None, False),
        (None, "2026-05-16T05:36:18", True),
        (None, "2026-05-16T05:36:17.067", False),
    ],
)
def test_since_is_inclusive_and_until_is_not(since: str | None, until: str | None, expected: bool) -> None:
    selection = Selection.model_validate({"since": since, "until": until})
    assert selection.selects(upload_event(GATEWAY_KEY)) is expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(cameras=("ridge/north",)), True),
        (Selection(cameras=("ridge/*",)), True),
        (Selection(cameras=("ridge/south",)), False),
        (Selection(stations=("ridge",)), True),
        (Selection(stations=("valley",)), False),
        (Selection(stations=("valley",), cameras=("*/north",)), True),
    ],
)
def test_cameras_and_stations_are_chosen_by_name_or_pattern(selection: Selection, expected: bool) -> None:
    assert selection.selects(upload_event(GATEWAY_KEY)) is expected


def test_a_camera_is_selected_in_every_unicode_form() -> None:
    stored = upload_event("ho\u0308he/north/1.jpg", camera="ho\u0308he/north")
    assert Selection(cameras=("h\u00f6he/*",)).selects(stored)
    assert Selection(stations=("h\u00f6he ",)).selects(stored)
    assert not Selection(stations=("hohe",)).selects(stored)


def test_the_capture_time_that_was_read_precedes_key_and_upload() -> None:
    expected = datetime(2026, 5, 1, 10)
    assert capture_time(upload_event("ridge/north/IMG_0001.JPG"), {"upl-1": expected}) == expected
    assert capture_time(upload_event(GATEWAY_KEY), {"upl-1": expected}) == expected
    selection = Selection(since=datetime(2026, 5, 1), until=datetime(2026, 5, 2))
    assert selection.selects(upload_event("ridge/north/IMG_0001.JPG"), {"upl-1": expected})
    assert not selection.selects(upload_event("ridge/north/IMG_0001.JPG"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01", datetime(2026, 5, 1)),
        ("2026-05-01T10:30", datetime(2026, 5, 1, 10, 30)),
        (" 2026-05-01 10:30:00.250 ", datetime(2026, 5, 1, 10, 30, 0, 250_000)),
    ],
)
def test_a_date_alone_is_its_first_moment(text: str, moment: datetime) -> None:
    assert parse_camera_time(text) == moment


@pytest.mark.parametrize("text", ["2026-05-01T10:00:00Z", "2026-05-01T10:00:00+05:45"])
def test_a_time_zone_is_refused_since_a_cameras_clock_has_none(text: str) -> None:
    with pytest.raises(SettingsError, match="time zone"):
        parse_camera_time(text)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "01.05.2026", "2026-05-01T25:00:00"])
def test_an_invalid_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="2026-05-01"):
        parse_camera_time(text)


def test_the_day_of_until_is_excluded() -> None:
    selection = Selection(until=parse_camera_time("2026-05-16"))
    assert not selection.selects(upload_event(GATEWAY_KEY))
    assert Selection(until=parse_camera_time("2026-05-17")).selects(upload_event(GATEWAY_KEY))


@pytest.mark.parametrize("until", ["2026-05-01", "2026-04-30"])
def test_an_empty_time_range_is_refused(until: str) -> None:
    with pytest.raises(SettingsError, match="is not before"):
        Selection(since=parse_camera_time("2026-05-01"), until=parse_camera_time(until)).check_time_range()


def test_names_match_in_any_unicode_form_and_patterns_match_themselves() -> None:
    assert Selection(cameras=("hu\u0308tte/nord",)).selects(upload_event("k", camera="h\u00fctte/nord"))
    assert Selection(cameras=("ridge/[old]",)).selects(upload_event("k", camera="ridge/[old]"))


def refusal(selection: Selection, *uploads: ImageUploaded) -> str | None:
    """Why the selection is refused for a log of these uploads; None where it is accepted."""
    scan = _SelectionScan(selection)
    for upload in uploads:
        if scan.add(Message("t", 0, 0, 0, None, upload.to_bytes(), []), {}):
            return None
    return scan.refusal()


def test_an_unknown_camera_is_refused_with_similar_names() -> None:
    uploads = [upload_event(GATEWAY_KEY), upload_event(GATEWAY_KEY, camera="valley/ford")]
    assert refusal(Selection(cameras=("rigde/*",)), *uploads) == (
        "no photograph is of the camera rigde/*: did you mean ridge/*?"
    )
    assert "there are ridge/north, valley/ford" in str(refusal(Selection(stations=("zzz",)), *uploads))
    # Another name that does select something does not hide it.
    assert "rigde/north" in str(refusal(Selection(cameras=("valley/*", "rigde/north")), *uploads))
    assert refusal(Selection(cameras=("valley/*", "ridge/north")), *uploads) is None


def test_a_time_range_without_photographs_is_refused_with_the_existing_range() -> None:
    message = refusal(Selection(since=datetime(2027, 1, 1), cameras=("ridge/*",)), upload_event(GATEWAY_KEY))
    assert "2026-05-16 05:36:17" in str(message)
    assert refusal(Selection()) == "nothing to replay: no photograph has been uploaded yet"
    assert refusal(Selection(), upload_event(GATEWAY_KEY)) is None
