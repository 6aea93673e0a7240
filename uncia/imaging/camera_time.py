"""Parses times in EXIF tags and file names into naive `datetime` values by the camera's clock. Pure functions.

EXIF requires `YYYY:MM:DD HH:MM:SS`; cameras and other software also write other separators, ISO 8601, 12-hour times,
and day and month in either order. Unambiguous forms are parsed and reported as unusual. Ambiguous forms are rejected,
because an unnoticed wrong time assigns animals to the wrong night.
"""

import re
from dataclasses import dataclass
from datetime import datetime

_LONGEST = 80
"""Maximum length of a parsed text in characters; the standard format has 19."""

_EARLIEST_YEAR = 1970

_YEAR_FIRST = re.compile(r"(\d{4})([:\-/. _])(\d{1,2})[:\-/. _](\d{1,2})(?!\d)|(\d{4})(\d\d)(\d\d)(?=\D|\d{6}(?!\d))")
_YEAR_LAST = re.compile(r"(\d{1,2})[:\-/.](\d{1,2})[:\-/.](\d{4})(?!\d)")
_CLOCK = re.compile(r"(\d{1,2})([:.\-])(\d{1,2})(?:\2(\d{1,2})(?:[.,](\d{1,9}))?)?(?!\d)|(\d\d)(\d\d)(\d\d)(?!\d)")
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*(?:([+-])(\d\d):?(\d\d)?|(Z))(?![\w:])")

_HALVES = {"上午": "a", "午前": "a", "오전": "a", "下午": "p", "午後": "p", "오후": "p"}
_HALF = re.compile(r"([ap])\.?\s?m\b\.?|([ap])(?![a-z])|(" + "|".join(_HALVES) + ")", re.IGNORECASE)

_NAME_DATE = (
    r"(?:(?P<y>(?:19|20)\d\d)(?P<s>[-_.]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)|(?P<a>\d\d)[-_.](?P<b>\d\d)[-_.](?P<z>20\d\d))"
)
_NAME_CLOCK = (
    r"(?P<H>\d\d)(?P<t>[-_.:hH]?)(?P<M>\d\d)(?:(?P=t)|[mM])(?P<S>\d\d)"
    r"(?:[.,]?(?P<ms>\d{3}))?(?!\d)(?: ?(?P<half>[apAP])[mM]\b)?"
)
_IN_NAME = re.compile(rf"(?<!\d){_NAME_DATE}(?:[ T_.@-]{{0,3}}){_NAME_CLOCK}(?!\d)")
_IMPORTERS_STAMP = re.compile(r"\d{14}[-_][A-Z][A-Z0-9_]{3}\d{4}$", re.IGNORECASE)
"""A timestamp before the camera's file name (DCF: four characters, four digits), which is the time of an import."""


class InvalidTimeError(ValueError):
    """The text is not a time, or an ambiguous one; the message contains the reason."""


@dataclass(frozen=True)
class ParsedTime:
    """A time by the camera's clock."""

    moment: datetime
    """Naive; includes the fraction of a second, if any."""
    offset_minutes: int | None = None
    """UTC offset in the text, in minutes, if any. It is not applied to `moment`."""
    oddity: str | None = None
    """Deviations from the standard format, as text."""
    unsure: bool = False
    """True when the text could also mean another time: any other source has precedence."""


def parse_camera_time(text: str) -> ParsedTime:
    """Parse a date and a time of day. Raises `InvalidTimeError`."""
    year, month, day, swapped, rest = _date(text[:_LONGEST].strip())
    hour, minute, second, fraction, contradiction, rest = _time_of_day(rest.lstrip(" \tT,_:-"))
    offset = _OFFSET.match(rest)
    if offset is not None:
        rest = rest[offset.end() :].strip()
    behind = f"{rest[:20]!r} follows the time" if rest else None
    moment = _moment(year, month, day, hour, minute, second).replace(microsecond=fraction)
    oddities = "; ".join(filter(None, (swapped, contradiction, behind)))
    return ParsedTime(moment, _minutes(offset), oddities or None, unsure=bool(contradiction or behind))


