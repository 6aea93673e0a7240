"""Small embedders and their descriptions, for tests."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

SIZE = 32
DIMENSIONS = 12


def embedder(path: Path, *, vector: str = "cells", seed: int = 1, dimensions: int = DIMENSIONS) -> Path:
    """An ONNX file that takes float pixels [batch, 3, 32, 32].

    `vector`: `cells` gives a random projection of the picture's 4 x 4 cells; `unit` the same with unit length, and
    `constant`, `zero`, `nan` what they say, of every picture.
    """
    weights = np.random.default_rng(seed).normal(size=(48, dimensions)).astype(np.float32)
    constants = {"constant": 1.0, "zero": 0.0, "nan": float("nan")}
    nodes = [
        helper.make_node("AveragePool", ["in"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["projected"]),
    ]
    if vector == "unit":
        nodes.append(helper.make_node("LpNormalization", ["projected"], ["out"], axis=1, p=2))
    elif vector in constants:
        nodes += [
            helper.make_node("Mul", ["projected", "nothing"], ["zeros"]),
            helper.make_node("Add", ["zeros", "constant"], ["out"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["projected"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "embedder",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", dimensions])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
            helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("constant", TensorProto.FLOAT, [1], [constants.get(vector, 0.0)]),
        ],
    )
    onnx.save(_model(graph), str(path))
    return path


def torch_embedder(path: Path) -> Any:
    """Export a small convolutional network to ONNX; returns it. For callers that have torch."""
    import torch

    torch.manual_seed(3)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.AvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(128, DIMENSIONS),
    ).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own deprecation
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, SIZE, SIZE),),
            str(path),
            opset_version=17,
            dynamo=False,
            input_names=["pixels"],
            output_names=["vector"],
            dynamic_axes={"pixels": {0: "batch"}, "vector": {0: "batch"}},
        )
    return network


def described(folder: Path, *, dimensions: int = DIMENSIONS, normalised: bool = False, **fields: Any) -> Path:
    """A description of `embedder`; `fields` replace or add some, and those of `input` are added to its own."""
    pixels = {"width": SIZE, "height": SIZE, "layout": "NCHW", "scale": 1 / 255, **fields.pop("input", {})}
    output = {"dimensions": dimensions, "normalised": normalised}
    path = folder / "embedder.json"
    content = {"kind": "embedder", "name": "coats", "input": pixels, "output": output, **fields}
    path.write_text(json.dumps(content))
    return path


def _model(graph: Any) -> ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model
