"""What people call the things that are no animal, and which files are pictures."""

import sys
import unicodedata
from pathlib import Path

from uncia.camtrap.names import canonical_name
from uncia.camtrap.vocabulary import category_of, is_unknown, normalized_label
from uncia.training.datasets import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""Files of other names are no pictures: notes, films, thumbnails' databases."""


def group_of(label: str) -> str:
    """animal, person, vehicle or nothing, by the label's words; what is none of the known words is an animal."""
    return category_of(label) or "animal"


def tells_nothing(label: str) -> bool:
    """True for labels such as `unknown`: nobody has said yet what is on the picture."""
    return is_unknown(label)


def plain(name: str) -> str:
    """Small letters, and single spaces for whatever else is between the words."""
    return normalized_label(name)


def is_picture(path: Path) -> bool:
    """By its name alone. macOS leaves files `._name.jpg` that are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def same(text: str) -> str:
    """One object for names that look the same (`uncia.camtrap.names`): a label of 50,000 images is kept once."""
    return sys.intern(canonical_name(text))


def present(path: Path) -> Path:
    """The path in the Unicode form in which the file is there: macOS writes names decomposed, tables mostly do not."""
    if str(path).isascii() or path.exists():
        return path
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((form for form in forms if form.exists()), path)


def need_pictures(found: int, where: Path, hint: str) -> None:
    """Raises `DataError` where a source gave nothing."""
    if not found:
        raise DataError(f"no labelled pictures in {where}: {hint}")
