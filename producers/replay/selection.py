"""Which photographs a replay takes; pure."""

from datetime import UTC, datetime
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from uncia.events import ImageUploaded
from uncia.lanes import time_in_key
from uncia.names import canonical_camera


class Selection(BaseModel):
    """Photographs by time and camera; nothing given selects everything.

    Times are the camera's own clock where the object key tells it (our gateway's keys do); the keys of other S3
    clients tell nothing before the photograph is read, and then the moment of the upload counts, as UTC.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    cameras: tuple[str, ...] = ()
    """`<station>/<camera>`, `*` for anything: any one of them."""
    stations: tuple[str, ...] = ()
    """Any one of them, or any of `cameras`."""

    def takes(self, upload: ImageUploaded) -> bool:
        """The replay takes this photograph."""
        named = not (self.cameras or self.stations) or (
            any(_matches(upload.camera, pattern) for pattern in self.cameras)
            or any(_matches(upload.station, pattern) for pattern in self.stations)
        )
        if not named or (self.since is None and self.until is None):
            return named
        taken = time_of(upload)
        return (self.since is None or self.since <= taken) and (self.until is None or taken < self.until)

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


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(canonical_camera(name), canonical_camera(pattern))


def time_of(upload: ImageUploaded) -> datetime:
    """Naive: capture time by the camera's clock if the key tells it, else the moment of the upload in UTC."""
    return time_in_key(upload.key) or upload.uploaded_at.astimezone(UTC).replace(tzinfo=None)
