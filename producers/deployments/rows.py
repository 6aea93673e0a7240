"""Parses one row of a Camtrap DP `deployments.csv` into a deployment, or into error messages.

Terms and their meaning: https://camtrap-dp.tdwg.org/data/#deployments (1.0). Additional columns, all optional:
`utcOffset` (`+05:45`, where the camera's clock has another zone than the times in the table), `coordinateSensitivity`
(or `sensitivity`, in the words of before; the stricter one applies), `captureMethod`, and the overrides of settings in
`OVERRIDES`, in seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from uncia.camtrap import table_format
from uncia.camtrap.camtrap_dp import parse_timestamp
from uncia.camtrap.sensitivity import strictest
from uncia.errors import SettingsError
from uncia.events import DeploymentChanged, FormerSensitivity, Sensitivity, Trigger
from uncia.producers.gateway.object_names import checked_name

OVERRIDES = {
    "burstGap": "burst_gap_s",
    "burstIdle": "burst_idle_s",
    "burstLateness": "burst_lateness_s",
    "eventGap": "event_gap_s",
    "independenceGap": "independence_gap_s",
    "contactInterval": "contact_interval_s",
}
_CAPTURE_METHODS = {"activityDetection": Trigger.MOTION, "timeLapse": Trigger.TIME_LAPSE}

_OFFSET = re.compile(r"([+-])(\d{2}):?([0-5]\d)")
_MAX_OFFSET_MINUTES = 14 * 60


@dataclass(frozen=True)
class ColumnNames:
    """The columns that name the station and the camera: of each, the first one that exists and is not empty."""

    station: tuple[str, ...] = ("locationID", "locationName")
    camera: tuple[str, ...] = ("cameraID", "deploymentID")


@dataclass(frozen=True)
class RowDefaults:
    """Values for rows that do not set them."""

    sensitivity: Sensitivity = Sensitivity.EXTREME
    utc_offset_minutes: int | None = None


@dataclass
class _Row:
    """The cells of a row, and the errors found while parsing them."""

    cells: Mapping[str, str]
    decimal_comma: bool = False
    errors: list[str] = field(default_factory=list)

    def text(self, *columns: str) -> str:
        return next((text for column in columns if (text := table_format.clean_cell(self.cells.get(column)))), "")

    def name(self, what: str, columns: tuple[str, ...]) -> str:
        if not (text := self.text(*columns)):
            placeholders = {text for column in columns if (text := self.cells.get(column, "").strip())}
            hint = f" ({' and '.join(sorted(placeholders))} counts as empty)" if placeholders else ""
            self.errors.append(f"the {what} has no name: {' and '.join(columns)} are empty or absent{hint}")
            return ""
        try:
            return checked_name(text, what)
        except SettingsError as error:
            self.errors.append(str(error))
            return ""

    def moment(self, column: str) -> datetime | None:
        if not (text := self.text(column)):
            return None
        try:
            moment = parse_timestamp(text)
        except ValueError as error:
            self.errors.append(f"{column} {error}")
            return None
        if moment.tzinfo is None:
            self.errors.append(
                f"{column} {text!r} lacks its offset from UTC: write it like 2026-05-14T07:31:00+02:00, or Z for UTC"
            )
            return None
        return moment

    def number(
        self, column: str, low: float, high: float, *, open_low: bool = False, degrees: bool = False
    ) -> float | None:
        """A finite number; its value is never repeated, since it may be a position."""
        if not (text := self.text(column)):
            return None
        try:
            # Degrees have no thousands separators: a comma is a decimal comma with any column separator.
            value = table_format.parse_number(text, decimal_comma=self.decimal_comma or degrees)
        except ValueError:
            self.errors.append(f"{column} is not a number (the decimal separator is a point)")
            return None
        if not (low < value if open_low else low <= value) or not value <= high:
            bounds = f"above {low:g}" if high == _NO_LIMIT else f"between {low:g} and {high:g}"
            hint = (
                "; coordinates of a projection such as UTM are not degrees"
                if degrees and abs(value) > _MAX_DEGREES
                else ""
            )
            self.errors.append(f"{column} is out of range: it must be {bounds}{hint}")
            return None
        return value

    def choice(self, column: str, among: tuple[str, ...]) -> str:
        text = self.text(column)
        if text and text not in among:
            self.errors.append(f"{column} {text!r} is not one of {', '.join(among)}")
            return ""
        return text

    def offset(self, column: str) -> int | None:
        if not (text := self.text(column)):
            return None
        try:
            return parse_utc_offset(text)
        except ValueError as error:
            self.errors.append(f"{column} {error}")
            return None


_NO_LIMIT = 1e9
_MAX_DEGREES = 180


def parse_utc_offset(text: str) -> int:
    """Minutes ahead of UTC from `+05:45`, `-0300` or `Z`. Raises `ValueError` with a message about the text."""
    if text == "Z":
        return 0
    found = _OFFSET.fullmatch(text)
    minutes = (
        (1 if found[1] == "+" else -1) * (60 * int(found[2]) + int(found[3])) if found else _MAX_OFFSET_MINUTES + 1
    )
    if abs(minutes) > _MAX_OFFSET_MINUTES:
        raise ValueError(f"{text!r} is not an offset from UTC: write it like +05:45, at most 14 hours")
    return minutes


def read_row(
    cells: Mapping[str, str], columns: ColumnNames, defaults: RowDefaults, *, decimal_comma: bool = False
) -> tuple[DeploymentChanged | None, list[str]]:
    """Parse a row. Returns the deployment and no errors, or None and one message for each error."""
    row = _Row(cells, decimal_comma)
    deployment_id = row.text("deploymentID")
    if not deployment_id:
        row.errors.append("deploymentID is empty")
    station, camera = row.name("station", columns.station), row.name("camera", columns.camera)
    start, end = row.moment("deploymentStart"), row.moment("deploymentEnd")
    if start is None and not row.text("deploymentStart"):
        row.errors.append("deploymentStart is empty")
    if start is not None and end is not None and end <= start:
        row.errors.append("the deployment ends before it starts" if end < start else "the deployment ends as it starts")
    latitude, longitude = _position(row)
    uncertainty = row.number("coordinateUncertainty", 0, _NO_LIMIT, open_low=True)
    sensitivity = _sensitivity(row) or defaults.sensitivity
    method = row.choice("captureMethod", tuple(_CAPTURE_METHODS))
    offset = row.offset("utcOffset")
    overrides = {name: row.number(column, 0, _NO_LIMIT, open_low=True) for column, name in OVERRIDES.items()}
    if row.errors or start is None or latitude is None or longitude is None:
        return None, row.errors
    if offset is None:
        offset = defaults.utc_offset_minutes
    try:
        return (
            DeploymentChanged(
                deployment_id=deployment_id,
                camera=f"{station}/{camera}",
                start=start,
                end=end,
                utc_offset_minutes=_offset_minutes(start) if offset is None else offset,
                latitude=latitude,
                longitude=longitude,
                coordinate_uncertainty_m=uncertainty,
                coordinate_sensitivity=sensitivity,
                capture_method=_CAPTURE_METHODS[method] if method else None,
                **overrides,
            ),
            [],
        )
    except ValidationError as error:
        # No known row gets here; one that does is reported by its line instead of by a traceback.
        problems = error.errors(include_url=False, include_input=False)
        return None, [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems]


def _sensitivity(row: _Row) -> Sensitivity | None:
    """The level of the position; None: the row states none."""
    stated = row.choice("coordinateSensitivity", tuple(Sensitivity))
    former = row.choice("sensitivity", tuple(FormerSensitivity))
    levels = ([Sensitivity(stated)] if stated else []) + ([FormerSensitivity(former).level] if former else [])
    return strictest(levels) if levels else None


def _position(row: _Row) -> tuple[float | None, float | None]:
    """Latitude and longitude. Error messages do not repeat them: positions may be secret."""
    latitude = row.number("latitude", -90, 90, degrees=True)
    longitude = row.number("longitude", -180, 180, degrees=True)
    for column in ("latitude", "longitude"):
        if not row.text(column):
            row.errors.append(f"{column} is empty")
    if latitude == 0 and longitude == 0:
        row.errors.append(
            "latitude and longitude are both 0, in the sea off Africa, which programs write for an unknown position: "
            "write the position of the camera"
        )
    if latitude is None and longitude is not None and abs(longitude) <= 90 and _within(row, "latitude", 180):
        row.errors = [
            f"{error}; are latitude and longitude exchanged?" if error.startswith("latitude is out") else error
            for error in row.errors
        ]
    return latitude, longitude


def _within(row: _Row, column: str, most: float) -> bool:
    try:
        return abs(table_format.parse_number(row.text(column), decimal_comma=True)) <= most
    except ValueError:
        return False


def _offset_minutes(moment: datetime) -> int:
    """The UTC offset of a time, in minutes: the camera's clock keeps the time zone of its set-up."""
    return int((moment.utcoffset() or timedelta()).total_seconds() // 60)
