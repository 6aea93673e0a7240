"""Names of stations and cameras: one canonical spelling for names that look the same.

An `ü` is one code point on Linux and two on macOS (Unicode forms NFC and NFD); a pasted name can end with a blank or
contain no-break spaces and zero-width characters. Such invisible differences do not make another camera. Visible ones
do: capital letters, hyphens, and full-width or superscript characters (`Cam²` is not `Cam2`). The form is therefore NFC
and not NFKC.
"""

import re
import unicodedata
from functools import lru_cache

_CARD_FOLDER = re.compile(r"DCIM|[1-9][0-9]{2}[A-Z_][A-Z0-9_]{4}", re.IGNORECASE)


def canonical_name(name: str) -> str:
    """Return the canonical spelling of one name: NFC, without invisible characters, with single, plain spaces and none
    at the ends.

    The result can be empty. Control characters are kept, so that the caller can reject them. Zero-width joiners, which
    Persian and Indic scripts use, are removed like other invisible characters.
    """
    if name.isascii():
        return name.strip(" ") if "  " not in name else " ".join(filter(None, name.split(" ")))
    shown = "".join(
        " " if kind == "Zs" else letter
        for letter in unicodedata.normalize("NFC", name)
        if (kind := unicodedata.category(letter)) != "Cf" and not _is_selector(letter)
    )
    # Removing a character can make a letter and its accent adjacent.
    return " ".join(filter(None, unicodedata.normalize("NFC", shown).split(" ")))


@lru_cache(maxsize=10_000)
def canonical_camera(camera: str) -> str:
    """Return `<station>/<camera>` or `<station>` with each level in its canonical spelling."""
    return "/".join(canonical_name(level) for level in camera.split("/"))


def camera_matches(wanted: str, camera: str) -> bool:
    """Return whether a filter matches a camera: `<station>/<camera>`, or `<station>` for all cameras of a station.

    An empty filter matches all. Both sides are compared in their canonical spelling, so that old events match, too.
    """
    if not wanted:
        return True
    prefix, name = canonical_camera(wanted), canonical_camera(camera)
    return name == prefix or name.startswith(f"{prefix.removesuffix('/')}/")


def is_card_folder(name: str) -> bool:
    """Return whether cameras create folders of this name on their cards, so that it is not the name of a camera.

    These are `DCIM` and folders below it with three digits and five characters, such as `100RECNX` (DCF 2.0). Serial
    numbers and dates of eight digits are not: the first of the five characters is a letter or an underscore.
    """
    return _CARD_FOLDER.fullmatch(name) is not None


def _is_selector(letter: str) -> bool:
    """Return whether a character is a variation selector, which Unicode counts as a mark."""
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"
