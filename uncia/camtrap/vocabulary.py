"""What people call an animal, a person, a vehicle and a blank: one vocabulary for data sets, label files and models.

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
"""Wildlife Insights writes it where its model was not sure enough: the photograph may show anything."""

_UNKNOWN = frozenset(
    {"", "unknown", "unclassified", "unidentified", "unlabeled", "unlabelled", "undetermined", NO_CV_RESULT}
)

OBSERVATION_TYPES: dict[str, Category] = {
    "animal": "animal",
    "human": "person",
    "vehicle": "vehicle",
    "blank": "nothing",
}
"""Category by Camtrap DP's `observationType`; its other values state none."""


def category_of(label: str) -> Category | None:
    """The category that a label names; None for a label that names a kind, such as a species."""
    return _CATEGORY_OF.get(normalized_label(label))


def group_of(label: str) -> Category:
    """The category of a label; a label that names a kind counts as an animal."""
    return category_of(label) or "animal"


def is_unknown(label: str) -> bool:
    """Whether a label states nothing, as `unknown` does: what the photograph shows was not determined."""
    return normalized_label(label) in _UNKNOWN


def normalized_label(label: str) -> str:
    """The label in lower case, with single spaces for everything between its words."""
    return re.sub(r"[\W_]+", " ", label).strip().lower()
