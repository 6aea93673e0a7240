"""A head on frozen features: training, its card, and the served graph's predictions."""

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.recipes.training.synthetic_data import SPEC, data_set

pytest.importorskip("torch")

from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.evaluation.calibration import softmax
from uncia.training.features.backbone import Backbone
from uncia.training.heads.training import HeadSettings, train_head
from uncia.training.linear.logistic_regression import TrainingRows, class_weights, fit_logistic_regression
from uncia.training.model_packages.package_writing import TrainedPackage, write_trained_package
from uncia.training.model_packages.trained_model import TrainedModel

DatasetAndSplit = tuple[Dataset, Split]


@pytest.fixture(scope="module")
def package(
    trained: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path_factory: pytest.TempPathFactory
) -> TrainedPackage:
    return write_trained_package(
        trained, *dataset_and_split, tmp_path_factory.mktemp("models") / "shapes", name="shapes", seed=1
    )


@pytest.fixture(scope="module")
def graph(package: TrainedPackage) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(package.folder / "model.onnx"), providers=["CPUExecutionProvider"])


def test_a_head_separates_the_shapes_on_the_test_set(trained: TrainedModel) -> None:
    assert (trained.test.logits.argmax(axis=1) == trained.test.truth).all()


def test_the_graph_gives_the_evaluated_predictions_for_the_files(
    trained: TrainedModel, graph: onnxruntime.InferenceSession, package: TrainedPackage
) -> None:
    """No training-serving skew: cached features against the served graph on the file itself."""
    expected = softmax(trained.test.logits, float(trained.network.temperature))
    assert trained.test.windows is not None
    for sample, whole_scores, window_scores in zip(trained.test.samples, expected, trained.test.windows, strict=True):
        frame = load_frame(sample.path, package.card.frame)
        outputs = graph.run(None, {"FRAME": frame[np.newaxis]})

        np.testing.assert_allclose(outputs[0][0], whole_scores, atol=1e-4)
        np.testing.assert_allclose(outputs[1][0], window_scores, atol=1e-4)


def test_the_reported_window_contains_the_centre_of_the_box(
    trained: TrainedModel, graph: onnxruntime.InferenceSession, package: TrainedPackage
) -> None:
    for sample, truth in zip(trained.test.samples, trained.test.truth, strict=True):
        if sample.box is not None:
            places = graph.run(["PLACES"], {"FRAME": load_frame(sample.path, SPEC)[np.newaxis]})[0]
            x, y, width, height = package.card.frame.window_box(int(places[0, truth]))
            middle = (sample.box[0] + sample.box[2] / 2, sample.box[1] + sample.box[3] / 2)

            assert x <= middle[0] <= x + width and y <= middle[1] <= y + height


def test_only_empty_photographs_are_classified_as_empty(
    trained: TrainedModel, graph: onnxruntime.InferenceSession, package: TrainedPackage
) -> None:
    nothing = next(entry.index for entry in package.card.labels.classes if entry.group == "nothing")
    for sample in trained.test.samples:
        windows = graph.run(["WINDOWS"], {"FRAME": load_frame(sample.path, SPEC)[np.newaxis]})[0]

        assert (windows[0, nothing] > 0.5) == (sample.label == "empty")


def test_the_same_seed_gives_the_same_bytes(
    trained: TrainedModel,
    dataset_and_split: DatasetAndSplit,
    package: TrainedPackage,
    lite0: Backbone,
    features_folder: Path,
    tmp_path: Path,
) -> None:
    second_training = train_head(
        dataset_and_split[1], lite0, HeadSettings(cut="block-5", spec=SPEC, penalty=0.1), features_folder
    )
    second_package = write_trained_package(
        second_training, *dataset_and_split, tmp_path / "shapes", name="shapes", seed=1
    )

    for name in ("model.onnx", "model.json", "labels.json", "card.html"):
        assert (second_package.folder / name).read_bytes() == (package.folder / name).read_bytes(), name


