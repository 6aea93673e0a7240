"""Labels for empty images, people, vehicles and the unknown; names of image files."""

import sys
import unicodedata
from pathlib import Path

from uncia.camtrap.names import canonical_name
from uncia.camtrap.vocabulary import category_of, is_unknown, normalized_label
from uncia.training.datasets import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""Suffixes of image files. Other files are notes, films or thumbnail databases."""


def group_of(label: str) -> str:
    """The group of a label: person, vehicle or nothing for the known labels of these, else animal."""
    return category_of(label) or "animal"


def is_unknown_label(label: str) -> bool:
    """Whether the label is one of those of unclassified images, such as `unknown`."""
    return is_unknown(label)


def normalize_label(name: str) -> str:
    """Lower case, with a single space for every run of other characters than letters and digits."""
    return normalized_label(name)


def is_image_file(path: Path) -> bool:
    """Whether the name is that of an image file. macOS writes metadata into files `._name.jpg`, which are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def intern_name(text: str) -> str:
    """The canonical name (`uncia.camtrap.names`) as one shared object: 50,000 samples hold one string per label."""
    return sys.intern(canonical_name(text))


def existing_path(path: Path) -> Path:
    """The path in the Unicode form of the existing file: macOS decomposes names, most tables do not."""
    if str(path).isascii() or path.exists():
        return path
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((form for form in forms if form.exists()), path)


def require_samples(found: int, where: Path, hint: str) -> None:
    """Raise `DataError` if a source has no samples."""
    if not found:
        raise DataError(f"no labelled images in {where}: {hint}")
