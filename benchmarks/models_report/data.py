"""The datasets of the report: rendered composites with ground truth for every pixel."""

from dataclasses import replace
from pathlib import Path

from benchmarks.models_report.steps import Facts, Report
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import Split, find_leaks, split
from uncia.training.scenes.cut_outs import load_cut_outs
from uncia.training.scenes.plan import CompositeRecipe
from uncia.training.scenes.rendering import render_dataset

SAMPLES = Path("../shared/samples")
"""Real photographs, if available; none of them is part of the project."""
LEOPARD = "Panthera uncia"

_SEVERAL = 2
"""Classes with at least this many cut-outs are preferred: a single cut-out is recognized by its very pixels."""

_AREA, _AREA_OF_THINGS = (0.02, 0.3), (0.02, 0.45)
"""Range of the subject's share of the frame in the groups dataset; vehicles often fill half of it."""
_LITTER = 0.5
"""Share of bursts in the groups dataset that contain an object that is not an animal, person or vehicle."""


def render_data(report: Report) -> Facts:
    """Render the datasets, unless the same recipe rendered them before. Returns their sizes, classes and split."""
    sizes, every = report.sizes, load_cut_outs()
    animals = [name for name, kinds in every.by_label.items() if kinds[0].group == "animal"]
    animals.sort(key=lambda name: (-min(len(every.by_label[name]), _SEVERAL), name))
    chosen = tuple(sorted(animals[: sizes.classes]))
    things = tuple(name for name, kinds in every.by_label.items() if kinds[0].group in ("person", "vehicle"))
    recipes = {
        "species": CompositeRecipe(
            bursts=sizes.bursts, cameras=8, classes=chosen, seed=report.seed, frames=(3, 4), empty=0.15
        ),
        "groups": CompositeRecipe(
            bursts=sizes.group_bursts,
            cameras=40,
            seed=report.seed + 1,
            frames=(2, 2),
            empty=0.35,
            area=_AREA,
            things=_LITTER,
        ),
        "things": CompositeRecipe(
            bursts=sizes.thing_bursts,
            cameras=20,
            classes=things,
            seed=report.seed + 2,
            frames=(2, 2),
            empty=0.2,
            area=_AREA_OF_THINGS,
            things=_LITTER,
        ),
    }
    facts: Facts = {"cut_outs": every.source, "kinds": len(every.by_label), "classes": list(chosen)}
    for name, recipe in recipes.items():
        rendered = render_dataset(report.folder / "data" / name, recipe)
        facts[name] = {"bursts": rendered.bursts, "pictures": rendered.pictures, "source": rendered.source}
    facts["species"]["variants"] = {name: len(every.by_label[name]) for name in chosen}
    parts = split(species(report.folder), seed=report.seed)
    facts["sides"] = {
        name: {"pictures": len(subset), "bursts": len({sample.burst for sample in subset})}
        for name, subset in zip(("train", "held_out", "test"), parts.subsets, strict=True)
    }
    facts["leaks"] = find_leaks(parts)
    return facts


def real_photographs() -> list[Sample]:
    """Real camera-trap photographs, with their folder's name as label and burst; empty when they are not available."""
    paths = [path for path in sorted(SAMPLES.glob("*/*")) if path.suffix.lower() in (".jpg", ".jpeg")]
    return [Sample(path, path.parent.name, path.parent.name, "genuine") for path in paths]


def species(folder: Path) -> Dataset:
    """The species dataset: animals of a few classes, and empty frames."""
    return read_dataset(folder / "data" / "species")


def groups(folder: Path) -> Dataset:
    """The groups dataset: cut-outs of all classes and empty frames, plus additional bursts of persons and vehicles."""
    first, second = (read_dataset(folder / "data" / name) for name in ("groups", "things"))
    # Both datasets use the same names for their cameras and bursts.
    renamed = [
        replace(sample, burst=f"things/{sample.burst}", camera=f"things/{sample.camera}") for sample in second.samples
    ]
    return first.with_samples([*first.samples, *renamed], "with more persons and vehicles")


def split_data(report: Report) -> tuple[Dataset, Split]:
    """The species dataset and its split by burst; the seed makes it the same in every step."""
    data = species(report.folder)
    return data, split(data, seed=report.seed)
