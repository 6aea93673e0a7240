"""Names of stations and cameras, and the object key of a photograph."""

import hashlib
import os
import unicodedata
from pathlib import Path

from uncia.camtrap.names import canonical_name, is_card_folder
from uncia.errors import SettingsError
from uncia.imaging.capture_time import EMBEDDED_ORIGINS, CaptureTime

LONGEST_NAME = 100
"""Letters in a station's or camera's name: two of them and the rest stay far under S3's 1,024 bytes for a key."""


def checked_name(name: str, what: str) -> str:
    """The name in its canonical spelling (`uncia.camtrap.names`).

    Raises `SettingsError` that names what is wrong: the name becomes one level of the object key.
    """
    name = canonical_name(name)
    if not name:
        raise SettingsError(f"the {what} needs a name")
    if "/" in name:
        raise SettingsError(
            f"the {what} {name!r} has a slash in it: slashes separate station, camera and date in the key"
        )
    if name in {".", ".."} or name.startswith("."):
        raise SettingsError(f"the {what} {name!r} starts with a dot: stores and listings hide or refuse such names")
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Co", "Cn"} for letter in name):
        raise SettingsError(f"the {what} {name!r} has a letter in it that cannot be printed")
    if len(name) > LONGEST_NAME:
        raise SettingsError(f"the {what} {name[:20]!r}… has {len(name)} letters; at most {LONGEST_NAME} are allowed")
    return name


def camera_of(file: Path, folder: Path, camera: str | None) -> str:
    """Whose photograph this is: the camera that was named, else the sub-folder, else the folder itself.

    A memory card's own `DCIM` is no camera's name: its files belong to the folder around it. Raises `SettingsError`
    where the name would be one that a camera gives to folders by itself, as `DCIM` or `100RECNX`.
    """
    if camera is not None:
        return checked_name(camera, "camera")
    levels = file.relative_to(folder).parts
    name = levels[0] if len(levels) > 1 and levels[0].upper() != "DCIM" else folder.resolve().name
    if is_card_folder(name):
        raise SettingsError(
            f"{name} is a folder of a camera's card and not its name: say with --camera which camera it was"
        )
    return checked_name(name, "camera")


def object_key(station: str, camera: str, capture: CaptureTime, digest: str, extension: str) -> str:
    """`<station>/<camera>/<yyyy>/<mm>/<dd>/<yyyymmddThhmmss[mmm]>[-<origin>]-<16 digits of a digest>.<ext>`.

    The time is the capture time by the camera's own clock; the milliseconds stand there when they are known. Where
    the photograph itself holds no time, `file-name` or `file-time` says where it is from. The digest is the content's
    SHA-256, or `digest_of_partial`.
    """
    captured = capture.time
    time = captured.strftime("%Y%m%dT%H%M%S")
    if captured.microsecond:
        time += f"{captured.microsecond // 1000:03d}"
    if capture.origin not in EMBEDDED_ORIGINS:
        time += f"-{capture.origin}"
    return f"{station}/{camera}/{captured:%Y/%m/%d}/{time}-{digest[:16]}.{extension.lower().lstrip('.')}"


def digest_of_partial(sha256: str, path: Path) -> str:
    """For the key of a content that is no whole photograph, where another may take its place later: two files of one
    camera that hold nothing but zeros yet must not share a key.
    """
    return hashlib.sha256(f"{sha256} ".encode() + os.fsencode(path)).hexdigest()
