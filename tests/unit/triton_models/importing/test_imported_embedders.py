"""Embedders work by a description; what returns no vector that distinguishes pictures is refused with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.triton_models.importing.embedders import DIMENSIONS, SIZE, described, embedder, torch_embedder
from uncia.events import AnimalSide
from uncia.imaging.frames import Pixels
from uncia.serving.cards import read_card, read_installed
from uncia.serving.embedder_card import EmbedderCard
from uncia.triton_models.importing.embedder_import import make_embedder_package
from uncia.triton_models.packages.loading import open_session
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage
from uncia.triton_models.releases.installation import install


def imported(folder: Path, vector: str = "cells", **description: Any) -> ValidatedPackage[EmbedderCard]:
    graph = embedder(folder / "coats.onnx", vector=vector)
    return make_embedder_package(graph, described(folder, **description), folder / "package")


def vectors(package: ValidatedPackage[EmbedderCard], frames: Pixels) -> NDArray[np.float32]:
    session = open_session(package.folder / "model.onnx")
    (found,) = session.run(["EMBEDDING"], {"FRAME": frames})
    return np.asarray(found)


def pictures(count: int) -> Pixels:
    return np.random.default_rng(5).integers(0, 255, (count, SIZE, SIZE, 3), dtype=np.uint8)


def test_the_vector_is_that_of_the_users_graph_on_prepared_pixels(tmp_path: Path) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    package = imported(tmp_path, input={"mean": mean, "std": std})
    frames = pictures(3)
    prepared = ((frames / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    (expected,) = open_session(tmp_path / "coats.onnx").run(None, {"in": prepared})
    np.testing.assert_allclose(vectors(package, frames), expected, rtol=1e-4, atol=1e-5)


def test_a_network_exported_by_torch_is_imported_with_the_same_vectors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = torch_embedder(tmp_path / "torch.onnx")
    package = make_embedder_package(tmp_path / "torch.onnx", described(tmp_path), tmp_path / "package")
    frames = pictures(2)
    with torch.inference_mode():
        expected = network(torch.from_numpy(frames.transpose(0, 3, 1, 2).astype(np.float32) / 255)).numpy()
    np.testing.assert_allclose(vectors(package, frames), expected, rtol=1e-3, atol=1e-4)


def test_the_card_says_whom_and_which_sides_it_tells_apart(tmp_path: Path) -> None:
    imported(tmp_path, taxa=["Panthera uncia"], sides=["left", "right"], licence="MIT", input={"fit": "letterbox"})
    card = read_card(tmp_path / "package")
    assert isinstance(card, EmbedderCard)
    assert (card.taxa, card.sides) == (("Panthera uncia",), (AnimalSide.LEFT, AnimalSide.RIGHT))
    assert (card.dimensions, card.fit, card.licence) == (DIMENSIONS, "letterbox", "MIT")


def test_the_id_of_an_embedder_has_name_version_and_digest(tmp_path: Path) -> None:
    card = imported(tmp_path).card
    assert card.embedder_id == f"coats@1/{card.onnx_sha256[:12]}"


def test_an_embedder_is_installed_as_a_model_of_its_own(tmp_path: Path) -> None:
    install(imported(tmp_path).folder, tmp_path / "repository")
    assert read_installed(tmp_path / "repository", "coats").kind == "embedder"
    config = (tmp_path / "repository" / "coats" / "config.pbtxt").read_text()
    assert f'name: "EMBEDDING" data_type: TYPE_FP32 dims: [ {DIMENSIONS} ]' in config


@pytest.mark.parametrize(
    ("vector", "description", "reason"),
    [
        ("cells", {"dimensions": 13}, r"has 12 numbers, and the description says output\.dimensions = 13"),
        ("nan", {}, "NaN or infinite values"),
        ("zero", {}, "returns zero for its self-test"),
        ("constant", {}, "the same for two different pictures"),
        ("cells", {"normalised": True}, r"not 1: set output\.normalised = false"),
        ("cells", {"input": {"width": 48}}, r"the description says NCHW: \[batch, 3, 32, 48\]"),
        ("cells", {"sides": ["above"]}, r"sides\.0"),
        ("cells", {"taxon": "Panthera uncia"}, "taxon: Extra inputs"),
    ],
)
def test_what_is_no_embedder_as_described_is_refused_with_the_reason(
    tmp_path: Path, vector: str, description: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelRefused, match=reason):
        imported(tmp_path, vector, **description)
    assert not (tmp_path / "repository").exists()


def test_vectors_of_unit_length_are_accepted_as_such(tmp_path: Path) -> None:
    assert imported(tmp_path, "unit", normalised=True).card.normalised
