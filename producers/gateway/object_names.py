"""Names of stations and cameras, and the object keys of photographs."""

import hashlib
import os
import unicodedata
from pathlib import Path

from uncia.camtrap.names import canonical_name, is_card_folder
from uncia.errors import SettingsError
from uncia.imaging.capture_time import EMBEDDED_ORIGINS, CaptureTime
from uncia.storage.object_keys import RESERVED_STATIONS

_MAX_NAME_LENGTH = 100
"""Characters in the name of a station or camera: keys stay far below the 1,024 bytes of S3."""


def checked_name(name: str, what: str) -> str:
    """The name in its canonical spelling (`uncia.camtrap.names`); `what` is "station" or "camera".

    Raises `SettingsError` where the name cannot be one level of an object key.
    """
    name = canonical_name(name)
    if not name:
        raise SettingsError(f"the {what} needs a name")
    if "/" in name:
        raise SettingsError(
            f"the {what} {name!r} contains a slash: slashes separate station, camera and date in the key"
        )
    if name in {".", ".."} or name.startswith("."):
        raise SettingsError(f"the {what} {name!r} starts with a dot: stores and listings hide or refuse such names")
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Co", "Cn"} for letter in name):
        raise SettingsError(f"the {what} {name!r} contains a character that cannot be printed")
    if what == "station" and name in RESERVED_STATIONS:
        raise SettingsError(f"the station cannot be called {name}: that prefix of the bucket is Uncia's own")
    if len(name) > _MAX_NAME_LENGTH:
        raise SettingsError(
            f"the {what} {name[:20]!r}… has {len(name)} characters; at most {_MAX_NAME_LENGTH} are allowed"
        )
    return name


def camera_of(file: Path, folder: Path, camera: str | None) -> str:
    """The camera of a file: `camera` where it is given, else the name of the sub-folder, else that of the folder.

    Files in `DCIM` belong to the folder that contains it. Raises `SettingsError` where the name would be one that
    cameras give to folders by themselves, such as `DCIM` or `100RECNX`.
    """
    if camera is not None:
        return checked_name(camera, "camera")
    levels = file.relative_to(folder).parts
    name = levels[0] if len(levels) > 1 and levels[0].upper() != "DCIM" else folder.resolve().name
    if is_card_folder(name):
        raise SettingsError(
            f"{name} is a folder of a memory card and not the name of a camera: name the camera with --camera"
        )
    return checked_name(name, "camera")


def object_key(
    station: str, camera: str, capture: CaptureTime, digest: str, extension: str, *, file_name: str | None = None
) -> str:
    """`<station>/<camera>/<yyyy>/<mm>/<dd>/<yyyymmddThhmmss[mmm]>[-<origin>]-<16 digits of a digest>.<ext>`.

    The time is the capture time by the camera's own clock, with milliseconds where they are known. Where the
    photograph itself contains no time, the origin is `file-name` or `file-time`. The digest is the SHA-256 of the
    content, or `own_digest`.

    With `file_name`, the digest is a folder, and in its place stands a digest of this name without its extension: the
    small and the large picture of one capture, which a cellular camera sends one after the other under one name, then
    have one file name in the store, by which the bursts worker recognises them.
    """
    captured = capture.time
    time = captured.strftime("%Y%m%dT%H%M%S")
    if captured.microsecond:
        time += f"{captured.microsecond // 1000:03d}"
    if capture.origin not in EMBEDDED_ORIGINS:
        time += f"-{capture.origin}"
    folder, digest = f"{station}/{camera}/{captured:%Y/%m/%d}", digest[:16]
    if file_name is not None:
        stem = file_name.rpartition(".")[0] or file_name
        folder, digest = f"{folder}/{digest}", hashlib.sha256(stem.casefold().encode(errors="replace")).hexdigest()[:16]
    return f"{folder}/{time}-{digest}.{extension.lower().lstrip('.')}"


def own_digest(sha256: str, path: Path) -> str:
    """The digest for the key of a content that must share its key with no other file: of an incomplete one, which a
    later one may replace, or of one whose own key another content took over.

    It depends on the path: two files of one camera that contain only zeros so far must not share a key.
    """
    return hashlib.sha256(f"{sha256} ".encode() + os.fsencode(path)).hexdigest()