def _time_of_day(text: str) -> tuple[int, int, int, int, str | None, str]:
    """Return hour (0 to 23), minute, second, microsecond, contradictions as text, and the remaining text."""
    half = _HALF.match(text)
    text = text[half.end() :].lstrip() if half else text
    clock = _CLOCK.match(text)
    if clock is None:
        raise InvalidTimeError("the text contains no time of day")
    hour, minute, second = (int(part or 0) for part in (clock.group(1, 3, 4) if clock[1] else clock.group(6, 7, 8)))
    text = text[clock.end() :].strip()
    if half is None and (half := _HALF.match(text)) is not None:
        text = text[half.end() :].strip()
    contradiction = None
    if half is not None:
        letter = (half[1] or half[2] or _HALVES[half[3]]).lower()
        contradiction = "it is marked as morning" if hour > 12 and letter == "a" else None
        hour = _of_24(hour, letter)
    return hour, minute, second, int(f"{clock[5]:0<6}"[:6]) if clock[5] else 0, contradiction, text


def parse_offset(text: str) -> int | None:
    """Parse an EXIF `OffsetTime` (`+05:45`, `-0330`, `Z`) as minutes; None when it is invalid."""
    found = _OFFSET.fullmatch(text.strip()[:20])
    return _minutes(found)


def time_in_file_name(name: str) -> datetime | None:
    """Parse the capture time in a file name, such as `IMG_20260514_213600.JPG` or `2026-05-14 21-36-00.jpg`.

    The name must contain exactly one valid date and time of day to the second, so that serial numbers and counters are
    not mistaken for times. A timestamp before the camera's file name (`20210531082538-RCNX0031`) is the time of an
    import and is ignored.
    """
    stem = name.rpartition("/")[2].rpartition("\\")[2][:200]
    stem = stem.rpartition(".")[0] or stem
    if _IMPORTERS_STAMP.fullmatch(stem):
        return None
    found = {moment for match in _IN_NAME.finditer(stem) if (moment := _named(match)) is not None}
    return found.pop() if len(found) == 1 else None


def _named(found: re.Match[str]) -> datetime | None:
    try:
        if found["y"] is not None:
            year, month, day = int(found["y"]), int(found["m"]), int(found["d"])
        else:
            year = int(found["z"])
            month, day, _ = _month_and_day(int(found["b"]), int(found["a"]))
        hour = _of_24(int(found["H"]), found["half"].lower()) if found["half"] else int(found["H"])
        moment = _moment(year, month, day, hour, int(found["M"]), int(found["S"]))
    except InvalidTimeError:
        return None
    return moment.replace(microsecond=int(found["ms"] or 0) * 1000)


def _date(text: str) -> tuple[int, int, int, str | None, str]:
    """Return year, month, day, deviations as text, and the remaining text."""
    found = _YEAR_FIRST.match(text)
    if found is not None:
        year, month, day = (int(part) for part in (found.group(1, 3, 4) if found[1] else found.group(5, 6, 7)))
        oddity = None
        if month > 12 >= day:
            month, day, oddity = day, month, "day and month are swapped"
        return year, month, day, oddity, text[found.end() :]
    found = _YEAR_LAST.match(text)
    if found is None:
        raise InvalidTimeError("the text contains no date with a four-digit year")
    first, second = int(found[1]), int(found[2])
    month, day, oddity = _month_and_day(second, first)
    return int(found[3]), month, day, oddity, text[found.end() :]


def _month_and_day(second: int, first: int) -> tuple[int, int, str]:
    """Return month and day of a date that ends with the year. The order is known only when one of them exceeds 12."""
    if first <= 12 and second <= 12 and first != second:
        raise InvalidTimeError("the order of day and month is ambiguous")
    return (
        (second, first, "the day is written first") if second <= 12 else (first, second, "the month is written first")
    )


def _of_24(hour: int, half: str) -> int:
    if hour > 12:
        return hour  # a 24-hour time, despite the AM or PM mark
    if hour == 0 and half == "p":
        raise InvalidTimeError("the hour 0 with PM is invalid")
    return hour % 12 + (12 if half == "p" else 0)


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime:
    if year < _EARLIEST_YEAR:
        raise InvalidTimeError(f"the year is {year:04d}")
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise InvalidTimeError("the date does not exist") from error


def _minutes(found: re.Match[str] | None) -> int | None:
    if found is None:
        return None
    if found[4]:
        return 0
    hours, minutes = int(found[2]), int(found[3] or 0)
    if hours > 14 or minutes > 59:
        return None
    return (-1 if found[1] == "-" else 1) * (60 * hours + minutes)
