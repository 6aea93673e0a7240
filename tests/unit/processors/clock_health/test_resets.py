"""A clock that was reset or was set wrongly during a deployment, of a camera without trigger numbers."""

import random
from datetime import datetime, timedelta

import pytest

from tests.unit.processors.clock_health.builders import NEPAL_MINUTES, NOON, Bench, codes, deployed, frame, live
from uncia.events import CaptureTimeSource, ClockVerdict, ImagePredicted

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHOWN = NOON.replace(tzinfo=None)


def card(
    count: int, shown_from: datetime, *, every: timedelta = HOUR, read_after: timedelta = DAY, apart_s: float = 0.2
) -> list[ImagePredicted]:
    """Occasions of a camera without maker notes, read off a card in one go, beginning `read_after` noon."""
    return [
        frame(shown_from + at * every, NOON + read_after + timedelta(seconds=at * apart_s), serial=None)
        for at in range(count)
    ]


def one_card(*parts: list[ImagePredicted], apart_s: float = 0.2) -> list[ImagePredicted]:
    """The same occasions, uploaded one after the other."""
    frames = [event for part in parts for event in part]
    return [
        event.model_copy(update={"uploaded_at": NOON + DAY + timedelta(seconds=at * apart_s)})
        for at, event in enumerate(frames)
    ]


GOOD = card(6, SHOWN)
RESET = card(6, datetime(2019, 1, 1), every=timedelta(minutes=40))


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_reset_in_mid_deployment_is_suspicious_on_a_card(batch: int) -> None:
    found = Bench().feed(one_card(GOOD, RESET), batch=batch).now()
    assert found.verdict is ClockVerdict.SUSPICIOUS
    assert codes(found)[:2] == ["set-back", "factory-time"]
    assert "from 2026-05-14 17:00 to 2019-01-01 00:00" in found.reasons[0].text


@pytest.mark.parametrize("begin", [datetime(2019, 1, 1), datetime(2012, 1, 1, 0, 10), datetime(2002, 12, 8, 12, 3)])
def test_a_card_whose_times_begin_at_a_factory_default_is_suspicious_by_itself(begin: datetime) -> None:
    found = Bench().feed(card(8, begin, every=3 * HOUR)).now()
    assert found.verdict is ClockVerdict.SUSPICIOUS
    assert "factory-time" in codes(found)


def test_a_reset_is_suspicious_live_long_before_its_delay_is_steady() -> None:
    bench = Bench().feed(live(10, event_number=None))
    bench.feed(live(4, ahead=datetime(2019, 1, 1) - SHOWN - 10 * HOUR, begin=NOON + 10 * HOUR, event_number=None))
    assert bench.now().verdict is ClockVerdict.SUSPICIOUS
    assert "set-back" in codes(bench.now())


@pytest.mark.parametrize("back", [30 * DAY, 31 * DAY, 365 * DAY, 10 * 365 * DAY])
@pytest.mark.parametrize("apart_s", [0.05, 1, 40])
def test_a_clock_that_is_a_month_or_a_year_off_is_suspicious_on_a_card(back: timedelta, apart_s: float) -> None:
    wrong = card(10, SHOWN + 6 * HOUR - back)
    found = Bench().feed(one_card(GOOD, wrong, apart_s=apart_s), batch=64).now()
    assert (found.verdict, codes(found)[0]) == (ClockVerdict.SUSPICIOUS, "set-back")


def test_a_month_off_stays_suspicious_when_the_clock_reaches_its_old_times() -> None:
    wrong = card(60, SHOWN + 6 * HOUR - 31 * DAY, every=DAY)
    assert "set-back" in codes(Bench().feed(one_card(GOOD, wrong)).now())


def test_parallel_uploads_change_the_order_and_not_the_verdict() -> None:
    frames = one_card(card(10, SHOWN), RESET)
    order = sorted(range(len(frames)), key=lambda at: at + random.Random(at).uniform(0, 2.5))
    mixed = one_card([frames[at] for at in order])
    assert Bench().feed(mixed, batch=64).now().verdict is ClockVerdict.SUSPICIOUS


def test_a_clock_that_was_put_right_is_ok_after_a_while() -> None:
    right = card(12, SHOWN + 20 * HOUR)
    found = Bench().feed(one_card(GOOD, card(6, SHOWN - 365 * DAY), right)).now()
    assert found.verdict is ClockVerdict.OK


