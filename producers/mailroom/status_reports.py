"""Reads the status reports of cellular cameras with camera profiles. Pure; never raises on any text.

The work is bounded: patterns are searched for in the first lines only, each of which is cut, so that neither a huge
mail nor an unfortunate pattern of a user's profile occupies the mailroom.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from uncia.camtrap.status_documents import CheckedStatus
from uncia.producers.mailroom.camera_profiles import CameraProfile, Place, Quantity, Reading

__all__ = ["ReportText", "StatusReport", "read_status_report"]

_MAX_TEXT = 16_384
"""Characters of a text that are looked at."""
_MAX_LINES = 100
_MAX_LINE = 200

_MB_PER_GB = 1024
_YEARS = range(2000, 2100)
"""A camera whose clock was never set states another year, and its time means nothing."""


@dataclass(frozen=True)
class ReportText:
    """What a report may be read from."""

    sender: str = ""
    """The domain of the sender's address."""
    subject: str = ""
    text: str = ""
    file_names: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    """EXIF makes of the photographs in the same mail."""


@dataclass(frozen=True)
class StatusReport:
    """What was read, and by which profile."""

    profile: str
    status: CheckedStatus
    camera_time: datetime | None = None
    """By the camera's clock, naive."""
    utc_offset_minutes: int | None = None


def read_status_report(report: ReportText, profiles: Iterable[CameraProfile]) -> StatusReport | None:
    """The report by the first profile that recognises it and reads at least one quantity; None where none does."""
    places = {
        Place.TEXT: tuple(_lines(report.text)),
        Place.SUBJECT: tuple(_lines(report.subject[:_MAX_LINE])),
        Place.FILE_NAME: tuple(name[:_MAX_LINE] for name in report.file_names[:_MAX_LINES]),
    }
    for profile in profiles:
        if not _recognises(profile, report, places):
            continue
        values = _values(profile.readings, places)
        camera_time, offset = values.pop("camera_time", None), values.pop("utc_offset", None)
        if values:
            return StatusReport(profile.name, CheckedStatus(**values), camera_time, offset)
    return None


def _lines(text: str) -> Iterator[str]:
    """The lines as patterns see them: one sign for one meaning (`℃` is `°C`), and single blanks."""
    for line in unicodedata.normalize("NFKC", text[:_MAX_TEXT]).splitlines()[:_MAX_LINES]:
        yield " ".join(line.split())[:_MAX_LINE]


def _recognises(profile: CameraProfile, report: ReportText, places: Mapping[Place, tuple[str, ...]]) -> bool:
    wanted = profile.recognise
    return all(
        pattern is None or any(pattern.search(one[:_MAX_LINE]) for one in texts)
        for pattern, texts in (
            (wanted.sender, (report.sender,)),
            (wanted.subject, places[Place.SUBJECT]),
            (wanted.text, places[Place.TEXT]),
            (wanted.file_name, places[Place.FILE_NAME]),
            (wanted.make, report.makes[:_MAX_LINES]),
        )
    )


def _values(readings: Iterable[Reading], places: Mapping[Place, tuple[str, ...]]) -> dict[str, Any]:
    """The values by field of `CheckedStatus`, with `camera_time` and `utc_offset`. The first valid one counts."""
    found: dict[str, Any] = {}
    for reading in readings:
        if reading.field.value in found:
            continue
        for line in places[reading.place]:
            match = reading.pattern.search(line)
            values = _converted(reading, match) if match else {}
            if values:
                found = {**values, **found}  # °C goes before °F, MB before GB
                break
    return _valid(_with_card(found))


def _converted(reading: Reading, match: re.Match[str]) -> dict[str, Any]:
    """The values that a match states; none where they are out of range."""
    text, field = match[1] or "", reading.field
    if field is Quantity.CAMERA_TIME:
        return {} if (moment := _time(text, reading.format or "")) is None else {"camera_time": moment}
    if field is Quantity.UTC_OFFSET:
        return {} if (minutes := _offset(text)) is None else {"utc_offset": minutes}
    number = _number(text)
    if number is None:
        return {}
    if field in (Quantity.BATTERY_BARS, Quantity.SIGNAL_BARS):
        of = reading.of if reading.of is not None else _number(match[2] or "")
        return {} if of is None else _valid({field.value: int(number), f"{field.value}_of": int(of)})
    if field is Quantity.PHOTOGRAPHS:
        return _valid({field.value: int(number)})
    if field is Quantity.TEMPERATURE_F:
        return _valid({"temperature_c": round((number - 32) / 1.8, 1)})
    if field.value.startswith("card_"):
        # Not a field of the event in each case: checked with the rest of the card.
        is_gb = field.value.endswith("_gb")
        return {field.value.replace("_gb", "_mb"): number * _MB_PER_GB if is_gb else number} if number >= 0 else {}
    return _valid({field.value: number})


def _with_card(found: dict[str, Any]) -> dict[str, Any]:
    """The values with free space and size of the card instead of used space."""
    free, total, percent = (found.get(f"card_{name}") for name in ("free_mb", "total_mb", "free_percent"))
    used, used_percent = found.pop("card_used_mb", None), found.pop("card_used_percent", None)
    if total is None and free is not None and used is not None:
        total = free + used
    if free is None and total is not None and used is not None:
        free = total - used
    if percent is None and used_percent is not None:
        percent = 100 - used_percent
    if percent is None and free is not None and total:
        percent = round(100 * free / total, 1)
    card = {"card_free_mb": free, "card_total_mb": total, "card_free_percent": percent}
    others = {name: value for name, value in found.items() if name not in card}
    given = {name: value for name, value in card.items() if value is not None}
    # Of a card with impossible numbers nothing is known.
    return {**others, **(_valid(given) if len(_valid(given)) == len(given) else {})}


def _valid(values: dict[str, Any]) -> dict[str, Any]:
    """The values without those that the event does not accept."""
    own = {name: value for name, value in values.items() if name in CheckedStatus.model_fields}
    others = {name: value for name, value in values.items() if name not in own}
    try:
        CheckedStatus(**own)
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors(include_url=False) if one["loc"]}
        return _valid({name: value for name, value in values.items() if name not in wrong}) if wrong else others
    return values


def _number(text: str) -> float | None:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _time(text: str, form: str) -> datetime | None:
    try:
        moment = datetime.strptime(" ".join(text.split()), form)
    except ValueError:
        return None
    return moment.replace(tzinfo=None) if moment.year in _YEARS else None


def _offset(text: str) -> int | None:
    """Minutes of `+8`, `-5:30` or `+0530`; None for what is no UTC offset on Earth."""
    found = re.fullmatch(r"([+-])([0-9]{1,2}):?([0-5][0-9])?", text.strip())
    if found is None:
        return None
    minutes = (60 * int(found[2]) + int(found[3] or 0)) * (-1 if found[1] == "-" else 1)
    return minutes if -720 <= minutes <= 840 else None
