"""Names of stations and cameras: one canonical spelling for names that cannot be distinguished by eye.

An `ü` is one code point on Linux and two on macOS (Unicode's forms NFC and NFD); a name that was pasted may end in a
blank, or hold a no-break space or a character of no width. None of that can be seen, so none of it makes another
camera. What can be seen does: capital letters, hyphens, and full-width or superscript letters (`Cam²` is not `Cam2`)
stay as they are, which is why the form is NFC and not NFKC.
"""

import re
import unicodedata
from functools import lru_cache

_CARD_FOLDER = re.compile(r"DCIM|[1-9][0-9]{2}[A-Z_][A-Z0-9_]{4}", re.IGNORECASE)


def canonical_name(name: str) -> str:
    """One name in the spelling that is compared and stored: NFC, invisible characters dropped, every kind of blank a
    plain one, runs of blanks joined and those at the ends cut off. May be empty. Control characters stay, for the
    caller to refuse.

    The joiners of no width that Persian and Indic scripts write with are invisible as well, and dropped.
    """
    if name.isascii():
        return name.strip(" ") if "  " not in name else " ".join(filter(None, name.split(" ")))
    shown = "".join(
        " " if kind == "Zs" else letter
        for letter in unicodedata.normalize("NFC", name)
        if (kind := unicodedata.category(letter)) != "Cf" and not _is_selector(letter)
    )
    # Dropping a character may bring a letter and its accent together.
    return " ".join(filter(None, unicodedata.normalize("NFC", shown).split(" ")))


@lru_cache(maxsize=10_000)
def canonical_camera(camera: str) -> str:
    """`<station>/<camera>`, or a station alone, each level by `canonical_name`."""
    return "/".join(canonical_name(level) for level in camera.split("/"))


def camera_matches(wanted: str, camera: str) -> bool:
    """Whether a filter takes a camera: `<station>/<camera>` names one, `<station>` or `<station>/` all of a station.

    Empty takes everything. Both sides are compared in their canonical spelling, so events of any age are found.
    """
    if not wanted:
        return True
    prefix, name = canonical_camera(wanted), canonical_camera(camera)
    return name == prefix or name.startswith(f"{prefix.removesuffix('/')}/")


def is_card_folder(name: str) -> bool:
    """Whether a folder has a name that cameras give to folders on their cards, and so does not name a camera.

    `DCIM`, and within it three digits and five letters as `100RECNX` (DCF 2.0).

    Serial numbers and dates of eight digits are none: of the five, cameras write a letter or a line first.
    """
    return _CARD_FOLDER.fullmatch(name) is not None


def _is_selector(letter: str) -> bool:
    """Variation selectors choose how the letter before them is drawn, and are counted as marks."""
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"
