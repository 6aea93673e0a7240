"""Paths of photographs in an export, and copies of them, which have no metadata."""

import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from uncia.dashboard.exports.output import ExportSummary
from uncia.dashboard.exports.records import BurstRecord, FrameRecord
from uncia.errors import PermanentError
from uncia.imaging.metadata_removal import MetadataNotRemovable, without_metadata

__all__ = ["FetchPhotograph", "MediaPaths", "media_type", "relative_path"]

FetchPhotograph = Callable[[FrameRecord], bytes]
"""Reads a photograph from the store. Raises `PermanentError` where it is gone."""

_UNSAFE_SEGMENT = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]|\.\.|^[.~]|[. ]$')
COPIES = "media"
"""Folder of the copies."""


@dataclass(frozen=True)
class MediaPaths:
    """How an export refers to photographs: by their key in the store, by an address, or as copies in the package."""

    base_url: str | None = None
    """Begins the address of each photograph, which ends with its key."""
    fetch: FetchPhotograph | None = None
    """Set: photographs are copied."""
    with_people: bool = False
    """Whether photographs of bursts with a person or vehicle are copied, too."""

    def path(self, burst: BurstRecord, frame: FrameRecord) -> str:
        """The path or address of a photograph."""
        if self.base_url is not None:
            return f"{self.base_url.rstrip('/')}/{quote(frame.key)}"
        return f"{COPIES}/{relative_path(frame)}" if self._copied(burst) else relative_path(frame)

    def copy(self, burst: BurstRecord, folder: Path, summary: ExportSummary) -> None:
        """Copy the photographs of a burst without their metadata, if they are to be copied. Raises `OSError`.

        Also in an export with exact positions: a copy is passed on more often than a table, and what the metadata say
        of the place and the camera is in the tables, as far as this export may have it.
        """
        if self.fetch is None:
            return
        for frame in burst.frames:
            if not self._copied(burst):
                summary.left_out["photographs that may show a person, not copied"] += 1
                continue
            try:
                content = without_metadata(self.fetch(frame))
            except MetadataNotRemovable:
                summary.left_out["photographs whose metadata cannot be removed, not copied"] += 1
                continue
            except PermanentError:
                summary.left_out["photographs that are gone from the store"] += 1
                continue
            target = folder / COPIES / relative_path(frame)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def _copied(self, burst: BurstRecord) -> bool:
        return self.fetch is not None and (self.with_people or not burst.shows_person)


def relative_path(frame: FrameRecord) -> str:
    """The object key, if it is a path that Camtrap DP and Windows accept; else a similar path with the image's id."""
    segments = frame.key.split("/")
    if all(segment and not _UNSAFE_SEGMENT.search(segment) for segment in segments):
        return frame.key
    safe = [_UNSAFE_SEGMENT.sub("_", segment) or "_" for segment in segments]
    # A replaced `..` can leave another one.
    safe = [re.sub(r"\.{2,}", "_", segment) for segment in safe]
    return "/".join([*safe[:-1], f"{re.sub(r'[^A-Za-z0-9_-]', '_', frame.image_id)}-{safe[-1].lstrip('.~')}"])


def media_type(key: str) -> str:
    """The media type by the ending of the name; photographs are JPEG unless it says otherwise."""
    return mimetypes.guess_type(key.rpartition("/")[2])[0] or "image/jpeg"
