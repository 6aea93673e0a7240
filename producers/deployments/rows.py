"""One row of a Camtrap DP `deployments.csv` becomes one deployment, or sentences that say what is wrong with it.

Terms and their meaning: https://camtrap-dp.tdwg.org/data/#deployments (1.0). Columns of ours, all optional:
`utcOffset` (`+05:45`, where the camera's clock is set to another zone than the times are written in), `sensitivity`,
`captureMethod` and the overrides in seconds of `OVERRIDES`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from uncia.camtrap import table_format
from uncia.camtrap.camtrap_dp import parse_timestamp
from uncia.errors import SettingsError
from uncia.events import DeploymentChanged, Sensitivity, Trigger
from uncia.producers.gateway.object_names import checked_name

OVERRIDES = {
    "burstGap": "burst_gap_s",
    "burstIdle": "burst_idle_s",
    "burstLateness": "burst_lateness_s",
    "eventGap": "event_gap_s",
    "independenceGap": "independence_gap_s",
}
CAPTURE_METHODS = {"activityDetection": Trigger.MOTION, "timeLapse": Trigger.TIME_LAPSE}

_OFFSET = re.compile(r"([+-])(\d{2}):?([0-5]\d)")
_MOST_MINUTES = 14 * 60


@dataclass(frozen=True)
class Columns:
    """Which columns name the station and the camera: of each, the first that is there and not empty."""

    station: tuple[str, ...] = ("locationID", "locationName")
    camera: tuple[str, ...] = ("cameraID", "deploymentID")


@dataclass(frozen=True)
class Defaults:
    """What counts where a row does not say it."""

    sensitivity: Sensitivity = Sensitivity.HIGH
    utc_offset_minutes: int | None = None


@dataclass
class _Row:
    """The cells of a row, and what was found wrong while they were read."""

    cells: Mapping[str, str]
    decimal_comma: bool = False
    wrong: list[str] = field(default_factory=list)

    def text(self, *columns: str) -> str:
        return next((text for column in columns if (text := table_format.clean_cell(self.cells.get(column)))), "")

    def name(self, what: str, columns: tuple[str, ...]) -> str:
        if not (text := self.text(*columns)):
            nothing = {each for column in columns if (each := self.cells.get(column, "").strip())}
            hint = f" ({' and '.join(sorted(nothing))} counts as empty)" if nothing else ""
            self.wrong.append(f"the {what} has no name: {' and '.join(columns)} are empty or absent{hint}")
            return ""
        try:
            return checked_name(text, what)
        except SettingsError as error:
            self.wrong.append(str(error))
            return ""

    def moment(self, column: str) -> datetime | None:
        if not (text := self.text(column)):
            return None
        try:
            moment = parse_timestamp(text)
        except ValueError as error:
            self.wrong.append(f"{column} {error}")
            return None
        if moment.tzinfo is None:
            self.wrong.append(
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
            # No number of degrees has thousands in it: a comma is a decimal one, whatever divides the columns.
            value = table_format.parse_number(text, decimal_comma=self.decimal_comma or degrees)
        except ValueError:
            self.wrong.append(f"{column} is no number (a point divides the decimals)")
            return None
        if not (low < value if open_low else low <= value) or not value <= high:
            bounds = f"above {low:g}" if high == _ANY else f"between {low:g} and {high:g}"
            hint = (
                "; metres of a projection such as UTM are no degrees" if degrees and abs(value) > _MOST_DEGREES else ""
            )
            self.wrong.append(f"{column} is out of range: it has to be {bounds}{hint}")
            return None
        return value

    def choice(self, column: str, among: tuple[str, ...]) -> str:
        text = self.text(column)
        if text and text not in among:
            self.wrong.append(f"{column} {text!r} is none of {', '.join(among)}")
            return ""
        return text

    def offset(self, column: str) -> int | None:
        if not (text := self.text(column)):
            return None
        try:
            return read_offset(text)
        except ValueError as error:
            self.wrong.append(f"{column} {error}")
            return None


_ANY = 1e9
_MOST_DEGREES = 180


def read_offset(text: str) -> int:
    """Minutes ahead of UTC of `+05:45`, `-0300` or `Z`. Raises ValueError with the rest of a sentence."""
    if text == "Z":
        return 0
    found = _OFFSET.fullmatch(text)
    minutes = (1 if found[1] == "+" else -1) * (60 * int(found[2]) + int(found[3])) if found else _MOST_MINUTES + 1
    if abs(minutes) > _MOST_MINUTES:
        raise ValueError(f"{text!r} is no offset from UTC: write it like +05:45, at most 14 hours")
    return minutes


def read_row(
    cells: Mapping[str, str], columns: Columns, defaults: Defaults, *, decimal_comma: bool = False
) -> tuple[DeploymentChanged | None, list[str]]:
    """The deployment, or None and why not, one sentence for each thing that is wrong."""
    row = _Row(cells, decimal_comma)
    deployment_id = row.text("deploymentID")
    if not deployment_id:
        row.wrong.append("deploymentID is empty")
    station, camera = row.name("station", columns.station), row.name("camera", columns.camera)
    start, end = row.moment("deploymentStart"), row.moment("deploymentEnd")
    if start is None and not row.text("deploymentStart"):
        row.wrong.append("deploymentStart is empty")
    if start is not None and end is not None and end <= start:
        row.wrong.append("the deployment ends before it starts" if end < start else "the deployment ends as it starts")
    latitude, longitude = _position(row)
    uncertainty = row.number("coordinateUncertainty", 0, _ANY, open_low=True)
    sensitivity = row.choice("sensitivity", tuple(Sensitivity)) or defaults.sensitivity
    method = row.choice("captureMethod", tuple(CAPTURE_METHODS))
    offset = row.offset("utcOffset")
    overrides = {name: row.number(column, 0, _ANY, open_low=True) for column, name in OVERRIDES.items()}
    if row.wrong or start is None or latitude is None or longitude is None:
        return None, row.wrong
    if offset is None:
        offset = defaults.utc_offset_minutes
    try:
        return (
            DeploymentChanged(
                deployment_id=deployment_id,
                camera=f"{station}/{camera}",
                start=start,
                end=end,
                utc_offset_minutes=_minutes(start) if offset is None else offset,
                latitude=latitude,
                longitude=longitude,
                coordinate_uncertainty_m=uncertainty,
                sensitivity=Sensitivity(sensitivity),
                capture_method=CAPTURE_METHODS[method] if method else None,
                **overrides,
            ),
            [],
        )
    except ValidationError as error:
        # Nothing that is left to fail is known; were there something, it fails by line and not by traceback.
        problems = error.errors(include_url=False, include_input=False)
        return None, [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems]


def _position(row: _Row) -> tuple[float | None, float | None]:
    """Latitude and longitude. What is wrong with them is said without repeating them: they may be a secret."""
    latitude = row.number("latitude", -90, 90, degrees=True)
    longitude = row.number("longitude", -180, 180, degrees=True)
    for column in ("latitude", "longitude"):
        if not row.text(column):
            row.wrong.append(f"{column} is empty")
    if latitude == 0 and longitude == 0:
        row.wrong.append(
            "latitude and longitude are both 0, in the sea off Africa, and what many programs write where nothing is "
            "known: write where the camera stands"
        )
    if latitude is None and longitude is not None and abs(longitude) <= 90 and _within(row, "latitude", 180):
        row.wrong = [
            f"{each}; are latitude and longitude exchanged?" if each.startswith("latitude is out") else each
            for each in row.wrong
        ]
    return latitude, longitude


def _within(row: _Row, column: str, most: float) -> bool:
    try:
        return abs(table_format.parse_number(row.text(column), decimal_comma=True)) <= most
    except ValueError:
        return False


def _minutes(moment: datetime) -> int:
    """What the time was written ahead of UTC: the camera's clock stays in the zone in which it was set up."""
    return int((moment.utcoffset() or timedelta()).total_seconds() // 60)
