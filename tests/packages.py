"""Model packages that take milliseconds: a linear classifier over a frame's mean colour, in the stream's contract."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.labels import LabelSet
from uncia.serving.model_card import ModelCard, SelfTest
from uncia.sound.spec import SoundSpec
from uncia.triton_models.repository import sha256

SMALL = FrameSpec(width=96, height=64, window=96)


def label_set(name: str, classes: int) -> LabelSet:
    """A label set of `classes` fictitious animals."""
    entries = [{"index": i, "label": f"{name} {i}", "taxon": f"Animal {i}", "group": "animal"} for i in range(classes)]
    return LabelSet.model_validate({"name": name, "classes": entries})


def write_graph(path: Path, frame: FrameSpec, classes: int, *, seed: int = 0) -> None:
    """WHOLE = WINDOWS = softmax(mean colour x weights); PLACES = 0."""
    weights = np.random.default_rng(seed).normal(scale=0.02, size=(3, classes)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["FRAME"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["WHOLE"], axis=1),
        helper.make_node("Identity", ["WHOLE"], ["WINDOWS"]),
        helper.make_node("Mul", ["WHOLE", "zero"], ["none"]),
        helper.make_node("Cast", ["none"], ["PLACES"], to=TensorProto.INT32),
    ]
    kinds = (("WHOLE", TensorProto.FLOAT), ("WINDOWS", TensorProto.FLOAT), ("PLACES", TensorProto.INT32))
    graph = helper.make_graph(
        nodes,
        "mean-colour",
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", frame.height, frame.width, 3])],
        [helper.make_tensor_value_info(name, kind, ["batch", classes]) for name, kind in kinds],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.zeros(1, np.float32), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def write_package(
    folder: Path,
    *,
    model: str = "tiny",
    frame: FrameSpec = SMALL,
    classes: int = 4,
    seed: int = 0,
    sound: SoundSpec | None = None,
) -> ModelCard:
    """Write a complete package whose labels are named after the seed. Returns its card."""
    folder.mkdir(parents=True)
    graph = folder / "model.onnx"
    write_graph(graph, frame, classes, seed=seed)
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    whole, windows, _ = session.run(None, {"FRAME": self_test_pattern(frame)[np.newaxis]})
    labels = label_set(f"set{seed}", classes)
    card = ModelCard(
        model=model,
        versions=("1",),
        frame=frame,
        label_set=labels.id,
        labels=labels,
        self_test=SelfTest(whole=ClassVector.pack(whole[0]), windows=ClassVector.pack(windows[0])),
        onnx_sha256=sha256(graph),
        sound=sound,
    )
    (folder / "model.json").write_text(card.model_dump_json())
    (folder / "labels.json").write_text(labels.model_dump_json())
    return card


def write_user_classifier(
    path: Path,
    *,
    layout: str = "NCHW",
    kind: int = TensorProto.FLOAT,
    shape: list[Any] | None = None,
    classes: int = 2498,
    softmax: bool = False,
    operator: str = "MatMul",
    batch: Any = "n",
    inputs: int = 1,
) -> None:
    """A classifier as users export it, over the mean of each channel of an image of 64 x 48."""
    size = [3, 48, 64] if layout == "NCHW" else [48, 64, 3]
    weights = np.random.default_rng(1).normal(size=(3, classes)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[2, 3] if layout == "NCHW" else [1, 2], keepdims=0),
        helper.make_node(operator, ["mean", "weights"], ["scores" if not softmax else "logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], axis=1))
    graph = helper.make_graph(
        nodes,
        "user",
        [helper.make_tensor_value_info("picture", kind, shape or [batch, *size])]
        + [helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, [1]) for i in range(inputs - 1)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
