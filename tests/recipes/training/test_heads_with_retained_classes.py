"""A head that retains published classes: it detects classes without training photographs, and its card says so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import SHARED
from tests.recipes.training.synthetic_data import data_set

pytest.importorskip("torch")

from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import Split, split
from uncia.training.features.backbone import Backbone
from uncia.training.heads.training import HeadSettings, train_head
from uncia.training.model_packages.package_writing import write_trained_package
from uncia.training.model_packages.trained_model import TrainedModel
from uncia.training.offline_inference.inference import score_images
from uncia.training.scenes.plan import CompositeRecipe
from uncia.training.scenes.rendering import render_dataset
from uncia.triton_models.packages.loading import OpenPackage, open_package

SAMPLES = SHARED / "samples"
RETAINING = HeadSettings(keep=("Egyptian cat",), augmentations=("plain",), penalty=1.0)


def photograph_crops(folder: Path) -> tuple[Dataset, Split]:
    """Parts of a woman's portrait, and of grass, gravel and bricks, as bursts of two."""
    from skimage import data

    sources = {"person": ["astronaut"], "nothing": ["grass", "gravel", "brick"]}
    rng, samples = np.random.default_rng(5), []
    for label, names in sources.items():
        for burst in range(12):
            photograph = Image.fromarray(getattr(data, names[burst % len(names)])()).convert("RGB")
            for frame in range(2):
                left, top = (int(number) for number in rng.integers(0, 100, 2))
                path = folder / label / f"{burst}_{frame}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                photograph.crop((left, top, left + 400, top + 300)).save(path, quality=92)
                samples.append(Sample(path, label, f"{label}-{burst}", f"camera-{burst % 3}", group=label))
    dataset = Dataset(tuple(samples), "parts of scikit-image's photographs")
    return dataset, split(dataset, seed=1)


@pytest.fixture(scope="module")
def person_and_cat(lite0: Backbone, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, OpenPackage]:
    """Trained on a person and on nothing; the cat is a published class."""
    folder = tmp_path_factory.mktemp("kept")
    data, data_split = photograph_crops(folder / "photographs")
    trained = train_head(data_split, lite0, RETAINING, folder / "features")
    write_trained_package(trained, data, data_split, folder / "people", name="people", seed=1)
    return trained, open_package(folder / "people")


def test_a_retained_class_without_training_photographs_is_detected(
    person_and_cat: tuple[TrainedModel, OpenPackage], tmp_path: Path
) -> None:
    from skimage import data

    Image.fromarray(data.chelsea()).save(tmp_path / "cat.jpg")
    package = person_and_cat[1]
    (retained,) = (entry.index for entry in package.card.labels.classes if entry.label == "Egyptian cat")
    other_scores = score_images(package, person_and_cat[0].test.samples).window_scores[:, retained]
    cat_score = score_images(package, [Sample(tmp_path / "cat.jpg", "cat", "b", "c")]).window_scores[0, retained]

    assert cat_score > 10 * other_scores.max()


def test_the_trained_classes_are_classified_correctly(person_and_cat: tuple[TrainedModel, OpenPackage]) -> None:
    test = person_and_cat[0].test

    assert (test.logits.argmax(axis=1) == test.truth).all()


def test_the_model_card_names_the_class_without_training_photographs(
    person_and_cat: tuple[TrainedModel, OpenPackage],
) -> None:
    trained, package = person_and_cat
    page = (package.folder / "card.html").read_text(encoding="utf-8")

    assert [package.card.labels.classes[index].label for index in trained.unseen] == ["Egyptian cat"]
    assert "No training photograph shows Egyptian cat" in page
    assert "keeps of the published network" in page


def test_photographs_of_a_retained_class_train_it(lite0: Backbone, tmp_path: Path) -> None:
    """The discs have the label of the published class: training starts from its weights, and no class is unseen."""
    _, data_split = data_set(tmp_path / "photographs")
    train, held_out, test = (
        tuple(replace(sample, label="Egyptian_cat") if sample.label == "disc" else sample for sample in subset)
        for subset in data_split.subsets
    )
    renamed = Split(train, held_out, test)
    trained = train_head(renamed, lite0, RETAINING, tmp_path / "features")

    assert [entry.label for entry in trained.classes] == ["Egyptian_cat", "bar", "empty"]
    assert not trained.unseen
    assert (trained.test.logits.argmax(axis=1) == trained.test.truth).all()


def test_retaining_classes_at_an_earlier_cut_is_refused(lite0: Backbone, tmp_path: Path) -> None:
    _, data_split = data_set(tmp_path / "photographs")

    with pytest.raises(TrainingError, match=r"at its deepest cut only: leave --cut block-5 out"):
        train_head(data_split, lite0, HeadSettings(cut="block-5", keep=("Egyptian cat",)), tmp_path)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not available")
def test_a_head_trained_without_snow_leopards_detects_them_in_exactly_the_real_burst(
    lite0: Backbone, tmp_path: Path
) -> None:
    render_dataset(
        tmp_path / "drawn", CompositeRecipe(bursts=60, cameras=6, frames=(2, 2), width=640, height=480), stamps=None
    )
    data = read_dataset(tmp_path / "drawn")
    data_split = split(data, seed=1)
    trained = train_head(data_split, lite0, HeadSettings(keep=("Panthera uncia",)), tmp_path / "features")
    write_trained_package(trained, data, data_split, tmp_path / "head", name="head", seed=1)
    package = open_package(tmp_path / "head")
    paths = [path for path in sorted(SAMPLES.glob("*/*")) if path.suffix.lower() == ".jpg"]
    scores = score_images(package, [Sample(path, path.parent.name, path.parent.name, "genuine") for path in paths])
    (leopard,) = package.card.labels.classes_of_taxon("Panthera uncia")
    detected = scores.window_scores[:, leopard.index] >= np.float64(leopard.threshold or 2)
    expected = np.array([sample.burst == "snow_leopard_burst" for sample in scores.samples])

    assert expected.any() and not expected.all()
    np.testing.assert_array_equal(detected, expected)
