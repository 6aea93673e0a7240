"""The plan of a harvest: which source is asked for what, and how many pictures are wanted. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from random import Random

from uncia.training.harvest import HarvestError

__all__ = [
    "LOCAL",
    "NAME_SOURCES",
    "NEGATIVE_LABEL",
    "TEXT_SOURCES",
    "HarvestPlan",
    "Query",
    "QueryKind",
    "TargetTaxon",
    "plan_queries",
    "random_words",
]

NEGATIVE_LABEL = "blank"
_MOST_NAMES = 4
"""Names of one taxon that text searches are made for: the accepted one and three synonyms."""


class QueryKind(StrEnum):
    """What the pictures of a query are for."""

    POSITIVE = "positive"
    HABITAT = "habitat"
    RANDOM = "random"


@dataclass(frozen=True)
class TargetTaxon:
    """A taxon that pictures are wanted of, with all names that it is known by."""

    name: str
    """The accepted scientific name."""
    label: str
    synonyms: tuple[str, ...] = ()
    vernacular: tuple[str, ...] = ()
    gbif_key: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the accepted one first."""
        return tuple(dict.fromkeys((self.name, *self.synonyms, *self.vernacular)))


@dataclass(frozen=True)
class Query:
    """One search in one source."""

    kind: QueryKind
    source: str
    label: str
    text: str
    """A taxon's name, a habitat term, or a word."""
    wanted: int
    """Pictures wanted of this source for this label and kind, over all queries; of a random word, for the word."""
    taxon: str = ""
    gbif_key: int | None = None


@dataclass(frozen=True)
class HarvestPlan:
    """What a harvest gathers. `uncia harvest plan` writes it, and nothing changes it afterwards."""

    taxa: tuple[TargetTaxon, ...]
    sources: tuple[str, ...]
    per_taxon: int
    negatives: int
    habitats: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    contact: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)
    local: str = ""
    local_licence: str = ""
    local_author: str = ""
    seed: int = 1


NAME_SOURCES = ("inaturalist", "gbif")
"""Sources that are searched by taxon and hold organisms alone: they have no pictures of nothing."""
TEXT_SOURCES = ("wikimedia-commons", "openverse")
LOCAL = "local"


def plan_queries(plan: HarvestPlan) -> tuple[Query, ...]:
    """The queries of a plan, positives first: what two queries find belongs to the first one.

    Half of the negatives are searched by habitat and half by random words where both are given. Raises `HarvestError`.
    """
    if not plan.taxa:
        raise HarvestError("no taxon: name at least one with --taxon")
    labels = [taxon.label for taxon in plan.taxa]
    if len(set(labels)) < len(labels):
        raise HarvestError(f"two taxa have the label {max(labels, key=labels.count)!r}: give one another label")
    queries = [query for taxon in plan.taxa for source in plan.sources for query in _positives(taxon, source, plan)]
    queries += _negatives(plan)
    return tuple(queries)


def _positives(taxon: TargetTaxon, source: str, plan: HarvestPlan) -> list[Query]:
    each = ceil(plan.per_taxon / len(plan.sources))
    if source in NAME_SOURCES:
        if source == "gbif" and taxon.gbif_key is None:
            return []
        return [Query(QueryKind.POSITIVE, source, taxon.label, taxon.name, each, taxon.name, taxon.gbif_key)]
    if source == LOCAL:
        return [Query(QueryKind.POSITIVE, source, taxon.label, taxon.name, each, taxon.name)]
    names = (taxon.name, *taxon.synonyms)[:_MOST_NAMES]
    return [Query(QueryKind.POSITIVE, source, taxon.label, name, each, taxon.name) for name in names]


def _negatives(plan: HarvestPlan) -> list[Query]:
    sources = [source for source in plan.sources if source not in NAME_SOURCES]
    if not plan.negatives:
        return []
    if not sources:
        raise HarvestError(
            f"{' and '.join(plan.sources)} have no pictures without an animal: add wikimedia-commons, openverse or "
            "--local, or set --negatives 0"
        )
    kinds = [(QueryKind.HABITAT, plan.habitats), (QueryKind.RANDOM, plan.words)]
    kinds = [(kind, terms) for kind, terms in kinds if terms]
    if not kinds:
        raise HarvestError("negatives need habitat terms or random words: give --habitat, --random-words or both")
    queries = []
    for kind, terms in kinds:
        each = ceil(plan.negatives / len(kinds) / len(sources))
        for source in sources:
            per_term = each if kind is QueryKind.HABITAT else ceil(each / len(terms))
            queries += [Query(kind, source, NEGATIVE_LABEL, term, per_term) for term in terms]
    return queries


def random_words(words: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """`count` different words, the same for the same seed. Raises `HarvestError` where there are not so many."""
    if count > len(words):
        raise HarvestError(f"{count} random words are wanted, and the list has {len(words)}")
    return tuple(Random(seed).sample(list(words), count))
