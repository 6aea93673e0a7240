"""Frames that arrive after the burst they belong to has expired: which burst that was, and the event about it."""

from datetime import datetime, timedelta

from uncia.events import FrameLate
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.state import Burst, CameraState, ExpiredBurst


def find_missed(
    state: CameraState, track: str, joined: Burst, frame: FrameRecord, gap: timedelta
) -> ExpiredBurst | None:
    """The expired burst that a frame belongs to; None where it joined frames that were in time.

    `joined` is the burst that holds the frame now, `gap` the general gap setting.
    """
    for expired in reversed(state.expired):
        if expired.track != track:
            continue
        # What follows within the gap belongs to it too, unless its camera's numbers show that it was complete.
        reach = timedelta(0) if expired.complete else frame.max_gap(gap)
        if expired.started - reach <= frame.effective_time <= expired.ended + reach:
            return expired if joined.late or len(joined.frames) == 1 else None
    return None


def late_event(state: CameraState, joined: Burst, missed: ExpiredBurst, frame: FrameRecord, at: datetime) -> FrameLate:
    """The event about a frame that arrived at `at` and came too late for `missed`."""
    since = at - (missed.closed_at or at)
    return FrameLate(
        image_id=frame.image_id,
        upload_id=frame.upload_id,
        station=joined.station,
        camera=state.camera,
        captured_at=frame.captured_at,
        arrived_at=at,
        missed_burst_id=missed.id,
        late_s=max(0.0, since.total_seconds()),
        burst_id=joined.id,
    )
