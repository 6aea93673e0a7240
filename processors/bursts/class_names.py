"""Names of classes, and how a process finds them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassName:
    """The names of a class."""

    label: str
    taxon: str
    group: str


ClassNameLookup = Callable[[str, int], ClassName | None]
"""From label set id and class index to its names; None where this process does not have that label set."""
