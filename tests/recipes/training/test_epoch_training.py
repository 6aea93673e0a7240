"""Training by epochs: from scratch and fine-tuned, early stopping, resuming after a kill, reproducible results."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.paths import ROOT
from tests.recipes.training.synthetic_data import SPEC, data_set

pytest.importorskip("torch")

import torch

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.evaluation.calibration import softmax
from uncia.training.features.backbone import Backbone
from uncia.training.features.inputs import ImageRegion
from uncia.training.heads.training import HeadSettings
from uncia.training.model_packages.package_writing import write_trained_package
from uncia.training.model_packages.trained_model import TrainedModel, loss_and_accuracy
from uncia.training.networks.batch_loading import load_batches
from uncia.training.networks.fine_tune import FineTuneSettings, fine_tune, parameter_blocks
from uncia.training.networks.small_network import SmallSettings, train_small

DatasetAndSplit = tuple[Dataset, Split]

SMALL = SmallSettings(width=32, height=24, epochs=6, patience=6, batch=6, rate=3e-3)


@pytest.fixture(scope="module")
def small(dataset_and_split: DatasetAndSplit, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return train_small(dataset_and_split[1], SMALL, 1, tmp_path_factory.mktemp("work"))


def weights(trained: TrainedModel) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in trained.network.state_dict().items()}


def equal(first: TrainedModel, second: TrainedModel) -> bool:
    first_weights, second_weights = weights(first), weights(second)
    return first.curve == second.curve and all(
        np.array_equal(first_weights[key], second_weights[key]) for key in first_weights
    )


def test_a_small_network_learns_from_scratch(small: TrainedModel) -> None:
    assert small.curve[-1].train_loss < small.curve[1].train_loss
    assert [point.step for point in small.curve] == list(range(7))


def test_the_same_seed_gives_the_same_network_and_another_seed_a_different_one(
    small: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path: Path
) -> None:
    assert equal(small, train_small(dataset_and_split[1], SMALL, 1, tmp_path / "a"))
    assert not equal(small, train_small(dataset_and_split[1], SMALL, 2, tmp_path / "b"))


IN_AN_EPOCH = """
def progress(what, done, total):
    if what.startswith("epoch 4 ") and done > 6:
        os.kill(os.getpid(), 9)
"""
OVER_A_CHECKPOINT = """
progress = lambda what, done, total: None
save, saved = torch.save, []
def half(held, path):
    save(held, path)
    saved.append(path)
    if len(saved) == 5:
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), 9)
torch.save = half
"""


@pytest.mark.parametrize("kill_code", [IN_AN_EPOCH, OVER_A_CHECKPOINT], ids=["in an epoch", "over a checkpoint"])
def test_a_killed_run_resumes_and_gives_the_same_network(
    kill_code: str, small: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path: Path
) -> None:
    """Runs in a separate process, killed in its fourth epoch or when half of that epoch's checkpoint is written."""
    folder = dataset_and_split[0].samples[0].path.parents[1]
    program = f"""
import os, sys, torch
sys.path[:0] = [{str(ROOT)!r}]
from pathlib import Path
from tests.recipes.training.synthetic_data import data_set
from tests.recipes.training.test_epoch_training import SMALL
from uncia.training.networks.small_network import train_small
{kill_code}
train_small(data_set(Path({str(folder)!r}), fresh=False)[1], SMALL, 1, Path({str(tmp_path)!r}), progress)
"""
    completed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert completed.returncode == -9, completed.stderr.decode()
    result: list[str] = []
    resumed = train_small(dataset_and_split[1], SMALL, 1, tmp_path, lambda what, done, total: result.append(what))

    assert result[0].startswith("epoch 4 ")
    assert equal(small, resumed)


def test_a_checkpoint_of_other_settings_is_not_resumed(
    small: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path: Path
) -> None:
    train_small(dataset_and_split[1], dataclasses.replace(SMALL, rate=1e-2, epochs=1), 1, tmp_path)

    assert equal(small, train_small(dataset_and_split[1], SMALL, 1, tmp_path))


