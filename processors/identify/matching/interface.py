"""What a matcher of individuals takes and returns.

`Description` is computed once per crop and stored; `Reference` is a description whose individual is known; `Proposal`
is the answer to a burst. `Matcher` and `ReferenceIndex` are protocols, so that each stage can be replaced.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from uncia.processors.identify.matching.description import (
    NO_EMBEDDER,
    ByteArray,
    Description,
    FloatArray,
    ForeignEmbedder,
    Quality,
    Side,
    UnreadableDescription,
)

__all__ = [
    "NO_EMBEDDER",
    "Candidate",
    "Description",
    "ForeignEmbedder",
    "Matcher",
    "PointPair",
    "Position",
    "Proposal",
    "Quality",
    "Reference",
    "ReferenceIndex",
    "SamePicture",
    "Side",
    "UnreadableDescription",
]


class Position(NamedTuple):
    """WGS 84, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Reference:
    """A crop whose individual is known. `captured_at` must have a time zone."""

    reference_id: str
    individual_id: str
    encounter_id: str
    camera: str
    captured_at: datetime | None
    position: Position | None
    description: Description

    @property
    def side(self) -> Side:
        return self.description.quality.side


class PointPair(NamedTuple):
    """A matched point: pixels of the query crop, and pixels of the reference crop."""

    query_x: float
    query_y: float
    reference_x: float
    reference_y: float


@dataclass(frozen=True)
class Candidate:
    """An individual that the burst may show.

    `score` is in [0, 1]: the probability that it is this one if the proposal is calibrated. `matches` counts points
    that agree in geometry between query `query_index` and the reference; `points` are these, best first.
    """

    individual_id: str
    score: float
    matches: int
    reference_id: str
    query_index: int
    points: tuple[PointPair, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """Who a burst may show. The scores of the candidates and `new_score` sum to at most 1.

    `new_score`: that it is none of the known individuals. `ruled_out`: individuals that were seen too far away at
    nearly the same time. `same_picture`: references that are the same photograph as a query. `reason` says
    why nothing was compared; then there are no candidates, and `new_score` means nothing.
    """

    candidates: tuple[Candidate, ...]
    new_score: float
    calibrated: bool
    ruled_out: tuple[str, ...] = ()
    same_picture: tuple[str, ...] = ()
    reason: str | None = None


class SamePicture(NamedTuple):
    """One photograph that is filed under two individuals: one of them is wrong."""

    first_reference_id: str
    second_reference_id: str


class ReferenceIndex(Protocol):
    """The known individuals. Not thread-safe: one owner changes and reads it."""

    @property
    def embedder(self) -> str:
        """The embedder of all references."""
        ...

    def __len__(self) -> int:
        """Number of references."""
        ...

    def add(self, reference: Reference) -> tuple[SamePicture, ...]:
        """Add a reference, or replace the one with its id. Returns the references of other individuals that are the
        same photograph. Raises `ForeignEmbedder`."""
        ...

    def add_all(self, references: Iterable[Reference]) -> tuple[SamePicture, ...]:
        """As `add`, for many at once. Nothing is added if one of them raises."""
        ...

    def remove(self, reference_id: str) -> bool:
        """Remove a reference. Returns False if there is none."""
        ...

    def remove_individual(self, individual_id: str) -> int:
        """Remove all references of an individual. Returns how many there were."""
        ...

    def get(self, reference_id: str) -> Reference | None:
        """The reference with this id."""
        ...

    def references_of(self, individual_id: str) -> tuple[Reference, ...]:
        """All references of an individual, by id."""
        ...

    def individuals(self) -> tuple[str, ...]:
        """The ids of all individuals, sorted."""
        ...

    def same_picture(self, description: Description) -> tuple[Reference, ...]:
        """References that are the same photograph as this description, by id; empty for an unusable crop."""
        ...

    def nearest(
        self, embeddings: FloatArray, count: int, *, excluded_encounters: Collection[str] = ()
    ) -> list[tuple[Reference, float]]:
        """The `count` references with the highest cosine similarity to any row of `embeddings` (Q, D), best first; ties
        by id. References of `excluded_encounters` and of unusable crops are left out."""
        ...


class Matcher(Protocol):
    """Describes crops and proposes individuals. Deterministic: the same input gives the same proposal."""

    @property
    def embedder(self) -> str:
        """Name and version of the model whose embeddings `describe` is given; `NO_EMBEDDER` for none."""
        ...

    def describe(
        self, image: ByteArray, embedding: NDArray[np.floating] | None = None, *, side: Side = Side.UNKNOWN
    ) -> Description:
        """Describe a crop (H, W, 3), RGB. A crop that cannot be matched has no points, and a reason in its quality."""
        ...

    def new_index(self) -> ReferenceIndex:
        """An empty index for this matcher's descriptions."""
        ...

    def propose(
        self,
        queries: Sequence[Description],
        when: datetime | None,
        where: Position | None,
        index: ReferenceIndex,
        *,
        excluded_encounters: Collection[str] = (),
    ) -> Proposal:
        """Propose individuals for the crops of one burst, which vote.

        References of `excluded_encounters` are not compared: a burst never matches itself. Raises `ForeignEmbedder` if
        the index holds embeddings of another model.
        """
        ...
