"""Ids and names of what was imported: derived, so that a second import of the same files writes the same rows."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from uncia import ids
from uncia.camtrap.names import canonical_name, is_card_folder

__all__ = ["camera_of_folders", "camera_of_levels", "derived_id", "parse_local_time"]


def derived_id(prefix: str, origin: str, *parts: str) -> str:
    """The id of a thing that has an id elsewhere."""
    return f"{prefix}-{ids.digest('import', origin, *parts)}"


def camera_of_levels(station: str, camera: str = "") -> str:
    """`<station>/<camera>` of two names, in which slashes and control characters are replaced. Raises `ValueError`."""
    levels = [level for name in (station, camera) if (level := _level(name))]
    if not levels:
        raise ValueError("it has no station")
    return "/".join(levels)


def camera_of_folders(path: str) -> str:
    """The camera that the folders of a path name: the first two that are not a card's own, `100RECNX` and the like.

    Raises `ValueError` where there is no folder.
    """
    folders: Sequence[str] = [part for part in path.replace("\\", "/").split("/")[:-1] if part not in ("", ".", "..")]
    named = [part for part in folders if not is_card_folder(part)]
    if not named:
        raise ValueError("no folder names its camera: give it with --camera")
    return camera_of_levels(*named[:2])


def parse_local_time(text: str) -> datetime:
    """A time by the camera's clock: ISO 8601, EXIF's form, or Timelapse's (`01-May-2026 06:30:00`).

    Raises `ValueError`.
    """
    if text[4:5] == ":" and text[7:8] == ":":
        text = text[:10].replace(":", "-") + text[10:]
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        pass
    try:
        return datetime.strptime(text, "%d-%b-%Y %H:%M:%S")
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write it as 2026-05-01 06:30:00") from None


def _level(name: str) -> str:
    clean = "".join("-" if c == "/" or unicodedata.category(c) == "Cc" else c for c in name)
    return canonical_name(clean)
