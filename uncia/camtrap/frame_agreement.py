"""Whether the frames of a burst show the same, by the models; pure.

An animal that leaves makes the last frames blank, which contradicts nothing. An animal in one frame and a vehicle in
another, or two taxa neither of which is above the other, are more often a mistake of the models than two visitors.
"""

from collections.abc import Iterable
from functools import cache
from itertools import combinations

from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import BurstCategory, BurstFrame

__all__ = ["CONFIDENT_SCORE", "shown_categories", "taxa_contradict"]

CONFIDENT_SCORE = 0.5
"""From this probability on, no other class of the same frame can have more."""


def shown_categories(frames: Iterable[BurstFrame]) -> frozenset[BurstCategory]:
    """The categories that readable frames show by themselves. More than one: the frames disagree."""
    return frozenset(frame.category for frame in frames if frame.rejection is None and frame.category is not None)


def taxa_contradict(frames: Iterable[BurstFrame]) -> bool:
    """Whether two readable frames each have another taxon with a score of at least `CONFIDENT_SCORE`.

    A taxon and one above it do not contradict each other. Frames that show no animal do not count: the best class of
    such a frame means nothing.
    """
    named = {
        frame.top.taxon
        for frame in frames
        if frame.rejection is None
        and frame.category in (None, BurstCategory.ANIMAL)
        and frame.top is not None
        and frame.top.taxon
        and frame.top.group == BurstCategory.ANIMAL.value
        and frame.top.score >= CONFIDENT_SCORE
    }
    above = _taxonomy().ancestors
    return any(one not in above(other) and other not in above(one) for one, other in combinations(sorted(named), 2))


@cache
def _taxonomy() -> Taxonomy:
    return Taxonomy.load()
