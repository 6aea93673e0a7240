"""A wrapped ONNX classifier gives the scores of the original; unsupported graphs are refused with a reason."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from tests.packages import write_user_classifier
from uncia.imaging.frames import self_test_pattern
from uncia.serving.model_card import ModelCard
from uncia.triton_models.importing.importing import make_package
from uncia.triton_models.packages import graph_errors
from uncia.triton_models.packages import validation as package

CLASSES = 2498
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
HEIGHT, WIDTH = 48, 64


class Mine:
    """A folder with a graph, its description and its labels, changed by a test before it is imported."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.graph = folder, folder / "user.onnx"
        self.result: dict[str, Any] = {
            "name": "forest_cams",
            "labels": "labels.txt",
            "frame": {"width": WIDTH, "height": HEIGHT},
            "input": {"layout": "NCHW", "scale": 1 / 255, "mean": MEAN, "std": STD},
            "output": {"kind": "logits"},
        }
        self.label(CLASSES)

    def label(self, classes: int) -> None:
        lines = ["a;;;;;;blank", "b;mammalia;primates;hominidae;homo;sapiens;human", "c;;;;;;vehicle"]
        lines += [f"d{i};mammalia;carnivora;felidae;panthera;uncia{i};snow leopard {i}" for i in range(3, classes)]
        (self.folder / "labels.txt").write_text("\n".join(lines[:classes]) + "\n")

    def imported(self) -> package.ValidatedPackage[ModelCard]:
        path = self.folder / "description.json"
        path.write_text(json.dumps(self.result))
        return make_package(self.graph, path, self.folder / "package")


@pytest.fixture
def mine(tmp_path: Path) -> Mine:
    write_user_classifier(tmp_path / "user.onnx")
    return Mine(tmp_path)


def run(path: Path, name: str, frames: Any) -> list[Any]:
    answer: list[Any] = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(
        None, {name: frames}
    )
    return answer


def softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def bytes_as_they_are(mine: Mine) -> None:
    mine.result["input"] = {"layout": mine.result["input"]["layout"]}


