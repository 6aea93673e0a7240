"""Reports of cellular cameras about their own condition."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from uncia.events.base import Event, LocalTime, Name, UtcTime, WireModel

Percent = Annotated[float, Field(ge=0, le=100)]
Megabytes = Annotated[float, Field(ge=0, le=100_000_000)]
Bars = Annotated[int, Field(ge=0, le=100)]


class StatusSource(StrEnum):
    """Where a report was found."""

    MAIL = "mail"
    """In the subject or the text of a mail."""
    FILE = "file"
    """In a text file, or in the name of a file, that the camera sent."""


class CameraStatus(WireModel):
    """What a report states; each field is absent where the report does not state it.

    Bars are published as they were reported, not converted into percent: manufacturers do not document the relation.
    """

    battery_percent: Percent | None = None
    battery_v: float | None = Field(default=None, ge=0, le=60, description="voltage of the battery")
    battery_bars: Bars | None = Field(default=None, description="bars of the battery symbol, of `battery_bars_of`")
    battery_bars_of: Bars | None = Field(default=None, description="largest possible value of `battery_bars`")
    signal_percent: Percent | None = None
    signal_dbm: float | None = Field(default=None, ge=-150, le=0, description="received signal strength in dBm")
    signal_bars: Bars | None = Field(
        default=None, description="bars, or another scale such as CSQ of GSM modems, of `signal_bars_of`"
    )
    signal_bars_of: Bars | None = Field(default=None, description="largest possible value of `signal_bars`; CSQ: 31")
    card_free_mb: Megabytes | None = Field(default=None, description="free space on the memory card in MB")
    card_total_mb: Megabytes | None = Field(default=None, description="size of the memory card in MB")
    card_free_percent: Percent | None = None
    photographs: int | None = Field(
        default=None, ge=0, le=100_000_000, description="number of photographs, as the camera counts them"
    )
    temperature_c: float | None = Field(default=None, ge=-80, le=90, description="temperature in the camera, in °C")


class StatusReported(Event):
    """A cellular camera reported its condition. Key: `camera`.

    The camera is that of the account which sent the report: names, serial numbers, telephone numbers and positions in
    the text are not published.
    """

    topic: ClassVar[str] = "camera.status.reported.v1"

    report_id: Name = Field(description="derived from the mail or file: repetitions have the same id")
    station: str
    camera: str
    reported_at: UtcTime = Field(description="when the report was received, by the clock of the mailroom")
    camera_time: LocalTime | None = Field(default=None, description="time in the report, by the camera's clock")
    utc_offset_minutes: int | None = Field(
        default=None, ge=-720, le=840, description="UTC offset of `camera_time`, where the report states it"
    )
    source: StatusSource
    profile: Name = Field(description="the camera profile by which the report was read")
    status: CameraStatus
