"""The photographs that a replay selects, by camera and capture time; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from uncia.camtrap.names import canonical_camera
from uncia.errors import SettingsError
from uncia.events import ImageUploaded, SecondLookCompleted
from uncia.lanes import capture_time_in_key

NO_TIMES: Mapping[str, datetime] = MappingProxyType({})


class Selection(BaseModel):
    """Photographs by time and camera; an empty selection selects all.

    Times are capture times by the camera's own clock: the time that the live system read from the photograph; for a
    photograph that it has not predicted, the time in the object key, which the gateway writes; else the time of the
    upload, in UTC.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime | None = None
    """Inclusive; naive."""
    until: datetime | None = None
    """Exclusive; naive."""
    cameras: tuple[str, ...] = ()
    """Patterns of `<station>/<camera>` with `*`; one has to match."""
    stations: tuple[str, ...] = ()
    """Patterns of station names; one of them, or of `cameras`, has to match."""

    @property
    def is_timed(self) -> bool:
        """True where capture times matter."""
        return self.since is not None or self.until is not None

    def selects(self, upload: ImageUploaded, times: Mapping[str, datetime] = NO_TIMES) -> bool:
        """True for a photograph of the replay. `times`: capture times that the live system read, by upload id."""
        return self.matches_camera(upload) and (not self.is_timed or self.contains_time(capture_time(upload, times)))

    def matches_camera(self, upload: ImageUploaded | SecondLookCompleted) -> bool:
        """True for a photograph, or a second look, of a selected camera or station."""
        if not (self.cameras or self.stations):
            return True
        return any(matches(upload.camera, pattern) for pattern in self.cameras) or any(
            matches(upload.station, pattern) for pattern in self.stations
        )

    def contains_time(self, moment: datetime) -> bool:
        """True for a naive time from `since` on and before `until`."""
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)

    def check_time_range(self) -> None:
        """Raises `SettingsError` where `since` is not before `until`."""
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise SettingsError(
                f"--since {self.since} is not before --until {self.until}: no photograph was taken between them"
            )

    def describe(self) -> str:
        """The selection for people: `photographs since … of ridge/*`."""
        parts = [
            f"since {self.since}" if self.since else "",
            f"until {self.until}" if self.until else "",
            "of " + ", ".join((*self.cameras, *(f"{station}/*" for station in self.stations)))
            if self.cameras or self.stations
            else "",
        ]
        return "photographs " + (" ".join(part for part in parts if part) or "of all times and cameras")


def matches(name: str, pattern: str) -> bool:
    """True where the name of a camera or station equals the pattern or matches it, in any Unicode form."""
    name, pattern = canonical_camera(name), canonical_camera(pattern)
    return name == pattern or fnmatchcase(name, pattern)


def parse_camera_time(text: str) -> datetime:
    """A time on a camera's clock, from ISO 8601 without an offset. Raises `SettingsError`.

    A date alone is its first moment: `--until 2026-06-01` ends with the last photograph of 31 May.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SettingsError(f"{text!r} is not a time: write 2026-05-01, or 2026-05-01T10:30:00") from error
    if moment.tzinfo is not None:
        raise SettingsError(f"{text!r} names a time zone, and a camera's clock has none: write the time that it shows")
    return moment


def capture_time(upload: ImageUploaded, times: Mapping[str, datetime] = NO_TIMES) -> datetime:
    """Naive capture time: as the live system read it, else as in the key, else the time of the upload in UTC."""
    read = times.get(upload.upload_id)
    return read or capture_time_in_key(upload.key) or upload.uploaded_at.astimezone(UTC).replace(tzinfo=None)
