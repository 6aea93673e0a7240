"""What the readers share: names of image files, names kept once, and the refusal of an empty source."""

import sys
import unicodedata
from pathlib import Path

from uncia.camtrap.names import canonical_name
from uncia.training.datasets import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""Suffixes of image files. Other files are notes, videos or thumbnail databases."""


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
