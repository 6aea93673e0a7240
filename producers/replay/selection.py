"""Which photographs a replay takes; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from uncia.camtrap.names import canonical_camera
from uncia.errors import SettingsError
from uncia.events import ImageUploaded
from uncia.lanes import capture_time_in_key

NO_TIMES: Mapping[str, datetime] = MappingProxyType({})


class Selection(BaseModel):
    """Photographs by time and camera; nothing given selects everything.

    Times are capture times by the camera's own clock: the one that live read from the photograph; of a photograph
    that live has not answered, the one in the object key (our gateway's keys tell it), else the moment of the upload,
    as UTC.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime | None = None
    """Inclusive; naive."""
    until: datetime | None = None
    """Exclusive; naive."""
    cameras: tuple[str, ...] = ()
    """`<station>/<camera>`, `*` for anything: any one of them."""
    stations: tuple[str, ...] = ()
    """Any one of them, or any of `cameras`."""

    @property
    def timed(self) -> bool:
        """Capture times decide."""
        return self.since is not None or self.until is not None

    def takes(self, upload: ImageUploaded, times: Mapping[str, datetime] = NO_TIMES) -> bool:
        """The replay takes this photograph. `times` are capture times that live read, by upload id."""
        return self.names(upload) and (not self.timed or self.spans(time_of(upload, times)))

    def names(self, upload: ImageUploaded) -> bool:
        """The photograph is of a camera that was chosen."""
        if not (self.cameras or self.stations):
            return True
        return any(fits(upload.camera, each) for each in self.cameras) or any(
            fits(upload.station, each) for each in self.stations
        )

    def spans(self, taken: datetime) -> bool:
        """The moment lies between `since` and `until`."""
        return (self.since is None or self.since <= taken) and (self.until is None or taken < self.until)

    def possible(self) -> "Selection":
        """Itself. Raises `SettingsError` where no moment lies between `since` and `until`."""
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise SettingsError(
                f"--since {self.since} is not before --until {self.until}: no photograph was taken between them"
            )
        return self

    def words(self) -> str:
        """For people."""
        parts = [
            f"since {self.since}" if self.since else "",
            f"until {self.until}" if self.until else "",
            "of " + ", ".join((*self.cameras, *(f"{station}/*" for station in self.stations)))
            if self.cameras or self.stations
            else "",
        ]
        return "photographs " + (" ".join(part for part in parts if part) or "of all times and cameras")


def fits(name: str, pattern: str) -> bool:
    """The name of a camera or station is the pattern, or matches it; however either is spelt."""
    name, pattern = canonical_camera(name), canonical_camera(pattern)
    return name == pattern or fnmatchcase(name, pattern)


def camera_time(text: str) -> datetime:
    """A moment on a camera's clock, as ISO 8601 without an offset. Raises `SettingsError`.

    A date alone is its first moment: `--until 2026-06-01` ends with the last photograph of 31 May.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SettingsError(f"{text!r} is no time: write 2026-05-01, or 2026-05-01T10:30:00") from error
    if moment.tzinfo is not None:
        raise SettingsError(f"{text!r} names a time zone, and a camera's clock has none: write the time that it shows")
    return moment


def time_of(upload: ImageUploaded, times: Mapping[str, datetime] = NO_TIMES) -> datetime:
    """Naive: the capture time that live read, else the one in the key, else the moment of the upload in UTC."""
    read = times.get(upload.upload_id)
    return read or capture_time_in_key(upload.key) or upload.uploaded_at.astimezone(UTC).replace(tzinfo=None)
