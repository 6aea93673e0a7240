"""The data: composites, drawn for the report, whose truth is known to the pixel."""

from dataclasses import replace
from pathlib import Path

from benchmarks.models_report.running import Facts, Report
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import Split, find_leaks, split
from uncia.training.scenes.cut_outs import load_cut_outs
from uncia.training.scenes.plan import CompositeRecipe
from uncia.training.scenes.rendering import render_dataset

SAMPLES = Path("../shared/samples")
"""Genuine photographs, where they are; none of them is in the project."""
LEOPARD = "Panthera uncia"

_SEVERAL = 2
"""Kinds with so many cut-outs are taken first: a kind with one is known by that picture."""

_AREA, _AREA_OF_THINGS = (0.02, 0.3), (0.02, 0.45)
"""Shares of the frame, for the data of groups: vehicles often fill half of it."""
_LITTER = 0.5
"""In every other burst of the data for groups lies something that is no animal."""


def draw_data(report: Report) -> Facts:
    """Draw both data sets; a folder that the same recipe drew is left alone."""
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
        drawn = render_dataset(report.folder / "data" / name, recipe)
        facts[name] = {"bursts": drawn.bursts, "pictures": drawn.pictures, "source": drawn.source}
    facts["species"]["variants"] = {name: len(every.by_label[name]) for name in chosen}
    parts = split(species(report.folder), seed=report.seed)
    facts["sides"] = {
        name: {"pictures": len(side), "bursts": len({picture.burst for picture in side})}
        for name, side in zip(("train", "held_out", "test"), parts.subsets, strict=True)
    }
    facts["leaks"] = find_leaks(parts)
    return facts


def genuine() -> list[Sample]:
    """Photographs of camera traps; labelled, as far as they are, by the folder. None where they are not at hand."""
    paths = [path for path in sorted(SAMPLES.glob("*/*")) if path.suffix.lower() in (".jpg", ".jpeg")]
    return [Sample(path, path.parent.name, path.parent.name, "genuine") for path in paths]


def species(folder: Path) -> Dataset:
    """A dozen kinds, and nothing."""
    return read_dataset(folder / "data" / "species")


def groups(folder: Path) -> Dataset:
    """All kinds that there are, nothing, and more of persons and vehicles."""
    first, second = (read_dataset(folder / "data" / name) for name in ("groups", "things"))
    # Cameras and bursts of two drawings have the same names.
    renamed = [
        replace(picture, burst=f"things/{picture.burst}", camera=f"things/{picture.camera}")
        for picture in second.samples
    ]
    return first.with_samples([*first.samples, *renamed], "with more persons and vehicles")


def sides(report: Report) -> tuple[Dataset, Split]:
    """The data for species and their split, the same in every step."""
    data = species(report.folder)
    return data, split(data, seed=report.seed)
