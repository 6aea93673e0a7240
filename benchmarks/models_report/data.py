"""The datasets of the report: rendered composites, whose ground truth is known to the pixel."""

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
"""Classes with this many cut-outs are preferred: one with a single cut-out can be recognized by that picture."""

_AREA, _AREA_OF_THINGS = (0.02, 0.3), (0.02, 0.45)
"""Range of the subject's share of the frame in the groups dataset; vehicles often fill half of it."""
_LITTER = 0.5
"""Share of bursts in the groups dataset that contain an object that is no animal."""


def render_data(report: Report) -> Facts:
    """Render the datasets; one that was rendered by the same recipe is reused."""
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
        name: {"pictures": len(side), "bursts": len({picture.burst for picture in side})}
        for name, side in zip(("train", "held_out", "test"), parts.subsets, strict=True)
    }
    facts["leaks"] = find_leaks(parts)
    return facts


def real_photographs() -> list[Sample]:
    """Real camera-trap photographs, labelled by their folder; empty when they are not available."""
    paths = [path for path in sorted(SAMPLES.glob("*/*")) if path.suffix.lower() in (".jpg", ".jpeg")]
    return [Sample(path, path.parent.name, path.parent.name, "genuine") for path in paths]


def species(folder: Path) -> Dataset:
    """The species dataset: some classes of animals, and empty frames."""
    return read_dataset(folder / "data" / "species")


def groups(folder: Path) -> Dataset:
    """The groups dataset: all cut-outs and empty frames, with additional persons and vehicles."""
    first, second = (read_dataset(folder / "data" / name) for name in ("groups", "things"))
    # Both renderings use the same names for cameras and bursts.
    renamed = [
        replace(picture, burst=f"things/{picture.burst}", camera=f"things/{picture.camera}")
        for picture in second.samples
    ]
    return first.with_samples([*first.samples, *renamed], "with more persons and vehicles")


def split_data(report: Report) -> tuple[Dataset, Split]:
    """The species dataset and its split, which is the same in every step."""
    data = species(report.folder)
    return data, split(data, seed=report.seed)
