"""Detectors are installed, listed and configured as classifiers are; the two are never versions of one model."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2

from tests.packages import write_package
from tests.unit.uncia.serving.detector_examples import CARD
from uncia.serving.detector_card import read_installed_detector_card
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE
from uncia.settings import Settings
from uncia.triton_models.packages.validation import ModelRefused, validate_package
from uncia.triton_models.releases.installation import install
from uncia.triton_models.releases.stream_model import describe_stream_model
from uncia.triton_models.repository import sha256
from uncia.triton_models.version_list import list_versions, read_installed_models

SCORES = (0.9, 0.0, 0.0)


def write_detector(folder: Path, scores: tuple[float, ...] = SCORES, category: int = 0) -> Path:
    """A package of a detector that finds the box of its card in every frame."""
    folder.mkdir()
    boxes = np.zeros((1, CARD.max_boxes, 4), dtype=np.float32)
    boxes[0, 0] = CARD.self_test.boxes[0]
    categories = np.full((1, CARD.max_boxes), category, dtype=np.int32)
    constants = {"BOXES": boxes, "SCORES": np.array([scores], dtype=np.float32), "CATEGORIES": categories}
    nodes = [helper.make_node("Shape", ["FRAME"], ["batch"], start=0, end=1)]
    for name in constants:
        nodes.append(helper.make_node("Concat", ["batch", f"{name}_dims"], [f"{name}_shape"], axis=0))
        nodes.append(helper.make_node("Expand", [f"{name}_one", f"{name}_shape"], [name]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["n", CARD.frame.height, CARD.frame.width, 3])],
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), ["n", *value.shape[1:]])
            for name, value in constants.items()
        ],
        [
            tensor
            for name, value in constants.items()
            for tensor in (
                numpy_helper.from_array(value, f"{name}_one"),
                numpy_helper.from_array(np.array(value.shape[1:], dtype=np.int64), f"{name}_dims"),
            )
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / GRAPH_FILE))
    card = CARD.model_copy(update={"onnx_sha256": sha256(folder / GRAPH_FILE)})
    (folder / CARD_FILE).write_text(card.model_dump_json())
    return folder


def test_a_detector_is_installed_without_labels_and_listed(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    installed = install(write_detector(tmp_path / "package"), repository)
    second = install(tmp_path / "package", repository)

    assert (installed.name, second.name) == ("tiny_detector@1", "tiny_detector@2")
    assert read_installed_detector_card(repository, "tiny_detector") == installed
    lines = list_versions(read_installed_models(repository), None)
    assert [(line.model, line.version, line.kind, line.label_set) for line in lines] == [
        ("tiny_detector", "1", "detector", ""),
        ("tiny_detector", "2", "detector", ""),
    ]


def test_triton_understands_the_configuration_of_a_detector(tmp_path: Path) -> None:
    install(write_detector(tmp_path / "package"), tmp_path / "repository")
    text = (tmp_path / "repository" / "tiny_detector" / "config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())

    assert [(output.name, list(output.dims)) for output in config.output] == [
        ("BOXES", [3, 4]),
        ("SCORES", [3]),
        ("CATEGORIES", [3]),
    ]
    assert list(config.input[0].dims) == [32, 64, 3]


def test_a_detector_is_no_version_of_a_classifier(tmp_path: Path) -> None:
    write_package(tmp_path / "classifier", seed=1)
    install(tmp_path / "classifier", tmp_path / "repository")
    with pytest.raises(ModelRefused, match=r"it is a detector, and tiny@1 is a classifier"):
        install(write_detector(tmp_path / "package"), tmp_path / "repository", name="tiny")


@pytest.mark.parametrize(
    ("scores", "category", "problem"),
    [
        ((0.9, 0.0, 0.5), 0, "descending order"),
        ((float("nan"), 0.0, 0.0), 0, "no probability"),
        ((1.5, 0.0, 0.0), 0, "no probability"),
        ((0.5, 0.0, 0.0), 0, "self-test"),
        (SCORES, 7, "categories that its card does not list"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(
    tmp_path: Path, scores: tuple[float, ...], category: int, problem: str
) -> None:
    with pytest.raises(ModelRefused, match=problem):
        validate_package(write_detector(tmp_path / "package", scores, category))


def test_the_streams_detector_is_named_with_its_model(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_package(tmp_path / "classifier", seed=1)
    install(tmp_path / "classifier", repository)
    settings = Settings(_env_file=None, model="tiny", detector="tiny_detector", model_repository=repository)
    assert describe_stream_model(settings) == "The stream uses tiny@1 (UNCIA_MODEL)."
    install(write_detector(tmp_path / "package"), repository)

    assert describe_stream_model(settings).endswith("tiny@1 (UNCIA_MODEL) and tiny_detector@1 (UNCIA_DETECTOR).")
