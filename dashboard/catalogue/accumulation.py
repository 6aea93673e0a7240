"""How many taxa a number of detections shows, and how many were probably missed; pure.

Rarefaction by individuals: Hurlbert, "The nonconcept of species diversity", Ecology 52 (1971). Chao1 in its
bias-corrected form: Chao, "Species richness estimation", Encyclopedia of Statistical Sciences (2005).
"""

import math
from collections.abc import Sequence

from uncia.camtrap.taxonomy import Taxonomy

__all__ = ["chao1", "distinct_taxa", "rarefaction", "rarefaction_curve"]


def distinct_taxa(names: Sequence[str], taxonomy: Taxonomy) -> set[str]:
    """The taxa that none of the others is below: a family is no further taxon where one of its species was seen."""
    above = {ancestor for name in names for ancestor in taxonomy.ancestors(name)}
    return set(names) - above


def rarefaction(counts: Sequence[int], sample: int) -> float:
    """Expected number of taxa among `sample` detections that are drawn at random. `counts`: detections by taxon."""
    own = [count for count in counts if count > 0]
    total = sum(own)
    if not 0 <= sample <= total:
        raise ValueError(f"{sample} detections cannot be drawn from {total}")
    every = _log_choose(total, sample)
    missed = (math.exp(_log_choose(total - count, sample) - every) for count in own if total - count >= sample)
    return len(own) - sum(missed)


def chao1(counts: Sequence[int]) -> float:
    """Lower bound of the number of taxa, seen or not, from those seen once and twice."""
    seen = sum(count > 0 for count in counts)
    once, twice = (sum(count == times for count in counts) for times in (1, 2))
    return seen + once * (once - 1) / (2 * (twice + 1))


def rarefaction_curve(counts: Sequence[int], points: int = 40) -> list[tuple[int, float]]:
    """The curve at evenly spaced numbers of detections, from none to all."""
    total = sum(counts)
    samples = sorted({round(total * at / points) for at in range(points + 1)})
    return [(sample, rarefaction(counts, sample)) for sample in samples]


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