@pytest.mark.parametrize("begin", [datetime(2019, 5, 3, 7, 12), datetime(2025, 6, 1), datetime(2024, 1, 1, 10)])
@pytest.mark.parametrize("count", [8, 60])
def test_a_card_that_holds_an_old_season_is_ok(begin: datetime, count: int) -> None:
    assert Bench().feed(card(count, begin, every=5 * HOUR), batch=64).now().verdict is ClockVerdict.OK


@pytest.mark.parametrize("later", [timedelta(minutes=1), DAY, 30 * DAY])
def test_an_old_card_that_is_read_after_a_newer_one_is_ok(later: timedelta) -> None:
    newer, older = card(20, SHOWN), card(20, datetime(2024, 6, 1), read_after=DAY + later)
    bench = Bench().feed(newer + older)
    assert {verdict.verdict for verdict in bench.verdicts} == {ClockVerdict.UNKNOWN, ClockVerdict.OK}


def test_an_old_card_that_is_read_while_a_camera_is_live_is_ok() -> None:
    older = card(20, datetime(2024, 6, 1), read_after=10 * HOUR)
    frames = live(10, event_number=None) + older + live(10, begin=NOON + 11 * HOUR, event_number=None)
    bench = Bench().feed(frames)
    assert [verdict.verdict for verdict in bench.verdicts if verdict.verdict is not ClockVerdict.OK] == [
        ClockVerdict.UNKNOWN
    ]


def test_the_second_half_of_a_card_before_its_first_is_ok() -> None:
    frames = card(30, datetime(2026, 1, 10), every=3 * DAY)
    assert Bench().feed(one_card(frames[15:], frames[:15]), batch=64).now().verdict is ClockVerdict.OK


@pytest.mark.parametrize("seed", range(20))
def test_a_card_in_no_order_at_all_is_ok(seed: int) -> None:
    frames = card(40, datetime(2025, 6, 10), every=5 * DAY)
    random.Random(seed).shuffle(frames)
    assert Bench().feed(one_card(frames)).now().verdict is ClockVerdict.OK


@pytest.mark.parametrize("reverse", [False, True])
def test_a_camera_that_was_running_on_new_years_night_is_ok(reverse: bool) -> None:
    frames = card(40, datetime(2025, 12, 30), every=timedelta(minutes=75), read_after=100 * DAY)
    assert Bench().feed(one_card(frames[::-1] if reverse else frames), batch=64).now().verdict is ClockVerdict.OK


def test_a_live_camera_that_begins_on_new_years_night_is_ok() -> None:
    begin = NOON.replace(year=2027, month=1, day=1, hour=0)
    assert Bench().feed(live(12, begin=begin, event_number=None)).now().verdict is ClockVerdict.OK


def test_times_before_the_cameras_deployment_are_suspicious() -> None:
    found = Bench(deployed(minutes=0)).feed(card(8, datetime(2024, 5, 3, 7))).now()
    assert (found.verdict, codes(found)[0]) == (ClockVerdict.SUSPICIOUS, "outside-deployments")


def test_a_card_that_is_read_within_its_deployment_is_ok() -> None:
    assert Bench(deployed(minutes=0)).feed(card(8, datetime(2026, 2, 3, 7))).now().verdict is ClockVerdict.OK


def test_the_files_time_is_no_evidence_about_a_clock() -> None:
    frames = live(20, time_source=CaptureTimeSource.KEY, time_origin="file-time", event_number=None)
    assert codes(Bench().feed(frames).now()) == ["no-exif"]


def test_an_offset_in_exif_that_is_not_the_deployments_is_suspicious() -> None:
    found = Bench(deployed()).feed(live(8, zone_minutes=NEPAL_MINUTES, utc_offset_minutes=60)).now()
    assert (found.verdict, codes(found)) == (ClockVerdict.SUSPICIOUS, ["stated-zone"])


@pytest.mark.parametrize("stated", [None, NEPAL_MINUTES])
def test_an_offset_in_exif_that_is_the_deployments_is_ok(stated: int | None) -> None:
    found = Bench(deployed()).feed(live(8, zone_minutes=NEPAL_MINUTES, utc_offset_minutes=stated)).now()
    assert found.verdict is ClockVerdict.OK


def test_without_a_deployment_an_offset_in_exif_is_compared_with_nothing() -> None:
    assert Bench().feed(live(8, utc_offset_minutes=60)).now().verdict is ClockVerdict.OK
