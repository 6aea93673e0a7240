"""Verdicts on clocks with and without faults."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.processors.clock_health.builders import NEPAL_MINUTES, NOON, Bench, codes, deployed, frame, live
from uncia.events import CaptureTimeSource, ClockVerdict, ImagePredicted
from uncia.processors.clock_health.findings import format_duration

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEARS = timedelta(days=365)


def card(occasions: int, shown_from: datetime, read_at: datetime, **capture: Any) -> list[ImagePredicted]:
    """A card that is read in one go, an occasion every three hours."""
    return [
        frame(shown_from + at * 3 * HOUR, read_at + timedelta(seconds=at), event_number=at + 1, **capture)
        for at in range(occasions)
    ]


def test_a_few_occasions_are_too_few_for_a_verdict() -> None:
    assert Bench().feed(live(4)).now().verdict is ClockVerdict.UNKNOWN


def test_a_live_camera_with_a_right_clock_is_ok() -> None:
    found = Bench(deployed()).feed(live(40, zone_minutes=NEPAL_MINUTES, lamp=True)).now()
    assert (found.verdict, found.reasons, found.offset_s) == (ClockVerdict.OK, (), None)


def test_a_card_that_comes_three_weeks_late_is_ok() -> None:
    assert Bench().feed(card(60, datetime(2026, 5, 1), NOON + 21 * DAY)).now().verdict is ClockVerdict.OK


@pytest.mark.parametrize("year", [1970, 1980, 1999, 2000])
def test_a_clock_that_was_reset_is_wrong(year: int) -> None:
    found = Bench().feed(card(20, datetime(year, 1, 1), NOON)).now()
    assert found.verdict is ClockVerdict.WRONG
    assert codes(found) == ["year-reset"]
    assert str(year) in found.reasons[0].text


def test_a_clock_in_2070_is_wrong_and_ahead() -> None:
    found = Bench().feed(card(20, datetime(2070, 1, 1), NOON)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.WRONG, ["ahead"])
    assert "2070" in found.reasons[0].text
    assert found.offset_s == pytest.approx((datetime(2070, 1, 1, tzinfo=UTC) - NOON).total_seconds(), rel=0.01)


def test_without_a_deployment_only_what_no_zone_explains_is_ahead() -> None:
    assert Bench().feed(live(6, ahead=13 * HOUR)).now().verdict is ClockVerdict.OK
    assert codes(Bench().feed(live(6, ahead=15 * HOUR)).now()) == ["ahead"]


def test_with_a_deployment_minutes_count() -> None:
    found = Bench(deployed()).feed(live(6, ahead=timedelta(minutes=10), zone_minutes=NEPAL_MINUTES)).now()
    assert codes(found) == ["ahead"]
    assert found.offset_s == pytest.approx(600, abs=10)


def test_a_delay_that_never_changes_is_a_clock_that_is_behind() -> None:
    found = Bench(deployed()).feed(live(12, ahead=-100 * DAY, zone_minutes=NEPAL_MINUTES)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.WRONG, ["behind"])
    assert found.offset_s == pytest.approx(-100 * 86400, abs=10)


def test_a_gateway_that_uploads_once_a_day_is_no_clock_that_is_behind() -> None:
    frames = [event for day in range(4) for event in card(8, datetime(2026, 5, 1 + day), NOON + day * DAY)]
    assert Bench(deployed()).feed(frames).now().verdict is ClockVerdict.OK


def test_a_live_camera_in_another_zone_than_its_deployment_says() -> None:
    found = Bench(deployed(minutes=0)).feed(live(12, zone_minutes=NEPAL_MINUTES)).now()
    assert codes(found) == ["zone"]
    assert found.offset_s == pytest.approx(NEPAL_MINUTES * 60, abs=10)


def test_very_old_photographs_are_a_hint_and_no_fault() -> None:
    found = Bench().feed(card(20, datetime(2024, 5, 1), NOON)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.OK, ["long-ago"])


@pytest.mark.parametrize("hours", [-11, -6, 4, 6, 12])
def test_a_card_in_a_wrong_zone_is_found_by_its_lamp(hours: int) -> None:
    # A month between recording and reading: arrival is no evidence.
    frames = live(90, ahead=hours * HOUR, zone_minutes=NEPAL_MINUTES, every=53 * timedelta(minutes=1), lamp=True)
    read_at = NOON + 30 * DAY
    late = [
        event.model_copy(update={"uploaded_at": read_at + timedelta(seconds=at)}) for at, event in enumerate(frames)
    ]
    found = Bench(deployed()).feed(late, batch=16).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.WRONG, ["zone"])
    assert found.offset_s == pytest.approx(hours * 3600, abs=3600)


def test_a_lamp_that_is_always_on_is_suspicious_and_no_wrong_zone() -> None:
    found = Bench(deployed()).feed(live(60, zone_minutes=NEPAL_MINUTES, infrared=True)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.SUSPICIOUS, ["sun"])


def test_a_camera_with_white_flash_is_not_assessed_by_its_lamp() -> None:
    found = Bench(deployed()).feed(live(60, zone_minutes=NEPAL_MINUTES, infrared=False)).now()
    assert found.verdict is ClockVerdict.OK


def test_without_a_position_the_sun_is_no_evidence() -> None:
    assert Bench().feed(live(60, infrared=True)).now().evidence.sun == 0


def test_a_clock_that_was_set_back_is_suspicious() -> None:
    found = Bench().feed(live(10) + live(5, begin=NOON + 10 * HOUR, ahead=-60 * DAY, first_event=11)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.SUSPICIOUS, ["backwards"])


def test_a_camera_that_restarts_its_count_after_its_card_was_formatted_is_ok() -> None:
    assert Bench().feed(live(10) + live(10, begin=NOON + 20 * DAY, first_event=1)).now().verdict is ClockVerdict.OK


def test_frames_in_any_order_do_not_run_backwards() -> None:
    frames = card(40, datetime(2026, 5, 1), NOON)
    assert Bench().feed(frames[::-1]).now().verdict is ClockVerdict.OK
    assert Bench().feed(frames[20:] + frames[:20]).now().verdict is ClockVerdict.OK


def test_two_cameras_with_one_id_are_distinguished_by_their_serial_numbers() -> None:
    frames = [
        event
        for pair in zip(live(8, serial="A"), live(8, serial="B", begin=NOON + HOUR / 2), strict=True)
        for event in pair
    ]
    found = Bench().feed(frames).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.SUSPICIOUS, ["two-cameras"])
    assert found.reasons[0].text.startswith("2 cameras, by their serial numbers, alternate")


def test_two_cards_of_two_cameras_with_one_id_are_distinguished_by_their_days() -> None:
    frames = [
        *card(60, datetime(2026, 5, 1), NOON, serial="A"),
        *card(60, datetime(2026, 5, 1), NOON + HOUR, serial="B"),
    ]
    assert codes(Bench().feed(frames, batch=64).now()) == ["two-cameras"]


def test_a_camera_that_replaced_another_is_ok() -> None:
    frames = live(20, serial="A") + live(20, serial="B", begin=NOON + 20 * HOUR)
    assert Bench().feed(frames).now().verdict is ClockVerdict.OK


def test_photographs_without_a_time_are_no_evidence() -> None:
    found = Bench().feed(live(20, time_source=CaptureTimeSource.UPLOAD)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.UNKNOWN, ["no-exif"])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1.4e9, "44 years"), (3 * 86400, "3 days"), (21600, "6 hours"), (3600, "1 hour"), (20700, "5 h 45 min")],
)
def test_durations_are_formatted(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words
