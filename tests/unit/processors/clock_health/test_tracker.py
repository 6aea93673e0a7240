"""The state of one camera: bounded, stable, independent of others."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.clock_health.builders import NEPAL_MINUTES, NOON, Bench, codes, deployed, frame, live
from uncia.camtrap.deployments import Deployments
from uncia.events import VIDEO_NOT_ANALYSED, WITHDRAWN_REASONS, ClockVerdict, ImagePredicted, Rejection
from uncia.processors.clock_health.state_store import VERSION, CameraClock
from uncia.processors.faust_runtime.stored_state import StateTooNew

ODD = {
    "1970": datetime(1970, 1, 1),
    "2070": datetime(2070, 1, 1),
    "a month back": datetime(2026, 4, 14),
    "the first year": datetime(1, 1, 1),
    "the last year": datetime(9999, 12, 31, 23, 59, 59),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("at", [5, 12, 20])
def test_one_odd_frame_does_not_change_a_verdict(odd: str, at: int) -> None:
    frames = live(40, zone_minutes=NEPAL_MINUTES, lamp=True)
    frames.insert(at, frame(ODD[odd], frames[at].uploaded_at, event_number=500))
    assert [verdict.verdict for verdict in Bench(deployed()).feed(frames).verdicts] == [
        ClockVerdict.UNKNOWN,
        ClockVerdict.OK,
    ]


def test_a_clock_that_was_set_right_is_ok_after_a_while() -> None:
    wrong = live(10, ahead=timedelta(days=400))
    right = live(50, begin=NOON + timedelta(hours=10), first_event=11)
    bench = Bench().feed(wrong + right)
    assert bench.now().verdict is ClockVerdict.OK
    verdicts = [verdict.verdict for verdict in bench.verdicts]
    assert verdicts.index(ClockVerdict.WRONG) < verdicts.index(ClockVerdict.SUSPICIOUS)


def test_one_good_frame_does_not_make_a_wrong_clock_right() -> None:
    frames = live(20, ahead=timedelta(days=400))
    frames.insert(12, frame(datetime(2026, 5, 15), frames[12].uploaded_at, event_number=500))
    assert Bench().feed(frames).now().verdict is ClockVerdict.WRONG


def test_a_wrong_clock_harms_only_its_own_camera() -> None:
    wrong, right = live(30, ahead=timedelta(days=16000), camera="ridge/wrong"), live(30, camera="ridge/right")
    mixed = [frame for pair in zip(wrong, right, strict=True) for frame in pair]
    together, alone = Bench().feed(mixed, batch=8), Bench().feed(right, batch=4)
    assert together.now("ridge/wrong").verdict is ClockVerdict.WRONG
    assert [(verdict.verdict, verdict.reasons) for verdict in together.verdicts if verdict.camera == "ridge/right"] == [
        (verdict.verdict, verdict.reasons) for verdict in alone.verdicts
    ]


def test_nothing_is_published_while_nothing_changes() -> None:
    bench = Bench(deployed()).feed(live(300, zone_minutes=NEPAL_MINUTES, lamp=True))
    assert len(bench.verdicts) == 2


def test_a_message_that_is_read_again_counts_once() -> None:
    frames = live(10)
    bench = Bench().feed(frames)
    before = dict(bench.states)
    bench.again(frames)
    assert {camera: CameraClock.from_bytes("", raw).history for camera, raw in bench.states.items()} == {
        camera: CameraClock.from_bytes("", raw).history for camera, raw in before.items()
    }


def test_frames_of_one_burst_are_one_occasion() -> None:
    burst = live(50, every=timedelta(seconds=1), ahead=timedelta(days=400))
    assert Bench().feed(burst).now().verdict is ClockVerdict.UNKNOWN


@pytest.mark.parametrize("reason", sorted({*WITHDRAWN_REASONS, VIDEO_NOT_ANALYSED}))
def test_an_upload_that_was_withdrawn_or_is_a_video_is_no_evidence_about_the_clock(reason: str) -> None:
    frames = live(20, ahead=timedelta(days=400))
    withdrawn = [
        event.model_copy(update={"rejection": Rejection(reason=reason, message=""), "camera": "ridge/other"})
        for event in frames
    ]
    bench = Bench().feed([*frames, *withdrawn])
    assert {found.camera for found in bench.verdicts} == {"ridge/north"}


def test_a_restart_in_the_middle_changes_nothing() -> None:
    frames = live(20, ahead=timedelta(days=400))
    whole = Bench().feed(frames)
    first = Bench().feed(frames[:7])
    second = Bench()
    second.states.update(first.states)
    second._offset = 7
    second.feed(frames[7:])
    assert first.verdicts + second.verdicts == whole.verdicts


def test_a_state_of_a_newer_version_is_refused_with_a_sentence() -> None:
    bench = Bench()
    bench.states[b"ridge/north"] = bytes([VERSION + 1]) + b"from the future"
    with pytest.raises(StateTooNew, match=r"ridge/north.*a newer Uncia wrote it"):
        bench.feed(live(1))
    assert bench.states == {b"ridge/north": bytes([VERSION + 1]) + b"from the future"}


def test_a_deployment_that_is_loaded_later_applies_from_then_on() -> None:
    deployments = Deployments()
    bench = Bench(deployments).feed(live(12, ahead=timedelta(hours=3)))
    assert bench.now().verdict is ClockVerdict.OK
    (known,) = deployed(minutes=0).of("ridge/north")
    deployments.apply(known.message_key, known.to_bytes())
    bench.feed(live(1, ahead=timedelta(hours=3), begin=NOON + timedelta(hours=12), first_event=13))
    assert codes(bench.now()) == ["zone"]


@st.composite
def frames(draw: st.DrawFn) -> ImagePredicted:
    return frame(
        draw(st.datetimes()),
        draw(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))),
        infrared=draw(st.none() | st.booleans()),
        event_number=draw(st.none() | st.integers(0, 40)),
        sequence=draw(st.none() | st.integers(1, 5)),
        serial=draw(st.none() | st.text(max_size=200)),
    )


@given(st.lists(frames(), max_size=30))
def test_whatever_arrives_the_state_stays_small_and_readable(fed: list[ImagePredicted]) -> None:
    bench = Bench(deployed()).feed(fed * 5, batch=32)
    for camera, raw in bench.states.items():
        assert len(raw) < 16_000
        state = CameraClock.from_bytes(camera.decode(), raw)
        assert state.to_bytes() == raw
        assert len(state.history.recent) <= 32
        assert len(state.history.spread) <= 96
        assert len(state.history.numbered) <= 10
        assert len(state.history.days) <= 4
