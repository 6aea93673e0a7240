"""`python -m benchmarks.harvest_benefit`: how much accuracy harvested pictures add where own photographs are few.

Photographs of one camera-trap data set play the source of a harvest, and those of another one, from other cameras, are
one's own: some bursts of each label train, and held-out sequences test. The harvest is also measured with a share of
its labels swapped, since what searches find is partly wrong.
"""

import argparse
import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.models_report.genuine_data import DATASETS, genuine_datasets
from uncia.commands.harvest_measure import head_trainer
from uncia.terminal import echo
from uncia.training.dataset_check.embeddings import embed_images
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.reading import read_dataset
from uncia.training.harvest.benefit import Benefit, measure_benefit
from uncia.training.harvest.query import LOCAL, HarvestPlan, TargetTaxon, plan_queries
from uncia.training.harvest.running import run_harvest
from uncia.training.harvest.store import HarvestStore, harvest_file

SOURCE, OWN = "nacti_reconyx", "missouri"
LABELS = ("animal", "blank")
SWAPPED = (0.0, 0.3)
CACHE = Path(".local/features")


@dataclass(frozen=True)
class Measured:
    """One harvest and what it adds."""

    swapped: float
    """Share of the source's labels that were swapped before the harvest."""
    benefit: Benefit


def photographs(data: Dataset) -> tuple[Sample, ...]:
    """One sample per photograph, of the labels that are compared; without boxes, as pictures of searches."""
    found = {
        one.path: Sample(one.path, one.label, one.burst, one.camera) for one in data.samples if one.label in LABELS
    }
    return tuple(found.values())


def write_source(samples: tuple[Sample, ...], folder: Path, swapped: float, seed: int) -> Path:
    """A table of the photographs, with a share of the labels swapped burst by burst."""
    bursts = sorted({one.burst for one in samples})
    wrong = set(Random(seed).sample(bursts, round(swapped * len(bursts))))
    table = folder / "source.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "burst", "camera"])
        for one in samples:
            label = LABELS[1 - LABELS.index(one.label)] if one.burst in wrong else one.label
            writer.writerow([one.path.resolve(), label, one.burst, one.camera or ""])
    return table


def harvest(table: Path, folder: Path, pictures: int, seed: int, cache: Path) -> Dataset:
    """Run a harvest of the table, with its labels weighed."""
    plan = HarvestPlan(
        (TargetTaxon("Mammalia", "animal"),),
        (LOCAL,),
        pictures,
        pictures // 2,
        habitats=("pasture",),
        licences=("own",),
        local=str(table),
        local_licence="own",
        local_author="data set",
        seed=seed,
    )
    folder.mkdir()
    store = HarvestStore(harvest_file(folder), create=True)
    store.write_plan(plan, plan_queries(plan))
    store.close()
    run_harvest(folder, lambda paths, progress=None: embed_images(paths, cache, progress))
    return read_dataset(folder)


def measure(datasets: Path, *, bursts_per_label: int, pictures: int, seed: int, cache: Path) -> list[Measured]:
    """Harvest and train for each share of swapped labels."""
    genuine = genuine_datasets(datasets)
    own = Dataset(photographs(genuine[OWN]), OWN)
    found = []
    for swapped in SWAPPED:
        with tempfile.TemporaryDirectory(prefix="uncia harvest ") as name:
            work = Path(name)
            table = write_source(photographs(genuine[SOURCE]), work, swapped, seed)
            harvested = harvest(table, work / "harvest", pictures, seed, cache)
            benefit = measure_benefit(own, harvested, head_trainer(cache), seed=seed, bursts_per_label=bursts_per_label)
        found.append(Measured(swapped, benefit))
    return found


def render(found: list[Measured]) -> str:
    """The table in Markdown."""
    lines = [
        "| trained on | labels swapped | harvested, down-weighted | accuracy | more than own photographs alone |",
        "|---|---|---|---|---|",
        f"| own photographs ({found[0].benefit.own}) | | | {found[0].benefit.without} | |",
    ]
    for one in found:
        benefit, share = one.benefit, f"{one.swapped:.0%}"
        count = f"{benefit.harvested}, {benefit.down_weighted}"
        lines.append(
            f"| and harvested ones, doubtful ones down-weighted | {share} | {count} | {benefit.with_harvest} "
            f"| {benefit.difference} |"
        )
        if benefit.equal_weights is not None:
            lines.append(
                f"| and harvested ones, equal weights | {share} | {benefit.harvested}, 0 | {benefit.equal_weights} "
                f"| {benefit.difference_equal_weights} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what harvested pictures add to a few own photographs.")
    parser.add_argument("--bursts-per-label", type=int, default=5, help="bursts of each label to train on (default: 5)")
    parser.add_argument("--pictures", type=int, default=300, help="pictures to harvest of the taxon (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default: 1)")
    parser.add_argument(
        "--datasets", type=Path, default=DATASETS, help=f"folder of the data sets (default: {DATASETS})"
    )
    options = parser.parse_args()
    if not all((options.datasets / name / "manifest.csv").is_file() for name in (SOURCE, OWN)):
        sys.exit(f"{options.datasets} has no {SOURCE} and {OWN}: put copies of these data sets there")
    found = measure(
        options.datasets,
        bursts_per_label=options.bursts_per_label,
        pictures=options.pictures,
        seed=options.seed,
        cache=CACHE,
    )
    echo(render(found), lines=True)
    echo(f"{found[0].benefit.test} test photographs of {OWN}; harvested from {SOURCE}; seed {options.seed}")


if __name__ == "__main__":
    main()
