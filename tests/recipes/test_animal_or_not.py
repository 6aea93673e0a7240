"""A small run of the recipe: it separates discs from empty scenes, and joins a model of kinds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.unit.training.ensembles.tiny_packages import FRAME, tiny_package
from uncia.training.animal_or_not.recipe import GroupModel, train_group_model
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.offline_inference.inference import score_images

# Seconds on a quiet machine; it trains, exports and asks three graphs.
pytestmark = pytest.mark.timeout(300)


def _pictures(folder: Path) -> Dataset:
    """Bright discs on a noisy ground, in one half of the frame, and the ground alone."""
    chance, result = np.random.default_rng(3), []
    for at in range(36):
        image = Image.fromarray(chance.integers(60, 110, (108, 128, 3), np.uint8))
        box = None
        if at % 2:
            left = int(chance.integers(0, 80))
            ImageDraw.Draw(image).ellipse([left, 30, left + 40, 70], fill=(240, 200, 40))
            box = (left / 128, 30 / 108, 40 / 128, 40 / 108)
        path = folder / f"{at}.png"
        image.save(path)
        label, group = ("disc", "animal") if at % 2 else ("nothing", "nothing")
        result.append(Sample(path, label, f"b{at}", f"c{at % 3}", box=box, group=group))
    return Dataset(tuple(result), "discs that were drawn")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> GroupModel:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("groups")
    kinds = tiny_package(folder / "kinds", 1, labels=("fox", "lynx"))
    return train_group_model(
        _pictures(folder), folder / "both", kinds=kinds, head_folder=folder / "head", seed=1, cache=folder / "features"
    )


def test_one_package_knows_the_kinds_and_the_groups(made: GroupModel) -> None:
    assert [entry.label for entry in made.package.card.labels.classes] == ["fox", "lynx", "animal", "nothing"]
    assert made.package.card.frame == FRAME


def test_it_classifies_kinds_that_it_was_not_trained_on(made: GroupModel) -> None:
    answers = score_images(made.package, made.split.test)
    animal = np.array([picture.label == "animal" for picture in answers.samples])
    assert ((answers.window_scores[:, 2] > answers.window_scores[:, 3]) == animal).mean() > 0.8


def test_held_out_bursts_give_the_groups_a_threshold_and_a_calibration(made: GroupModel) -> None:
    animal = made.package.card.labels.classes[2]
    assert animal.threshold is not None and animal.calibration is not None


def test_the_groups_score_as_in_the_head_alone(made: GroupModel) -> None:
    assert made.head is not None
    alone, joined = (score_images(package, made.split.test).window_scores for package in (made.head, made.package))
    np.testing.assert_allclose(joined[:, 2:], alone, atol=1e-3)
