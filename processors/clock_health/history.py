"""What is stored of one camera's clock: a few hundred numbers, whatever arrives.

Frames of one trigger are one occasion: ten wrong frames of a burst are one piece of evidence. `recent` reacts quickly
(occasions at least a minute apart), `spread` covers days (ten minutes apart). Field names are the stored format.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from uncia.events import CaptureTimeSource, ImagePredicted
from uncia.imaging.capture_time import TimeOrigin
from uncia.processors.clock_health.resets import NEW, FactoryTime, Jump, find_factory_time, find_jump
from uncia.storage.photograph_names import is_unreadable_photograph

RECENT, RECENT_APART_S = 32, 60
SPREAD, SPREAD_APART_S = 96, 600

NUMBERED, NEAR, NEIGHBOURS = 10, 20, 3
"""Numbered triggers that are stored; how far apart two compared numbers may be; how many comparisons are needed.

Only near numbers are compared, since a camera restarts its count when its card is formatted.
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
    """Whether the clock ran backwards by the camera's numbers; None where there was nothing to compare with."""
    stated_minutes: int | None = None
    """UTC offset of the clock that EXIF states, in minutes."""


@dataclass
class Numbered:
    """The last frame of a numbered trigger."""

    number: int
    sequence: int
    captured: int
    serial: str | None


@dataclass
class History:
    """The clock history of one camera."""

    frames: int = 0
    without_clock: int = 0
    recent: list[Occasion] = field(default_factory=list)
    spread: list[Occasion] = field(default_factory=list)
    numbered: list[Numbered] = field(default_factory=list)
    days: dict[str, list[int]] = field(default_factory=dict)
    """By serial number, the last days with photographs (days since 1970); the most recent serial number is last."""
    jump: Jump | None = None
    """A jump back that was not corrected since."""
    lowest: int | None = None
    """The earliest time before any jump, seconds since 1970."""
    factory: FactoryTime | None = None
    """Times that start at the factory default of a clock that was never set."""
    last_capture: int | None = None
    last_upload: int | None = None

    def add(self, event: ImagePredicted) -> bool:
        """Add one frame. Returns whether it is an occasion of its own, so that the clock must be assessed again."""
        if event.rejection is not None and not is_unreadable_photograph(event.key, event.rejection.reason):
            # A video or another file, whose time is not that of a capture; or nothing of the photograph was read, and
            # the time in its key was added already, or is wrong.
            return False
        self.frames += 1
        self.last_upload = int(event.uploaded_at.timestamp())
        capture = event.capture
        if capture.time_source is CaptureTimeSource.UPLOAD or capture.time_origin == TimeOrigin.FILE_TIME:
            # The time is from the store, or from whatever wrote the file: no evidence about the camera's clock.
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
            self._add_numbered(frame)
        if occasion.serial is not None:
            self._add_day(occasion.serial, captured // DAY_S)
        recent = _add_occasion(self.recent, occasion, RECENT, RECENT_APART_S)
        if recent:
            self._detect_resets(occasion)
        return _add_occasion(self.spread, occasion, SPREAD, SPREAD_APART_S) or recent

    def _detect_resets(self, occasion: Occasion) -> None:
        self.jump = find_jump(self.recent, self.lowest) if self.jump is None else self.jump.after(occasion)
        if self.jump is None and len(self.recent) > NEW:
            # The earliest time before every jump that may still be detected.
            settled = self.recent[-NEW - 1].captured
            self.lowest = settled if self.lowest is None else min(self.lowest, settled)
        self.factory = find_factory_time(self.recent) if self.factory is None else self.factory.after(occasion)

    def _ran_backwards(self, frame: Numbered) -> bool | None:
        """Whether it was taken before triggers with lower numbers; None with too few neighbours.

        The majority of the neighbours decides, so that one odd frame does not affect all that follow.
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

    def _add_numbered(self, frame: Numbered) -> None:
        same = (frame.number, frame.serial)
        self.numbered = [other for other in self.numbered if (other.number, other.serial) != same][1 - NUMBERED :]
        self.numbered.append(frame)

    def _add_day(self, serial: str, day: int) -> None:
        days = self.days.pop(serial, [])
        self.days[serial] = [*(other for other in days if other != day), day][-DAYS:]
        while len(self.days) > SERIALS:
            del self.days[next(iter(self.days))]


def camera_time(seconds: int) -> datetime:
    """The time on the camera's clock, without UTC offset."""
    return _EPOCH + timedelta(seconds=seconds)


def _add_occasion(occasions: list[Occasion], occasion: Occasion, most: int, apart_s: int) -> bool:
    """Add an occasion, or merge it into the last one if they are close. Returns whether it was added."""
    if occasions:
        last = occasions[-1]
        if last.serial == occasion.serial and abs(last.captured - occasion.captured) < apart_s:
            last.back = occasion.back if last.back is None else last.back or bool(occasion.back)
            last.infrared = occasion.infrared if last.infrared is None else last.infrared
            return False
    # A copy in each list: merging into one must not change the other.
    occasions.append(replace(occasion))
    del occasions[:-most]
    return True
