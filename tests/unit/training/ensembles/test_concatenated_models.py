"""Joined models: every class scores as in its own model, and shared weights are stored once."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.unit.training.ensembles.tiny_packages import FRAME, some_frames, tiny_package
from uncia.imaging.frame_spec import FrameSpec
from uncia.training.ensembles.concatenate import concatenate_models
from uncia.triton_models.packages.loading import OpenPackage, PackageError

GROUPS = ("animal", "person", "vehicle", "nothing")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[OpenPackage]:
    folder = tmp_path_factory.mktemp("pair")
    return [tiny_package(folder / "kinds", 1), tiny_package(folder / "groups", 2, labels=GROUPS)]


def test_every_class_scores_as_in_its_own_model(pair: list[OpenPackage], tmp_path: Path) -> None:
    joined = concatenate_models(tmp_path / "made", pair, name="both")
    frames = some_frames(FRAME)
    for answer, *parts in zip(joined.predict(frames), *(one.predict(frames) for one in pair), strict=True):
        np.testing.assert_allclose(answer, np.concatenate(parts, axis=1), atol=1e-6)


def test_the_labels_stand_one_after_the_other(pair: list[OpenPackage], tmp_path: Path) -> None:
    labels = concatenate_models(tmp_path / "made", pair, name="both").card.labels
    assert [entry.label for entry in labels.classes] == ["fox", "lynx", "empty", *GROUPS]
    assert labels.name == "tiny-and-tiny"


def test_what_both_compute_is_computed_once(pair: list[OpenPackage], tmp_path: Path) -> None:
    joined = concatenate_models(tmp_path / "made", pair, name="both")
    kinds = [node.op_type for node in onnx.load(str(joined.graph)).graph.node]
    assert kinds.count("Transpose") == 1
    # 32 x 32 pixels once; windows are pooled once as well.
    assert kinds.count("AveragePool") == 2
    assert kinds.count("Conv") == 4


def test_a_threshold_stays(pair: list[OpenPackage], tmp_path: Path) -> None:
    from dataclasses import replace

    card = pair[0].card
    classes = (card.labels.classes[0].model_copy(update={"threshold": 0.3}), *card.labels.classes[1:])
    knows = card.model_copy(update={"labels": card.labels.model_copy(update={"classes": classes})})
    joined = concatenate_models(tmp_path / "made", [replace(pair[0], card=knows), pair[1]], name="both")
    assert joined.card.labels.classes[0].threshold == 0.3


def test_a_label_in_two_models_is_refused(pair: list[OpenPackage], tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="'empty'"):
        concatenate_models(tmp_path / "made", [pair[0], pair[0]], name="both")


def test_models_of_different_frames_are_refused(pair: list[OpenPackage], tmp_path: Path) -> None:
    other = tiny_package(tmp_path / "other", 2, labels=GROUPS, frame=FrameSpec(width=160, height=96, window=64))
    with pytest.raises(PackageError, match="another frame"):
        concatenate_models(tmp_path / "made", [pair[0], other], name="both")