@pytest.mark.parametrize("input_mode", ["whole", "crops"])
def test_every_input_mode_becomes_a_package_with_the_outputs_of_the_stream(
    input_mode: str, dataset_and_split: DatasetAndSplit, lite0: Backbone, features_folder: Path, tmp_path: Path
) -> None:
    settings = HeadSettings(cut="block-5", input_mode=input_mode, spec=SPEC, penalty=0.1, augmentations=("plain",))  # type: ignore[arg-type]
    trained_head = train_head(dataset_and_split[1], lite0, settings, features_folder)
    package = write_trained_package(trained_head, *dataset_and_split, tmp_path / "one", name="one", seed=1)
    session = onnxruntime.InferenceSession(str(package.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    frame = load_frame(trained_head.test.samples[0].path, package.card.frame)
    whole, windows, places = session.run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": np.stack([frame, frame])})

    assert whole.shape == windows.shape == places.shape == (2, 3)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-5)
    if input_mode == "whole":
        np.testing.assert_array_equal(windows, whole)
        assert (places == 0).all() and package.card.frame.grid == (1, 1)


def test_one_class_alone_is_refused(lite0: Backbone, tmp_path: Path) -> None:
    _, split = data_set(tmp_path / "photographs", kinds=("disc",))

    with pytest.raises(TrainingError, match=r"only 'disc': at least two classes .* label them `empty`"):
        train_head(split, lite0, HeadSettings(spec=SPEC), tmp_path)


def test_a_class_with_one_photograph_is_learnt_next_to_a_class_with_many() -> None:
    rng = np.random.default_rng(1)
    common, rare = rng.normal(0, 1, (10_000, 8)), np.full((1, 8), 6.0)
    rows = np.concatenate([common, rare]).astype(np.float32)
    truth = np.array([0] * 10_000 + [1])
    weights = class_weights(truth, 2)[truth]
    head = fit_logistic_regression(rows, TrainingRows(np.arange(10_001), truth, weights), 2, penalty=0.01)
    result = head.logits(rows).argmax(axis=1)

    assert result[-1] == 1 and (result[:-1] == 0).mean() > 0.999


def test_an_unreadable_photograph_is_left_out_and_listed_on_the_card(
    dataset_and_split: DatasetAndSplit, lite0: Backbone, features_folder: Path, tmp_path: Path
) -> None:
    data, split = dataset_and_split
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no photograph")
    extra = dataclasses.replace(split.train[0], path=broken)
    extended = Split((*split.train, extra), split.held_out, split.test)
    trained_head = train_head(extended, lite0, HeadSettings(cut="block-5", spec=SPEC, penalty=0.1), features_folder)
    package = write_trained_package(trained_head, data, extended, tmp_path / "one", name="one", seed=1)

    assert set(trained_head.unreadable) == {broken}
    assert "broken.jpg" in (package.folder / "card.html").read_text()


@pytest.mark.parametrize(
    ("broken", "result"), [({"disc"}, "only those of 'bar' can be read"), ({"bar", "disc"}, "none can be read")]
)
def test_classes_of_which_nothing_can_be_read_are_refused_with_the_reason(
    broken: set[str], result: str, lite0: Backbone, features_folder: Path, tmp_path: Path
) -> None:
    _, split = data_set(tmp_path / "photographs", kinds=("bar", "disc"))
    for sample in split.train:
        if sample.label in broken:
            sample.path.write_bytes(b"no photograph")
    settings = HeadSettings(cut="block-5", spec=SPEC, penalty=0.1)

    with pytest.raises(TrainingError, match=rf"of the 8 training .*{result} \(.*\.jpg: .*\): `uncia data check`"):
        train_head(split, lite0, settings, features_folder)


def test_labels_without_training_photographs_are_reported(
    dataset_and_split: DatasetAndSplit, lite0: Backbone, features_folder: Path
) -> None:
    split = dataset_and_split[1]
    unknown_label = dataclasses.replace(split.test[0], label="hare")
    settings = HeadSettings(cut="block-5", spec=SPEC, penalty=0.1)
    trained_head = train_head(
        Split(split.train, split.held_out, (*split.test, unknown_label)), lite0, settings, features_folder
    )

    assert any("hare" in note for note in trained_head.notes)
    assert len(trained_head.test.samples) == len(split.test)


def test_a_full_disk_does_not_change_the_existing_package(
    trained: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = write_trained_package(trained, *dataset_and_split, tmp_path / "shapes", name="shapes", seed=1)
    before = (package.folder / "model.json").read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("uncia.training.model_packages.package_writing.dense_pass.export", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*an existing package is unchanged"):
        write_trained_package(trained, *dataset_and_split, tmp_path / "shapes", name="shapes", seed=2)

    assert (package.folder / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_a_graph_that_differs_from_the_predictions_is_not_written(
    trained: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    with torch.no_grad():
        trained.network.head.bias.add_(50 * torch.arange(3))
    try:
        with pytest.raises(TrainingError, match="differs from the evaluated prediction"):
            write_trained_package(trained, *dataset_and_split, tmp_path / "shapes", name="shapes", seed=1)
    finally:
        with torch.no_grad():
            trained.network.head.bias.sub_(50 * torch.arange(3))

    assert not (tmp_path / "shapes").exists()
