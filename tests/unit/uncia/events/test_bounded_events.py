"""Events stay within what their topics take, whatever names and times come."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.errors import PermanentError
from uncia.events import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    DeploymentChanged,
    ImageUploaded,
    Rejection,
    Trigger,
)

AT = datetime(2026, 5, 1, tzinfo=UTC)
MOST = 900_000


def frame(number: int, key: str, deciding: bool = False) -> BurstFrame:
    return BurstFrame(
        image_id=f"img-{number}",
        upload_id=f"upl-{number}",
        key=key,
        bucket="camera-uploads",
        captured_at=AT.replace(tzinfo=None) + timedelta(seconds=number),
        uploaded_at=AT,
        predicted_at=AT,
        deciding=deciding,
    )


def burst(*frames: BurstFrame) -> BurstResolved:
    return BurstResolved(
        burst_id="bst-1",
        revision=1,
        status=BurstStatus.FINAL,
        station="ridge",
        camera="ridge/cam",
        trigger=Trigger.MOTION,
        started_at=AT.replace(tzinfo=None),
        ended_at=AT.replace(tzinfo=None),
        frames=frames,
        rule="log-odds/1",
        settings="set-1",
    )


def test_a_burst_of_frames_with_long_keys_fits_its_topic_and_says_how_many_are_not_listed() -> None:
    whole = burst(*(frame(number, "\x01" * 980, number == 150) for number in range(200)))
    assert len(whole.to_bytes()) > 1_048_576
    event = whole.truncated_to(MOST)
    assert len(event.to_bytes()) <= MOST
    assert event.frames_left_out == 200 - len(event.frames)
    assert event.frame_count == 200
    listed = [frame.image_id for frame in event.frames]
    assert listed[0] == "img-0"
    assert {"img-150", "img-199"} <= set(listed)
    assert listed == sorted(listed, key=lambda name: int(name[4:]))
    assert BurstResolved.from_bytes(event.to_bytes()) == event


def test_a_burst_that_fits_is_left_as_it_is() -> None:
    event = burst(frame(1, "ridge/cam/a.jpg"))
    assert event.truncated_to(MOST) is event
    assert b"left_out" not in event.to_bytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=30), st.integers(0, 20_000))
def test_no_burst_outgrows_its_limit(keys: list[str], most: int) -> None:
    whole = burst(*(frame(number, key, number % 3 == 0) for number, key in enumerate(keys)))
    event = whole.truncated_to(most)
    assert event.frame_count == len(keys)
    assert len(event.to_bytes()) <= most or not event.frames
    assert event.truncated_to(most) == event


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_nothing_can_be_added_to_is_refused(time: str) -> None:
    body = {"event": ImageUploaded.topic, "uploaded_at": time, "announced_at": AT.isoformat(), "size": 1}
    body |= dict.fromkeys(("upload_id", "station", "camera", "bucket", "key", "etag"), "x")
    with pytest.raises(PermanentError, match="uploaded_at") as refused:
        ImageUploaded.from_bytes(json.dumps(body).encode())
    assert refused.value.reason == "schema-invalid"


@pytest.mark.parametrize("time", [datetime.min, datetime.max, datetime(1, 6, 1), datetime(9999, 2, 28)])
def test_a_cameras_clock_may_show_any_year(time: datetime) -> None:
    capture = Capture(time=time, time_source=CaptureTimeSource.EXIF)
    assert 1 < capture.time.year < 9999
    assert Capture.model_validate_json(capture.model_dump_json()) == capture


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(number: str) -> None:
    raw = b'{"event":"camera.deployment.changed.v1","deployment_id":"d","camera":"a/b","start":"2026-01-01T00:00:00Z",'
    raw += b'"utc_offset_minutes":0,"latitude":1,"longitude":1,"coordinate_uncertainty_m":%s}' % number.encode()
    with pytest.raises(PermanentError) as refused:
        DeploymentChanged.from_bytes(raw)
    assert refused.value.reason == "schema-invalid"


def test_a_deployment_whose_gap_no_calendar_holds_is_refused() -> None:
    raw = b'{"event":"camera.deployment.changed.v1","deployment_id":"d","camera":"a/b","start":"2026-01-01T00:00:00Z",'
    raw += b'"utc_offset_minutes":0,"latitude":1,"longitude":1,"burst_gap_s":1e300}'
    with pytest.raises(PermanentError):
        DeploymentChanged.from_bytes(raw)


def test_the_words_of_a_rejection_are_cut() -> None:
    assert len(Rejection(reason="image-truncated", message="x" * 1_000_000).message) == 1000
