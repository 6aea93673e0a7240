"""`python -m benchmarks.individuals`: how well individuals are recognised, on synthetic coats.

`--fit` fits the weights of the fusion on one population and writes them into the program; the report is always about
another population. `--photographs` adds sequences of genuine photographs, each taken for one individual.
"""

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from benchmarks.identification_metrics import FIGURES, Interval, Ranking, measure, rank_of
from benchmarks.individual_trials import (
    EMBEDDER,
    Burst,
    Trial,
    describe_crops,
    run_trials,
    synthetic_bursts,
    without_embeddings,
)
from benchmarks.machine import cores, describe
from benchmarks.markdown_section import replace_section, table
from uncia.processors.identify.matching.description import Description, Quality
from uncia.processors.identify.matching.fused_matcher import FusedMatcher
from uncia.processors.identify.matching.fusion import SHIPPED_WEIGHTS, FusionWeights, fuse_rows, shipped_weights
from uncia.processors.identify.matching.fusion_fitting import FusionSample, fit_fusion
from uncia.processors.identify.matching.interface import NO_EMBEDDER, Reference, Side

DOCS = Path("docs/benchmarks.md")
BEGIN = "<!-- individuals: written by `python -m benchmarks.individuals --docs` -->"
END = "<!-- end of individuals -->"

STAGES = ("LNBNN", "geometry", "LNBNN and geometry", "fused")
FIT_SEED, REPORT_SEED = 1, 3
_DIMENSIONS = 1280
_DRAWN = 500
_POINTS = 200
_CROP_MARGIN = 0.05


def main(
    individuals: Annotated[int, typer.Option(min=3, help="Individuals of the population that is reported.")] = 30,
    fitted: Annotated[int, typer.Option(min=3, help="Individuals of the population that weights are fitted on.")] = 30,
    frames: Annotated[int, typer.Option(min=1, help="Frames of an encounter.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Processes.", show_default="number of cores")] = cores(),
    fit: Annotated[bool, typer.Option("--fit", help="Fit the weights of the fusion and write them.")] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Also write the table of docs/benchmarks.md.")] = False,
    sizes: Annotated[str, typer.Option(help="Numbers of references for the time of a query.")] = "1000,10000,100000",
    photographs: Annotated[
        Path | None, typer.Option(help="Folder with a manifest.csv that has `sequence_id` and `boxes_xywh`.")
    ] = None,
) -> None:
    """Measure, and print the figures as JSON."""
    weights = _fit(fitted, frames, workers) if fit else shipped_weights()
    bursts = synthetic_bursts(individuals, REPORT_SEED, frames, workers)
    trials = run_trials(without_embeddings(bursts), workers)
    figures = {
        # The embedding alone selects what is compared by it, and the other stages are those of the worker, without one.
        "embedding": stage_figures(run_trials(bursts, workers), weights, ("embedding",))["embedding"],
        **stage_figures(trials, weights),
    }
    results: dict[str, object] = {"fitted_on": weights.fitted_on, "trials": len(trials), "synthetic": _plain(figures)}
    sections = [_table(figures, f"{individuals} synthetic individuals, {len(trials)} trials")]
    if photographs is not None:
        first, last = sequence_bursts(photographs)
        queries = without_embeddings(last)
        of_sequences = stage_figures(run_trials(without_embeddings(first), workers, queries=queries), weights)
        results["sequences"] = _plain(of_sequences)
        sections.append(_table(of_sequences, f"{len(first)} sequences, first and last frame of one burst"))
    times = {size: [query_seconds(int(size), one) for one in (EMBEDDER, NO_EMBEDDER)] for size in sizes.split(",")}
    results["query_s"] = times
    rows = [[size, *(f"{seconds:.1f}" for seconds in measured)] for size, measured in times.items()]
    sections.append(table(["references", "s for a burst of 3 crops, with an embedder", "without"], rows))
    typer.echo(json.dumps({**results, **describe()}, indent=1))
    if docs:
        DOCS.write_text(replace_section(DOCS, BEGIN, END, "\n\n".join(sections)), encoding="utf-8")


def _fit(individuals: int, frames: int, workers: int) -> FusionWeights:
    trials = run_trials(without_embeddings(synthetic_bursts(individuals, FIT_SEED, frames, workers)), workers)
    samples = fusion_samples(trials)
    fitted_on = (
        f"{len(samples)} trials of {individuals} synthetic individuals (seed {FIT_SEED}): benchmarks/individuals.py"
    )
    weights = fit_fusion(samples, fitted_on, genuine=False)
    SHIPPED_WEIGHTS.write_text(weights.to_json(), encoding="utf-8")
    return weights


