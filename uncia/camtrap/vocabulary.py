"""Maps labels to the categories animal, person, vehicle and blank, for datasets, label files and models.

The categories are MegaDetector's, and `nothing` for a blank. `nothing` is the stored value, on topics and in label
sets; people see "blank".
"""

import re
from typing import Literal, get_args

Category = Literal["animal", "person", "vehicle", "nothing"]

CATEGORIES: tuple[Category, ...] = get_args(Category)

_WORDS: dict[Category, tuple[str, ...]] = {
    "animal": ("animal", "animals"),
    "person": (
        *("person", "persons", "people", "human", "humans", "homo", "homo sapiens"),
        *("man", "woman", "hiker", "ranger"),
    ),
    "vehicle": (
        *("vehicle", "vehicles", "car", "cars", "truck", "bus", "van", "motorcycle", "motorbike", "bicycle", "bike"),
        *("boat", "train", "tractor", "quad", "atv"),
    ),
    "nothing": ("nothing", "none", "blank", "blanks", "empty", "no animal", "background", "ghost"),
}
_CATEGORY_OF = {word: category for category, words in _WORDS.items() for word in words}

NO_CV_RESULT = "no cv result"
"""Label of Wildlife Insights for low confidence: the photograph can show anything."""

_UNKNOWN = frozenset(
    {"", "unknown", "unclassified", "unidentified", "unlabeled", "unlabelled", "undetermined", NO_CV_RESULT}
)

OBSERVATION_TYPES: dict[str, Category] = {
    "animal": "animal",
    "human": "person",
    "vehicle": "vehicle",
    "blank": "nothing",
}
"""Category by Camtrap DP's `observationType`; other values have no category."""


def category_of(label: str) -> Category | None:
    """Return the category that a label names; None for other labels, such as a species."""
    return _CATEGORY_OF.get(normalized_label(label))


def group_of(label: str) -> Category:
    """Return the category of a label; labels that name no category, such as a species, are animals."""
    return category_of(label) or "animal"


def is_unknown(label: str) -> bool:
    """Return whether a label, such as `unknown`, means that the content was not determined."""
    return normalized_label(label) in _UNKNOWN


def normalized_label(label: str) -> str:
    """Return the label in lower case, with single spaces between words."""
    return re.sub(r"[\W_]+", " ", label).strip().lower()
