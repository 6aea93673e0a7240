"""All stages in order: describe, shortlist, score, verify, fuse."""

from collections.abc import Collection, Sequence
from datetime import datetime

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
)
from uncia.processors.identify.matching.evidence import Evidence, MatcherConfig, collect_evidence, pair_points
from uncia.processors.identify.matching.fusion import FusionWeights, fuse, shipped_weights
from uncia.processors.identify.matching.interface import Candidate, PointPair, Position, Proposal, ReferenceIndex
from uncia.processors.identify.matching.local_features import FEWEST_KEYPOINTS, extract
from uncia.processors.identify.matching.quality import normalise
from uncia.processors.identify.matching.reference_index import InMemoryIndex

MAX_POINTS = 60
"""Pairs of points of a candidate, for drawing."""


class FusedMatcher:
    """Implements `Matcher`. Holds no state of its own; `describe` and `propose` may be called from any thread."""

    def __init__(
        self, embedder: str = NO_EMBEDDER, config: MatcherConfig | None = None, weights: FusionWeights | None = None
    ) -> None:
        self._embedder = embedder
        self._config = config or MatcherConfig()
        self._weights = weights or shipped_weights()

    @property
    def embedder(self) -> str:
        return self._embedder

    def new_index(self) -> InMemoryIndex:
        return InMemoryIndex(self._embedder)

    def describe(
        self, image: ByteArray, embedding: NDArray[np.floating] | None = None, *, side: Side = Side.UNKNOWN
    ) -> Description:
        """As in `Matcher`. Raises `ValueError` for an array that is no RGB image, an embedding that is no vector of
        finite numbers or of zeros alone, and an embedding where the matcher has no embedder."""
        vector = self._unit(embedding)
        crop = normalise(image, side)
        keypoints, descriptors = extract(crop)
        quality = crop.quality
        if quality.usable and len(keypoints) < FEWEST_KEYPOINTS:
            quality = Quality(
                quality.sharpness,
                quality.exposure,
                quality.contrast,
                width=quality.width,
                height=quality.height,
                side=side,
                reason=f"The crop has {len(keypoints)} key points; matching needs {FEWEST_KEYPOINTS}.",
            )
        if not quality.usable:
            keypoints, descriptors, vector = keypoints[:0], descriptors[:0], vector[:0]
        return Description(self._embedder, vector, keypoints, descriptors, crop.fingerprint, quality)

    def propose(
        self,
        queries: Sequence[Description],
        when: datetime | None,
        where: Position | None,
        index: ReferenceIndex,
        *,
        excluded_encounters: Collection[str] = (),
    ) -> Proposal:
        """As in `Matcher`. Raises `ValueError` if `when` has no time zone."""
        self._check(queries, when, index)
        usable = [query for query in queries if query.quality.usable]
        if not usable:
            reasons = dict.fromkeys(query.quality.reason or "" for query in queries)
            return Proposal((), 0.0, False, reason=" ".join(reasons) or "The burst has no crops.")
        collected = collect_evidence(queries, when, where, index, self._config, excluded_encounters)
        scores, new_score = fuse(collected, self._weights)
        candidates = [
            _candidate(evidence, float(score), queries[evidence.query_index])
            for evidence, score in zip(collected.individuals, scores, strict=True)
        ]
        candidates.sort(key=lambda candidate: (-candidate.score, candidate.individual_id))
        same = {
            reference.reference_id
            for query in usable
            for reference in index.same_picture(query)
            if reference.encounter_id not in excluded_encounters
        }
        return Proposal(
            candidates=tuple(candidates),
            new_score=new_score,
            calibrated=self._weights.genuine,
            ruled_out=collected.ruled_out,
            same_picture=tuple(sorted(same)),
        )

    def _check(self, queries: Sequence[Description], when: datetime | None, index: ReferenceIndex) -> None:
        if when is not None and when.tzinfo is None:
            raise ValueError("The time of a burst needs a time zone.")
        if index.embedder != self._embedder:
            raise ForeignEmbedder(
                f"The index holds embeddings of {index.embedder} and the matcher uses {self._embedder}: "
                "rebuild the index."
            )
        for query in queries:
            if query.embedder != self._embedder:
                raise ForeignEmbedder(
                    f"A crop was embedded by {query.embedder} and the matcher uses {self._embedder}: "
                    "compute its description again."
                )

    def _unit(self, embedding: NDArray[np.floating] | None) -> FloatArray:
        if embedding is None:
            return np.zeros(0, dtype=np.float32)
        if self._embedder == NO_EMBEDDER:
            raise ValueError("An embedding needs the name of its embedder.")
        vector = np.asarray(embedding, dtype=np.float64)
        norm = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not np.isfinite(norm) or norm == 0:
            raise ValueError("An embedding must be a vector of finite numbers, not all of them zero.")
        return np.asarray(vector / norm, dtype=np.float32)


def _candidate(evidence: Evidence, score: float, query: Description) -> Candidate:
    points = pair_points(evidence, query)[:MAX_POINTS].tolist()
    return Candidate(
        individual_id=evidence.individual_id,
        score=score,
        matches=evidence.best.count,
        reference_id=evidence.reference.reference_id,
        query_index=evidence.query_index,
        points=tuple(PointPair(*pair) for pair in points),
    )