def fusion_samples(trials: Sequence[Trial]) -> list[FusionSample]:
    """What weights are fitted on: without the trials whose known individual the shortlist missed, which no weight can
    mend."""
    return [FusionSample(trial.rows, trial.truth) for trial in trials if trial.truth is not None or not trial.known]


def stage_figures(
    trials: Sequence[Trial], weights: FusionWeights, stages: Sequence[str] = STAGES
) -> dict[str, dict[str, Interval]]:
    """The figures of each stage alone, and of the fusion."""
    return {stage: measure([_ranking(trial, stage, weights) for trial in trials]) for stage in stages}


def _ranking(trial: Trial, stage: str, weights: FusionWeights) -> Ranking:
    scores: NDArray[np.float64] = fuse_rows(trial.rows, weights)[0] if stage == "fused" else trial.columns[stage]
    return Ranking(trial.individual_id, trial.known, rank_of(scores, trial.truth), float(scores.max(initial=0.0)))


def _table(figures: dict[str, dict[str, Interval]], title: str) -> str:
    rows = [
        [stage, *(f"{one.value:.3f} ({one.low:.2f} to {one.high:.2f})" for one in measured.values())]
        for stage, measured in figures.items()
    ]
    return table([title, *FIGURES], rows)


def _plain(figures: dict[str, dict[str, Interval]]) -> dict[str, dict[str, list[float]]]:
    return {
        stage: {name: [round(one.value, 3), round(one.low, 3), round(one.high, 3)] for name, one in measured.items()}
        for stage, measured in figures.items()
    }


def sequence_bursts(folder: Path) -> tuple[list[Burst], list[Burst]]:
    """The first and the last frame with a box of each sequence, each as an encounter of one individual."""
    sequences: dict[str, list[tuple[int, Path, list[float]]]] = {}
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            boxes = json.loads(row["boxes_xywh"] or "[]")
            if len(boxes) == 1:
                found = (int(row["frame"] or 0), folder / row["file"], boxes[0])
                sequences.setdefault(row["sequence_id"], []).append(found)
    pairs = [(name, sorted(found)) for name, found in sorted(sequences.items()) if len(found) > 1]
    first = [_photographed(name, "first", *found[0][1:]) for name, found in pairs]
    return first, [_photographed(name, "last", *found[-1][1:]) for name, found in pairs]


def _photographed(name: str, end: str, path: Path, box: Sequence[float]) -> Burst:
    with Image.open(path) as image:
        width, height = image.size
        left, top, across, down = box
        edges = (left - _CROP_MARGIN * across, top - _CROP_MARGIN * down, left + across, top + down)
        crop = image.convert("RGB").crop(
            (
                max(0, round(edges[0] * width)),
                max(0, round(edges[1] * height)),
                min(width, round((edges[2] + _CROP_MARGIN * across) * width)),
                min(height, round((edges[3] + _CROP_MARGIN * down) * height)),
            )
        )
    return Burst(f"{name}-{end}", name, name, None, None, describe_crops([crop], Side.UNKNOWN))


def query_seconds(references: int, embedder: str) -> float:
    """CPU seconds of a proposal for three crops among this many references, each of an individual of its own.

    The points are random, so that none agree: their comparison takes as long as that of other animals.
    """
    rng = np.random.default_rng(references)
    matcher = FusedMatcher(embedder)
    index = matcher.new_index()
    # Shared by many references: at 100,000 their own would take 3 GB.
    drawn = [_random_description(rng, embedder) for _ in range(_DRAWN)]
    index.add_all(
        Reference(
            f"r{number:06d}",
            f"i{number:06d}",
            f"e{number:06d}",
            "ridge",
            None,
            None,
            replace(drawn[number % _DRAWN], fingerprint=rng.bytes(32)),
        )
        for number in range(references)
    )
    queries = [_random_description(rng, embedder) for _ in range(3)]
    start = time.process_time()
    matcher.propose(queries, None, None, index)
    return time.process_time() - start


def _random_description(rng: np.random.Generator, embedder: str) -> Description:
    """A description with as many points as a crop of the synthetic animals has."""
    vector = rng.normal(size=_DIMENSIONS if embedder != NO_EMBEDDER else 0).astype(np.float32)
    points = np.column_stack((rng.uniform(0, 300, _POINTS), rng.uniform(0, 200, _POINTS), np.full((_POINTS, 2), 3.0)))
    return Description(
        embedder,
        vector / max(float(np.linalg.norm(vector)), 1e-6),
        points.astype(np.float32),
        rng.integers(0, 120, (_POINTS, 128), dtype=np.uint8),
        rng.bytes(32),
        Quality(1.0, 0.4, 0.2, width=300, height=200),
    )


if __name__ == "__main__":
    typer.run(main)
