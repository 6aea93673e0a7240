"""The names of received files: what cameras call them is text from outside."""

import re
import unicodedata

from uncia.producers.gateway.file_kinds import (
    PHOTOGRAPHS_AND_VIDEOS,
    is_photograph,
    is_system_file,
    is_temporary_name,
    kind_of,
)

_MAX_NAME_BYTES = 200
"""Of 255 that file systems allow: a suffix for a file in progress must fit as well."""

_TEMPORARY_EXTENSION = re.compile(
    r"(?:\.(?:te?mp|part(?:ial)?|filepart|crdownload|download|upload|up))+$", re.IGNORECASE
)

JPEG_START = b"\xff\xd8\xff"

_VIDEO_BRANDS = (b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V ", b"MSNV", b"3gp", b"qt  ")
"""Of MP4 and QuickTime files; HEIC pictures and sound have the same container."""


def is_provisional(name: str) -> bool:
    """True for a name that a camera gives to a file before it is complete, and renames at the end."""
    return (
        name.startswith((".", "~"))
        or "." not in name
        or _TEMPORARY_EXTENSION.search(name) is not None
        or is_temporary_name(name)
        or kind_of(name) == "unfinished transfer"
    )


def final_name(name: str, start: bytes) -> str:
    """The name under which the gateway gets a file that a camera called `name`.

    It is the last level of a path, not hidden, printable, at most 200 bytes long, and that of a photograph where the
    file starts (`start`, at least 12 bytes) as a JPEG; of a video where it starts as one and the extension says nothing
    else. `IMG.JPG.tmp` that was never renamed becomes `IMG.JPG`.
    """
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(letter if unicodedata.category(letter)[0] != "C" else "_" for letter in name)
    name = name.strip().lstrip(".~").strip() or "unnamed"
    if is_photograph(without := _TEMPORARY_EXTENSION.sub("", name), PHOTOGRAPHS_AND_VIDEOS):
        name = without
    ending = _missing_ending(name, start)
    stem, dot, extension = name.rpartition(".")
    if not ending and dot and stem:
        name, ending = stem, f".{extension}"
    room = _MAX_NAME_BYTES - len(ending.encode())
    name = name.encode()[:room].decode(errors="ignore") + ending if room > 0 else "unnamed"
    return f"unnamed-{name}" if is_system_file(name) else name


def _missing_ending(name: str, start: bytes) -> str:
    """The extension without which the gateway would not recognise a photograph or video."""
    if start.startswith(JPEG_START):
        return "" if is_photograph(name) else ".jpg"
    if kind_of(name) not in ("other file", "unfinished transfer"):
        return ""
    if start[4:8] == b"ftyp" and start[8:12].startswith(_VIDEO_BRANDS):
        return ".mp4"
    return ".avi" if start.startswith(b"RIFF") and start[8:12] == b"AVI " else ""
