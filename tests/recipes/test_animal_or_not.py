"""A small run of the recipe: it separates discs from empty scenes and joins the groups with a model of species."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.unit.training.ensembles.tiny_packages import FRAME, tiny_package
from uncia.training.animal_or_not.recipe import GroupModel, train_group_model
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.offline_inference.inference import score_images

# Seconds on a quiet machine; it trains and exports, and runs three graphs.
pytestmark = pytest.mark.timeout(300)


def _dataset(folder: Path) -> Dataset:
    """Bright discs on a noisy ground, in one half of the frame, and the ground alone."""
    rng, samples = np.random.default_rng(3), []
    for number in range(36):
        image = Image.fromarray(rng.integers(60, 110, (108, 128, 3), np.uint8))
        box = None
        if number % 2:
            left = int(rng.integers(0, 80))
            ImageDraw.Draw(image).ellipse([left, 30, left + 40, 70], fill=(240, 200, 40))
            box = (left / 128, 30 / 108, 40 / 128, 40 / 108)
        path = folder / f"{number}.png"
        image.save(path)
        label, group = ("disc", "animal") if number % 2 else ("nothing", "nothing")
        samples.append(Sample(path, label, f"b{number}", f"c{number % 3}", box=box, group=group))
    return Dataset(tuple(samples), "discs that were drawn")


@pytest.fixture(scope="module")
def group_model(tmp_path_factory: pytest.TempPathFactory) -> GroupModel:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("groups")
    kinds = tiny_package(folder / "kinds", 1, labels=("fox", "lynx"))
    return train_group_model(
        _dataset(folder), folder / "both", kinds=kinds, head_folder=folder / "head", seed=1, cache=folder / "features"
    )


def test_one_package_has_the_species_and_the_groups_as_classes(group_model: GroupModel) -> None:
    assert [entry.label for entry in group_model.package.card.labels.classes] == ["fox", "lynx", "animal", "nothing"]
    assert group_model.package.card.frame == FRAME


def test_the_group_scores_separate_animals_from_empty_scenes(group_model: GroupModel) -> None:
    scores = score_images(group_model.package, group_model.split.test)
    animal = np.array([sample.label == "animal" for sample in scores.samples])
    assert ((scores.window_scores[:, 2] > scores.window_scores[:, 3]) == animal).mean() > 0.8


def test_held_out_bursts_give_the_groups_a_threshold_and_a_calibration(group_model: GroupModel) -> None:
    animal = group_model.package.card.labels.classes[2]
    assert animal.threshold is not None and animal.calibration is not None


def test_the_group_scores_equal_those_of_the_head_alone(group_model: GroupModel) -> None:
    assert group_model.head is not None
    alone, joined = (
        score_images(package, group_model.split.test).window_scores
        for package in (group_model.head, group_model.package)
    )
    np.testing.assert_allclose(joined[:, 2:], alone, atol=1e-3)