def test_the_wrapped_graph_equals_the_original_on_the_prepared_picture(mine: Mine) -> None:
    imported = mine.imported()
    frames = np.stack([self_test_pattern(imported.card.frame), 255 - self_test_pattern(imported.card.frame)])
    prepared = ((frames / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    whole, windows, places = run(imported.folder / "model.onnx", "FRAME", frames)

    np.testing.assert_allclose(whole, softmax(run(mine.graph, "picture", prepared)[0]), atol=1e-5)
    np.testing.assert_array_equal(windows, whole)
    assert places.dtype == np.int32 and not places.any()
    assert imported.card.frame.grid == (1, 1)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.FLOAT16], ids=["u8", "f32", "f16"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_every_kind_of_picture_can_be_made(mine: Mine, layout: str, kind: int) -> None:
    write_user_classifier(mine.graph, layout=layout, kind=kind, classes=7, softmax=True)
    mine.label(7)
    mine.result |= {"input": {"layout": layout, "channels": "BGR"}, "output": {"kind": "probabilities"}}
    imported = mine.imported()
    frame = self_test_pattern(imported.card.frame)[np.newaxis]
    numbers = {TensorProto.UINT8: np.uint8, TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16}[kind]
    expected = frame[..., ::-1].astype(numbers)
    expected = expected.transpose(0, 3, 1, 2) if layout == "NCHW" else expected

    whole = run(imported.folder / "model.onnx", "FRAME", frame)[0]
    np.testing.assert_allclose(whole, run(mine.graph, "picture", np.ascontiguousarray(expected))[0], atol=1e-5)


def test_a_graph_that_was_exported_for_one_picture_takes_many(mine: Mine) -> None:
    write_user_classifier(mine.graph, batch=1)

    frames = np.zeros((5, HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert run(mine.imported().folder / "model.onnx", "FRAME", frames)[0].shape == (5, CLASSES)


@pytest.mark.parametrize("classes", [1, 10_000])
def test_one_class_and_ten_thousand_are_taken(mine: Mine, classes: int) -> None:
    write_user_classifier(mine.graph, classes=classes)
    mine.label(classes)

    assert mine.imported().card.self_test.whole.length == classes


def test_the_labels_of_speciesnet_tell_taxon_and_group(mine: Mine) -> None:
    classes = mine.imported().card.labels.classes

    assert [(entry.group, entry.taxon) for entry in classes[:4]] == [
        ("nothing", ""),
        ("person", "Homo sapiens"),
        ("vehicle", ""),
        ("animal", "Panthera uncia3"),
    ]


def test_labels_may_be_a_table(mine: Mine) -> None:
    write_user_classifier(mine.graph, classes=2)
    (mine.folder / "labels.csv").write_text("label,taxon,threshold\nsnow leopard,Panthera uncia,0.1\nempty,,\n")
    mine.result["labels"] = "labels.csv"

    first, second = mine.imported().card.labels.classes
    assert (first.taxon, first.threshold, second.group) == ("Panthera uncia", 0.1, "nothing")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.toml", 'name = "x"\nlabels = "l"\nframe = {width = 9, height = 9}\n[input]\nlayout = "NCHW"\n'
                   '[output]\nkind = "logits"\n'),
        ("d.yaml", "{name: x, labels: l, frame: {width: 9, height: 9}, input: {layout: NCHW}, output: {kind: logits}}"),
    ],
)  # fmt: skip
def test_a_description_may_be_toml_or_yaml(tmp_path: Path, name: str, text: str) -> None:
    from uncia.triton_models.importing.description import read_description

    (tmp_path / name).write_text(text)
    assert read_description(tmp_path / name).frame.spec.window == 9


def _with_graph(**changes: Any) -> Callable[[Mine, pytest.MonkeyPatch], None]:
    return lambda mine, _: write_user_classifier(mine.graph, **changes)


def _with_description(**changes: Any) -> Callable[[Mine, pytest.MonkeyPatch], None]:
    return lambda mine, _: mine.result.update(changes)


def _too_large(mine: Mine, patch: pytest.MonkeyPatch) -> None:
    """A sparse file: it takes no room."""
    os.truncate(mine.graph, 2**31)


def _with_external_weights(mine: Mine, patch: pytest.MonkeyPatch) -> None:
    model = onnx.load(str(mine.graph))
    onnx.save_model(model, str(mine.graph), save_as_external_data=True, size_threshold=0, location="weights.bin")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (
            _with_graph(operator="Teleport"),
            "there is no operator Teleport in operator set 13: export the model with standard",
        ),
        (_too_large, "GiB: an ONNX file of 2 GiB and more cannot be served"),
        (_with_external_weights, "weights in separate files: save it as one file"),
        (_with_graph(classes=2497), "has 2,497 classes, and the labels file has 2,498"),
        (
            _with_graph(layout="NHWC"),
            r"picture is \['n', 48, 64, 3\], and the description says NCHW: \[batch, 3, 48, 64\]",
        ),
        (_with_graph(shape=["n", 1, HEIGHT, WIDTH]), "Incompatible dimensions|description says NCHW"),
        (_with_description(frame={"width": 100, "height": HEIGHT}), r"\[batch, 3, 48, 100\]"),
        (_with_graph(inputs=2), r"takes 2 inputs \(picture, more0\)"),
        (_with_graph(kind=TensorProto.UINT8), "takes bytes, so remove scale, mean and std"),
        (_with_description(output={"kind": "probabilities"}), 'set output.kind = "logits" in the description'),
        (
            _with_description(output={"kind": "logits", "tensor": "boxes"}),
            "set output.tensor in the description to one",
        ),
        (_with_description(labels="none.txt"), "the labels .* cannot be read"),
        (_with_description(input={"layout": "CHWN"}), "input.layout"),
        (_with_description(name="Forest Cams"), "is no valid model name"),
        (lambda mine, _: mine.graph.unlink(), "there is no ONNX file"),
        (lambda mine, _: mine.graph.write_bytes(b"not a graph"), "the file is not ONNX, or incomplete"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(
    mine: Mine, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Mine, pytest.MonkeyPatch], None], reason: str
) -> None:
    harm(mine, monkeypatch)

    with pytest.raises(Exception, match=reason) as caught:
        mine.imported()
    assert type(caught.value).__module__.startswith(("uncia.", "triton_models."))
    assert "\n" not in str(caught.value)


def test_the_wrapping_adds_no_copy_of_the_weights(mine: Mine) -> None:
    assert (mine.imported().folder / "model.onnx").stat().st_size < mine.graph.stat().st_size + 3000
    assert graph_errors.MAX_ONNX_BYTES == 2**31 - 1
