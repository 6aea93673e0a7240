"""Reconyx maker notes: why the camera fired, which frame of how many, how cold it was.

Two layouts, both little-endian in every file seen; places and meanings as ExifTool documents them, checked on genuine
frames of a HyperFire 2, PC800s, HC550s:

    HyperFire    first word 0xF101; words from the start
    HyperFire 2  begins with `RECONYXH2` and a zero byte; bytes from the start
"""

import contextlib
import struct
from dataclasses import dataclass
from datetime import datetime

from uncia.events.images import Trigger

_TRIGGERS = {"M": Trigger.MOTION, "T": Trigger.TIME_LAPSE, "P": Trigger.OTHER, "E": Trigger.OTHER, "C": Trigger.OTHER}

_COLDEST, _WARMEST = -60, 90


@dataclass(frozen=True)
class _Layout:
    """Byte offsets of what is read."""

    trigger: int
    sequence: int
    event: int
    time: int
    date_order: tuple[int, int, int]
    """Where year, month, day stand among the six words of the time."""
    celsius: int
    infrared: int
    serial: int
    serial_bytes: int


_HYPERFIRE = _Layout(0x0C, 0x0E, 0x12, 0x16, (5, 3, 4), 0x28, 0x50, 0x2A, 30)
_HYPERFIRE_2 = _Layout(0x34, 0x36, 0x3A, 0x3E, (5, 4, 3), 0x50, 0x5A, 0x7E, 30)


@dataclass(frozen=True)
class MakerNote:
    """What a Reconyx camera notes beside EXIF. None: not noted, or not believable."""

    trigger: Trigger = Trigger.UNKNOWN
    sequence: int | None = None
    sequence_length: int | None = None
    event_number: int | None = None
    time: datetime | None = None
    temperature_c: float | None = None
    infrared: bool | None = None
    serial: str | None = None


def read_maker_note(raw: bytes | None) -> MakerNote | None:
    """Read a maker note; None when it is no Reconyx one. Never raises: what breaks off is missing."""
    if not raw:
        return None
    if raw.startswith(b"RECONYXH2\0"):
        return _read(raw, _HYPERFIRE_2)
    if raw[:2] == b"\x01\xf1":
        return _read(raw, _HYPERFIRE)
    return None


def _read(raw: bytes, layout: _Layout) -> MakerNote:
    sequence = _words(raw, layout.sequence, 2)
    believable = len(sequence) == 2 and 1 <= sequence[0] <= sequence[1]
    event = _words(raw, layout.event, 2)
    celsius = struct.unpack_from("<h", raw, layout.celsius)[0] if len(raw) >= layout.celsius + 2 else None
    infrared = _words(raw, layout.infrared, 1)
    return MakerNote(
        trigger=_TRIGGERS.get(raw[layout.trigger : layout.trigger + 1].decode("latin-1"), Trigger.UNKNOWN),
        sequence=sequence[0] if believable else None,
        sequence_length=sequence[1] if believable else None,
        event_number=event[0] << 16 | event[1] if event else None,
        time=_time(_words(raw, layout.time, 6), layout.date_order),
        temperature_c=float(celsius) if celsius is not None and _COLDEST <= celsius <= _WARMEST else None,
        infrared=bool(infrared[0]) if infrared and infrared[0] in (0, 1) else None,
        serial=_serial(raw[layout.serial : layout.serial + layout.serial_bytes]),
    )


def _words(raw: bytes, at: int, count: int) -> tuple[int, ...]:
    """`count` unsigned 16-bit words; none where the note breaks off."""
    with contextlib.suppress(struct.error):
        return struct.unpack_from(f"<{count}H", raw, at)
    return ()


def _time(words: tuple[int, ...], date_order: tuple[int, int, int]) -> datetime | None:
    if not words:
        return None
    second, minute, hour = words[:3]
    year, month, day = (words[place] for place in date_order)
    with contextlib.suppress(ValueError):
        return datetime(year, month, day, hour, minute, second)
    return None


def _serial(raw: bytes) -> str | None:
    text = raw[: len(raw) // 2 * 2].decode("utf-16-le", errors="replace").split("\0")[0].strip()
    return text if text.isascii() and text.isprintable() and text else None