def test_training_stops_early_and_keeps_the_best_epoch(dataset_and_split: DatasetAndSplit, tmp_path: Path) -> None:
    """At this learning rate the loss rises at once."""
    trained = train_small(
        dataset_and_split[1], dataclasses.replace(SMALL, rate=0.5, patience=2, epochs=30), 1, tmp_path
    )
    best = min(trained.curve, key=lambda point: point.held_out_loss)

    assert trained.curve[-1].step == best.step + 3
    assert loss_and_accuracy(trained.held_out.logits, trained.held_out.truth)[0] == pytest.approx(best.held_out_loss)


def test_a_full_disk_is_reported_and_leaves_the_last_checkpoint(
    dataset_and_split: DatasetAndSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(dataset_and_split[1], dataclasses.replace(SMALL, epochs=1), 1, tmp_path)
    before = (tmp_path / "small.pt").read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"No space left .* resumes from the last checkpoint"):
        train_small(dataset_and_split[1], SMALL, 1, tmp_path)

    assert (tmp_path / "small.pt").read_bytes() == before


def test_at_most_a_few_batches_are_decoded_ahead(
    dataset_and_split: DatasetAndSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uncia.training.networks import batch_loading

    decoded: list[Path] = []

    def count(region: ImageRegion, spec: FrameSpec) -> np.ndarray:
        decoded.append(region.path)
        return np.zeros((spec.height, spec.width, 3), np.uint8)

    monkeypatch.setattr(batch_loading, "load_pixels", count)
    stream = load_batches(dataset_and_split[0].samples, range(24), SPEC, 2, {})
    next(stream)
    stream.close()

    assert len(decoded) <= 2 * 3


def test_a_small_networks_package_gives_the_evaluated_predictions(
    small: TrainedModel, dataset_and_split: DatasetAndSplit, tmp_path: Path
) -> None:
    package = write_trained_package(small, *dataset_and_split, tmp_path / "tiny", name="tiny", seed=1)
    session = onnxruntime.InferenceSession(str(package.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    expected = softmax(small.test.logits, float(small.network.temperature))
    for sample, whole in zip(small.test.samples, expected, strict=True):
        outputs = session.run(None, {"FRAME": load_frame(sample.path, package.card.frame)[np.newaxis]})

        np.testing.assert_allclose(outputs[0][0], whole, atol=1e-4)
        np.testing.assert_array_equal(outputs[0], outputs[1])


def test_fine_tuning_changes_only_the_last_blocks(
    dataset_and_split: DatasetAndSplit, lite0: Backbone, features_folder: Path, tmp_path: Path
) -> None:
    head = HeadSettings(cut="block-5", spec=SPEC, penalty=1.0)
    settings = FineTuneSettings(head=head, blocks=2, epochs=2, batch=8, patience=9)
    tuned = fine_tune(dataset_and_split[1], lite0, settings, 1, features_folder, tmp_path)
    published = dict(lite0.trunk("block-5", SPEC).named_parameters())
    moved = {
        ".".join(name.split(".")[1:3])
        for name, value in tuned.network.trunk.named_parameters()
        if not np.array_equal(value.detach().numpy(), published[name].detach().numpy())
    }

    assert moved <= {"blocks.4", "blocks.5"} and moved
    package = write_trained_package(tuned, *dataset_and_split, tmp_path / "tuned", name="tuned", seed=1)
    assert (package.folder / "card.html").exists()


def test_a_trunk_has_one_parameter_block_for_its_stem_each_block_and_its_head(lite0: Backbone) -> None:
    trunk = lite0.trunk("features", SPEC)

    assert len(parameter_blocks(trunk)) == 1 + 16 + 1


def test_more_blocks_than_there_are_is_refused(
    dataset_and_split: DatasetAndSplit, lite0: Backbone, features_folder: Path, tmp_path: Path
) -> None:
    settings = FineTuneSettings(head=HeadSettings(cut="block-5", spec=SPEC, penalty=0.1), blocks=99)

    with pytest.raises(TrainingError, match="has 7 blocks: choose 1 to 7"):
        fine_tune(dataset_and_split[1], lite0, settings, 1, features_folder, tmp_path)


def test_one_class_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least two classes"):
        train_small(data_set(tmp_path, kinds=("disc",))[1], SMALL, 1, tmp_path)
