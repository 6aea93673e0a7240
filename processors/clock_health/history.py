"""What is kept of one camera: a few hundred numbers, whatever arrives.

Frames of one trigger are one occasion: ten wrong frames of a burst are one piece of evidence. `recent` follows quickly
(occasions at least a minute apart), `spread` reaches far (ten minutes apart), for what needs a view of days.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from uncia.events import WITHDRAWN_REASONS, CaptureTimeSource, ImagePredicted
from uncia.imaging.capture_time import TimeOrigin
from uncia.processors.clock_health.resets import NEW, FactoryTime, Jump, find_factory_time, find_jump

RECENT, RECENT_APART_S = 32, 60
SPREAD, SPREAD_APART_S = 96, 600

NUMBERED, NEAR, NEIGHBOURS = 10, 20, 3
"""Numbered triggers that are kept; how far apart two numbers may be to be compared; how many comparisons are needed.

Only near numbers are compared, since a camera begins to count anew when its card is formatted.
"""
BACK_S, BACK_WITHIN_S = 60, 2
"""Running backwards by less than this between triggers, or within one, is rounding."""

SERIALS, DAYS = 4, 40

_EPOCH = datetime(1970, 1, 1)
DAY_S = 86400


@dataclass
class Occasion:
    """One trigger. `captured` is the camera's clock read as if it were UTC; both times are seconds since 1970."""

    captured: int
    uploaded: int
    infrared: bool | None = None
    serial: str | None = None
    back: bool | None = None
    """The camera's numbers say that it ran backwards; None where there was nothing to compare with."""
    stated_minutes: int | None = None
    """Ahead of UTC, as EXIF states the clock's zone."""


@dataclass
class Numbered:
    """The last frame that was seen of a numbered trigger."""

    number: int
    sequence: int
    captured: int
    serial: str | None


@dataclass
class History:
    """One camera."""

    frames: int = 0
    without_clock: int = 0
    recent: list[Occasion] = field(default_factory=list)
    spread: list[Occasion] = field(default_factory=list)
    numbered: list[Numbered] = field(default_factory=list)
    days: dict[str, list[int]] = field(default_factory=dict)
    """By serial number the last days on which it took photographs (days since 1970); the one heard last at the end."""
    jump: Jump | None = None
    """A jump back that was not put right since."""
    lowest: int | None = None
    """The earliest time before any jump, seconds since 1970."""
    factory: FactoryTime | None = None
    """Times that begin where a clock begins that was never set."""
    last_capture: int | None = None
    last_upload: int | None = None

    def take(self, event: ImagePredicted) -> bool:
        """Learn from one frame; whether it is an occasion of its own, so that there is something new to judge."""
        if event.rejection is not None and event.rejection.reason in WITHDRAWN_REASONS:
            return (
                False  # Nothing of the photograph was read; the time in its key was learnt from already, or is wrong.
            )
        self.frames += 1
        self.last_upload = int(event.uploaded_at.timestamp())
        capture = event.capture
        if capture.time_source is CaptureTimeSource.UPLOAD or capture.time_origin == TimeOrigin.FILE_TIME:
            # The time is the store's, or of whatever wrote the file: it says nothing of the camera's clock.
            self.without_clock += 1
            return self.without_clock == 1
        captured = int((capture.time.replace(tzinfo=None) - _EPOCH).total_seconds())
        self.last_capture = captured
        occasion = Occasion(
            captured,
            self.last_upload,
            capture.infrared,
            (capture.serial or None) and capture.serial[:64],
            stated_minutes=capture.utc_offset_minutes,
        )
        if capture.event_number is not None:
            frame = Numbered(capture.event_number, capture.sequence or 0, captured, occasion.serial)
            occasion.back = self._ran_backwards(frame)
            self._keep_numbered(frame)
        if occasion.serial is not None:
            self._keep_day(occasion.serial, captured // DAY_S)
        recent = _keep(self.recent, occasion, RECENT, RECENT_APART_S)
        if recent:
            self._look_for_resets(occasion)
        return _keep(self.spread, occasion, SPREAD, SPREAD_APART_S) or recent

    def _look_for_resets(self, occasion: Occasion) -> None:
        self.jump = find_jump(self.recent, self.lowest) if self.jump is None else self.jump.after(occasion)
        if self.jump is None and len(self.recent) > NEW:
            # Of what is before every jump that may still be found.
            settled = self.recent[-NEW - 1].captured
            self.lowest = settled if self.lowest is None else min(self.lowest, settled)
        self.factory = find_factory_time(self.recent) if self.factory is None else self.factory.after(occasion)

    def _ran_backwards(self, frame: Numbered) -> bool | None:
        """Whether it was taken before triggers that the camera counted before it.

        The majority of the neighbours decides, so that one odd frame does not make all that follow look odd.
        """
        before, backwards = 0, 0
        for other in self.numbered:
            if other.serial != frame.serial:
                continue
            if other.number == frame.number:
                if other.sequence < frame.sequence and frame.captured < other.captured - BACK_WITHIN_S:
                    return True
            elif 0 < frame.number - other.number <= NEAR:
                before += 1
                backwards += frame.captured < other.captured - BACK_S
        return 2 * backwards >= before if before >= NEIGHBOURS else None

    def _keep_numbered(self, frame: Numbered) -> None:
        same = (frame.number, frame.serial)
        self.numbered = [each for each in self.numbered if (each.number, each.serial) != same][1 - NUMBERED :]
        self.numbered.append(frame)

    def _keep_day(self, serial: str, day: int) -> None:
        days = self.days.pop(serial, [])
        self.days[serial] = [*(each for each in days if each != day), day][-DAYS:]
        while len(self.days) > SERIALS:
            del self.days[next(iter(self.days))]


def camera_time(seconds: int) -> datetime:
    """What the camera's clock showed, without offset."""
    return _EPOCH + timedelta(seconds=seconds)


def _keep(kept: list[Occasion], occasion: Occasion, most: int, apart_s: int) -> bool:
    """Add it, unless it is one with the last: then the last learns what it did not know. Whether it was added."""
    if kept:
        last = kept[-1]
        if last.serial == occasion.serial and abs(last.captured - occasion.captured) < apart_s:
            last.back = occasion.back if last.back is None else last.back or bool(occasion.back)
            last.infrared = occasion.infrared if last.infrared is None else last.infrared
            return False
    # Its own object in each list: what one list learns of it is not told to the other.
    kept.append(replace(occasion))
    del kept[:-most]
    return True
