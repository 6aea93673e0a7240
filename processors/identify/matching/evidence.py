"""The evidence that the crops of a burst show an individual: embedding, LNBNN, geometry, side, time and distance."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from uncia.processors.identify.matching.description import Description, FloatArray, Side
from uncia.processors.identify.matching.geometry import NOTHING, Verification, verify, verify_votes
from uncia.processors.identify.matching.interface import Position, Reference, ReferenceIndex
from uncia.processors.identify.matching.lnbnn import lnbnn_scores
from uncia.processors.identify.matching.local_features import unit_descriptors
from uncia.processors.identify.matching.movement import MovementBound, distance_km, hours_between, is_possible

_VOTING, _VOTED_FOR = 80, 100
"""Key points in the middle of the query and of a reference that take part in LNBNN; the edges of a box show background,
whose points are as near to those of any individual."""


@dataclass(frozen=True)
class MatcherConfig:
    """Each number bounds the time of a proposal.

    `shortlist`: references that the embedding selects, or without one LNBNN among all references, in a time that grows
    with their number; `verified`: individuals whose points are compared one to one;
    `references_each`: of each of these; `max_queries`: crops of a burst that are compared, the best ones.
    """

    shortlist: int = 300
    verified: int = 20
    references_each: int = 3
    max_queries: int = 3
    movement: MovementBound = field(default_factory=MovementBound)


@dataclass(frozen=True)
class Evidence:
    """What speaks for one individual.

    - `similarity`: the highest cosine of any crop and reference; None without embeddings;
    - `lnbnn`: the mean over the crops of the LNBNN score of its best reference;
    - `inliers`: the weight of the best verification, and `mean_inliers` the mean over the crops of each one's best;
    - `votes`: the LNBNN votes of points that agree in geometry, the mean over the crops of each one's best reference;
      `all_votes`: of the sum over its references that were compared;
    - `same_side`: whether the best reference shows the side of the crop; None where a side is unknown;
    - `hours`, `kilometres`: to the nearest sighting in time; None where unknown;
    - `best`, `reference`, `query_index`: the verification behind `inliers`.
    """

    individual_id: str
    similarity: float | None
    lnbnn: float
    inliers: float
    mean_inliers: float
    votes: float
    all_votes: float
    same_side: bool | None
    hours: float | None
    kilometres: float | None
    best: Verification
    reference: Reference
    query_index: int


@dataclass(frozen=True)
class CollectedEvidence:
    """`individuals`, by id; `similarities`: of all shortlisted individuals, what a similarity is compared with."""

    individuals: tuple[Evidence, ...]
    similarities: tuple[float, ...]
    ruled_out: tuple[str, ...]


@dataclass(frozen=True)
class _Query:
    """A crop of the burst; `voting`: the numbers of its key points that take part in LNBNN."""

    index: int
    description: Description
    descriptors: FloatArray
    voting: NDArray[np.intp]

    @property
    def votes(self) -> tuple[FloatArray, FloatArray]:
        """Descriptors and weights of the voting points."""
        return self.descriptors[self.voting], self.description.centre_weights[self.voting]


@dataclass(frozen=True)
class _Shortlisted:
    """A reference with its similarity, and for each query its LNBNN score."""

    reference: Reference
    similarity: float
    lnbnn: tuple[float, ...]


def collect_evidence(
    queries: Sequence[Description],
    when: datetime | None,
    where: Position | None,
    index: ReferenceIndex,
    config: MatcherConfig,
    excluded_encounters: Collection[str] = (),
) -> CollectedEvidence:
    """Compare the usable crops of a burst with the index. Time is bounded by `config`, but for the shortlist, whose
    time grows with the index."""
    chosen = _choose(queries, config.max_queries)
    if not chosen:
        return CollectedEvidence((), (), ())
    embedded = [query.description.embedding for query in chosen if query.description.embedding.size]
    stacked: FloatArray = np.stack(embedded) if embedded else np.zeros((0, 0), dtype=np.float32)
    nearest = index.nearest(
        stacked, config.shortlist if embedded else len(index), excluded_encounters=excluded_encounters
    )
    # In an order that does not depend on how the index came about.
    nearest.sort(key=lambda found: (found[0].individual_id, found[0].reference_id))
    if len(nearest) > config.shortlist:
        nearest = _most_voted(chosen, nearest, config.shortlist)
    possible: dict[str, bool] = {}
    for reference, _ in nearest:
        name = reference.individual_id
        if name not in possible:
            sightings = (seen for seen in index.references_of(name) if seen.encounter_id not in excluded_encounters)
            possible[name] = is_possible(sightings, when, where, config.movement)
    kept = [(reference, similarity) for reference, similarity in nearest if possible[reference.individual_id]]
    by_individual: dict[str, list[_Shortlisted]] = {}
    scored, normalisers = _score(chosen, kept)
    for entry in scored:
        by_individual.setdefault(entry.reference.individual_id, []).append(entry)
    similarities = {name: max(entry.similarity for entry in entries) for name, entries in by_individual.items()}
    evidence = tuple(
        _verify(chosen, normalisers, by_individual[name], bool(embedded), when, where, config)
        for name in _most_promising(by_individual, similarities if embedded else {}, config.verified)
    )
    ruled_out = tuple(sorted(name for name, allowed in possible.items() if not allowed))
    return CollectedEvidence(evidence, tuple(similarities.values()) if embedded else (), ruled_out)


def _choose(queries: Sequence[Description], most: int) -> list[_Query]:
    """The crops with the most key points; ties by content, so that their order does not matter."""
    usable = [
        (index, description)
        for index, description in enumerate(queries)
        if description.quality.usable and (len(description.keypoints) or description.embedding.size)
    ]
    usable.sort(key=lambda item: (-len(item[1].keypoints), -item[1].quality.sharpness, item[1].fingerprint))
    return [
        _Query(index, description, unit_descriptors(description.descriptors), description.central(_VOTING))
        for index, description in usable[:most]
    ]


def _comparable(query: Side, reference: Side) -> bool:
    return Side.UNKNOWN in (query, reference) or query is reference


def _score(
    queries: Sequence[_Query], kept: Sequence[tuple[Reference, float]]
) -> tuple[list[_Shortlisted], list[FloatArray]]:
    """LNBNN over the references that show no other side than the query, and for each query its normalisers."""
    scores = np.zeros((len(kept), len(queries)))
    normalisers = [np.full(len(query.voting), np.inf, dtype=np.float32) for query in queries]
    for column, query in enumerate(queries):
        side = query.description.quality.side
        rows = [
            row
            for row, (reference, _) in enumerate(kept)
            if len(reference.description.keypoints) and _comparable(side, reference.side)
        ]
        if not rows:
            continue
        numbers: dict[str, int] = {}
        owners = [numbers.setdefault(kept[row][0].individual_id, len(numbers)) for row in rows]
        scored = lnbnn_scores(*query.votes, (_voted_for(kept[row][0].description)[1] for row in rows), owners)
        scores[rows, column], normalisers[column] = scored.of_references, scored.normalisers
    shortlisted = [
        _Shortlisted(reference, similarity, tuple(scores[row].tolist()))
        for row, (reference, similarity) in enumerate(kept)
    ]
    return shortlisted, normalisers


def _most_voted(
    queries: Sequence[_Query], references: Sequence[tuple[Reference, float]], count: int
) -> list[tuple[Reference, float]]:
    """The references with the highest LNBNN score of any crop, in their order; ties by their order."""
    entries, _ = _score(queries, references)
    ranked = sorted(range(len(entries)), key=lambda row: (-max(entries[row].lnbnn), row))
    return [references[row] for row in sorted(ranked[:count])]


def _voted_for(description: Description) -> tuple[FloatArray, FloatArray]:
    """Key points and descriptors of a reference that take part in LNBNN."""
    chosen = description.central(_VOTED_FOR)
    return description.keypoints[chosen], unit_descriptors(description.descriptors[chosen])


def _mean_lnbnn(entries: Sequence[_Shortlisted]) -> float:
    return float(np.mean([max(scores) for scores in zip(*(entry.lnbnn for entry in entries), strict=True)]))


def _most_promising(
    by_individual: dict[str, list[_Shortlisted]], similarities: dict[str, float], count: int
) -> list[str]:
    """The best by LNBNN and by similarity in turn, so that an individual that either misses is still verified; by LNBNN
    alone where `similarities` is empty."""
    by_lnbnn = sorted(by_individual, key=lambda name: (-_mean_lnbnn(by_individual[name]), name))
    if not similarities:
        return sorted(by_lnbnn[:count])
    by_similarity = sorted(by_individual, key=lambda name: (-similarities[name], name))
    chosen: dict[str, None] = {}
    for first, second in zip(by_lnbnn, by_similarity, strict=True):
        chosen[first] = None
        if len(chosen) < count:
            chosen[second] = None
        if len(chosen) >= count:
            break
    return sorted(chosen)


def _verify(
    queries: Sequence[_Query],
    normalisers: Sequence[FloatArray],
    entries: Sequence[_Shortlisted],
    embedded: bool,
    when: datetime | None,
    where: Position | None,
    config: MatcherConfig,
) -> Evidence:
    best: tuple[Verification, _Query, Reference] | None = None
    inliers: list[float] = []
    votes: list[list[float]] = []
    for column, query in enumerate(queries):
        most = 0.0
        votes.append([])
        ranked = sorted(
            entries, key=lambda entry: (-entry.lnbnn[column], -entry.similarity, entry.reference.reference_id)
        )
        for entry in ranked[: config.references_each]:
            found = _compare(query, entry.reference)
            most = max(most, found.weight)
            votes[-1].append(_votes(query, normalisers[column], entry.reference))
            if best is None or found.weight > best[0].weight:
                best = (found, query, entry.reference)
        inliers.append(most)
    assert best is not None, "an individual has references, and a burst that is compared has queries"
    verification, query, reference = best
    sides = (query.description.quality.side, reference.side)
    hours, kilometres = _nearest_sighting(entries, when, where)
    return Evidence(
        individual_id=reference.individual_id,
        similarity=max(entry.similarity for entry in entries) if embedded else None,
        lnbnn=_mean_lnbnn(entries),
        inliers=verification.weight,
        mean_inliers=float(np.mean(inliers)),
        votes=float(np.mean([max(each) for each in votes])),
        all_votes=float(np.mean([sum(each) for each in votes])),
        same_side=None if Side.UNKNOWN in sides else sides[0] is sides[1],
        hours=hours,
        kilometres=kilometres,
        best=verification,
        reference=reference,
        query_index=query.index,
    )


def _compare(query: _Query, reference: Reference) -> Verification:
    if not _comparable(query.description.quality.side, reference.side):
        return NOTHING
    other = reference.description
    return verify(query.description.keypoints, query.descriptors, other.keypoints, unit_descriptors(other.descriptors))


def _votes(query: _Query, normalisers: FloatArray, reference: Reference) -> float:
    """The LNBNN votes of points that agree; 0 without a second individual, which they are compared with."""
    if not _comparable(query.description.quality.side, reference.side) or not np.isfinite(normalisers).all():
        return 0.0
    points, descriptors = _voted_for(reference.description)
    own, weights = query.votes
    return verify_votes(query.description.keypoints[query.voting], own, points, descriptors, normalisers, weights)


def _nearest_sighting(
    entries: Sequence[_Shortlisted], when: datetime | None, where: Position | None
) -> tuple[float | None, float | None]:
    """Hours to the nearest sighting in time, and kilometres to its place."""
    if when is None:
        return None, None
    timed = [
        (hours_between(entry.reference.captured_at, when), entry.reference.reference_id, entry.reference.position)
        for entry in entries
        if entry.reference.captured_at is not None
    ]
    if not timed:
        return None, None
    hours, _, position = min(timed, key=lambda item: item[:2])
    return hours, None if where is None or position is None else distance_km(position, where)


def pair_points(evidence: Evidence, query: Description) -> NDArray[np.float32]:
    """(n, 4): x and y in the query crop, x and y in the reference crop, of the points that agree, best first."""
    pairs = evidence.best.pairs
    here, there = query.keypoints[pairs[:, 0], :2], evidence.reference.description.keypoints[pairs[:, 1], :2]
    return np.hstack((here, there)).astype(np.float32)
