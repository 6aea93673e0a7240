"""What people call the things that are no animal, and which files are pictures."""

import re
import sys
import unicodedata
from pathlib import Path

from uncia.camtrap.names import canonical_name
from uncia.training.datasets import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""Files of other names are no pictures: notes, films, thumbnails' databases."""

_GROUPS = {
    "nothing": ("nothing", "none", "blank", "blanks", "empty", "no animal", "background", "ghost"),
    "person": ("person", "persons", "people", "human", "humans", "homo", "homo sapiens", "hiker", "man", "woman"),
    "vehicle": (
        *("vehicle", "vehicles", "car", "cars", "truck", "bus", "van", "motorcycle", "motorbike", "bicycle", "bike"),
        *("boat", "train", "tractor", "quad", "atv"),
    ),
}
_GROUP_OF = {word: group for group, words in _GROUPS.items() for word in words}
# "No CV result" is Wildlife Insights' for a picture of which its model was not sure enough: it may show anything.
_UNKNOWN = frozenset(
    {"", "unknown", "unclassified", "unidentified", "unlabeled", "unlabelled", "undetermined", "no cv result"}
)


def group_of(label: str) -> str:
    """animal, person, vehicle or nothing, by the label's words; what is none of the known words is an animal."""
    return _GROUP_OF.get(normalize_label(label), "animal")


def is_unknown_label(label: str) -> bool:
    """True for labels such as `unknown`: nobody has said yet what is on the picture."""
    return normalize_label(label) in _UNKNOWN


def normalize_label(name: str) -> str:
    """Small letters, and single spaces for whatever else is between the words."""
    return re.sub(r"[\W_]+", " ", name).strip().lower()


def is_image_file(path: Path) -> bool:
    """By its name alone. macOS leaves files `._name.jpg` that are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def intern_name(text: str) -> str:
    """One object for names that look the same (`uncia.camtrap.names`): a label of 50,000 images is kept once."""
    return sys.intern(canonical_name(text))


def existing_path(path: Path) -> Path:
    """The path in the Unicode form in which the file is there: macOS writes names decomposed, tables mostly do not."""
    if str(path).isascii() or path.exists():
        return path
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((form for form in forms if form.exists()), path)


def require_samples(found: int, where: Path, hint: str) -> None:
    """Raises `DataError` where a source gave nothing."""
    if not found:
        raise DataError(f"no labelled pictures in {where}: {hint}")
