"""Trials of the recognition of individuals: who is it, asked of an index that lacks the encounter, or the animal."""

import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from uncia.imaging.frame_spec import FrameSpec
from uncia.processors.identify.matching.evidence import CollectedEvidence, MatcherConfig, collect_evidence
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.fusion import feature_rows
from uncia.processors.identify.matching.interface import (
    NO_EMBEDDER,
    Description,
    Position,
    Reference,
    ReferenceIndex,
    Side,
)
from uncia.training.features.backbone_registry import load_backbone
from uncia.training.features.trunk_extractor import TrunkExtractor
from uncia.training.individuals.population import Encounter, Individual, populate, render_encounter
from uncia.triton_models.recipes import efficientnet

EMBEDDER = "efficientnet-lite2"
_CACHE = Path(".local/individuals")
_SPEC = FrameSpec(width=320, height=224, crop_top=0, crop_bottom=0, window=320)


@dataclass(frozen=True)
class Burst:
    """The described crops of one encounter."""

    encounter_id: str
    individual_id: str
    camera: str
    captured_at: datetime | None
    position: Position | None
    descriptions: tuple[Description, ...]


@dataclass(frozen=True)
class Trial:
    """One burst against an index. `truth`: the row of `names` that is right, None if the animal is not in the index or
    not among those compared; `known`: whether it is in the index. `columns`: what each stage alone ranks by."""

    individual_id: str
    known: bool
    truth: int | None
    names: tuple[str, ...]
    rows: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]


def describe_crops(images: Sequence[Image.Image], side: Side) -> tuple[Description, ...]:
    """Describe crops with the benchmark's embedder."""
    matcher = FusedMatcher(EMBEDDER)
    return tuple(matcher.describe(np.asarray(image.convert("RGB")), embed(image), side=side) for image in images)


def embed(image: Image.Image) -> NDArray[np.float32]:
    """The pooled features of the last layer of the classifier's trunk, as the stream computes them."""
    frame = np.asarray(image.convert("RGB").resize((_SPEC.width, _SPEC.height), Image.Resampling.LANCZOS))
    (rows,) = _trunk()(frame[None])
    return np.asarray(rows[0, 0], dtype=np.float32)


@cache
def _trunk() -> TrunkExtractor:
    _CACHE.mkdir(parents=True, exist_ok=True)
    return TrunkExtractor(load_backbone(EMBEDDER), (efficientnet.FEATURES,), _SPEC, _CACHE)


def synthetic_bursts(individuals: int, seed: int, frames: int, workers: int) -> list[Burst]:
    """Render and describe all encounters of a synthetic population."""
    population = populate(individuals, seed)
    by_id = {individual.individual_id: individual for individual in population.individuals}
    jobs = [(encounter, by_id[encounter.individual_id], frames) for encounter in population.encounters]
    _trunk()  # exported once, before the workers would all do it
    with _pool(workers) as pool:
        return list(pool.map(_synthetic_burst, jobs, chunksize=4))


def _synthetic_burst(job: tuple[Encounter, Individual, int]) -> Burst:
    encounter, individual, frames = job
    side = Side.RIGHT if encounter.right else Side.LEFT
    return Burst(
        encounter.encounter_id,
        encounter.individual_id,
        encounter.camera,
        encounter.captured_at,
        Position(encounter.latitude, encounter.longitude),
        describe_crops(render_encounter(encounter, individual, frames), side),
    )


def without_embeddings(bursts: Iterable[Burst]) -> list[Burst]:
    """The same bursts, as the worker describes them."""
    return [
        replace(
            burst,
            descriptions=tuple(
                replace(one, embedder=NO_EMBEDDER, embedding=one.embedding[:0]) for one in burst.descriptions
            ),
        )
        for burst in bursts
    ]


def index_of(bursts: Iterable[Burst], embedder: str) -> ReferenceIndex:
    """All crops of all bursts as references."""
    index = FusedMatcher(embedder).new_index()
    index.add_all(
        Reference(
            f"{burst.encounter_id}/{number}",
            burst.individual_id,
            burst.encounter_id,
            burst.camera,
            burst.captured_at,
            burst.position,
            description,
        )
        for burst in bursts
        for number, description in enumerate(burst.descriptions)
    )
    return index


@dataclass(frozen=True)
class _Job:
    burst: Burst
    excluded: frozenset[str]
    known: bool


_index: ReferenceIndex | None = None
"""The index of a worker process, which it inherits."""


def run_trials(bursts: Sequence[Burst], workers: int, queries: Sequence[Burst] | None = None) -> list[Trial]:
    """Ask for each burst twice: without its own encounter, and without its animal, which is then a new one.

    `queries` are other bursts of the same animals; by default the bursts themselves.
    """
    global _index
    encounters: dict[str, set[str]] = defaultdict(set)
    for burst in bursts:
        encounters[burst.individual_id].add(burst.encounter_id)
    jobs = [
        _Job(burst, frozenset(excluded), known)
        for burst in queries or bursts
        for excluded, known in (
            ({burst.encounter_id}, bool(encounters[burst.individual_id] - {burst.encounter_id})),
            (encounters[burst.individual_id] | {burst.encounter_id}, False),
        )
    ]
    _index = index_of(bursts, bursts[0].descriptions[0].embedder)
    with _pool(workers) as pool:
        return list(pool.map(_run_trial, jobs, chunksize=4))


def _run_trial(job: _Job) -> Trial:
    assert _index is not None
    burst = job.burst
    collected = collect_evidence(
        burst.descriptions, burst.captured_at, burst.position, _index, MatcherConfig(), job.excluded
    )
    names = tuple(evidence.individual_id for evidence in collected.individuals)
    truth = names.index(burst.individual_id) if burst.individual_id in names else None
    return Trial(burst.individual_id, job.known, truth, names, feature_rows(collected), _stages(collected))


def _stages(collected: CollectedEvidence) -> dict[str, NDArray[np.float64]]:
    individuals = collected.individuals
    return {
        "embedding": np.array([evidence.similarity or 0.0 for evidence in individuals]),
        "LNBNN": np.array([evidence.lnbnn for evidence in individuals]),
        "geometry": np.array([evidence.inliers for evidence in individuals]),
        "LNBNN and geometry": np.array([evidence.all_votes for evidence in individuals]),
    }


def _pool(workers: int) -> ProcessPoolExecutor:
    # Forked, so that workers share the index; one thread each, so that they do not wait for each other.
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(workers, context, initializer=_limit_threads)


def _limit_threads() -> None:
    threadpool_limits(1)
