"""Read a TensorFlow.js graph model, and write a part of it as ONNX nodes.

A graph model is `model.json` (the TensorFlow graph, whose weights are listed in a manifest) and binary files with the
weights. The converter knows the operators of frozen convolutional networks and refuses others.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.triton_models.detectors.onnx_builder import OnnxBuilder

_STORED_AS = {"bool": "uint8"}


class TfjsError(UnciaError):
    """A TensorFlow.js model cannot be read or converted."""


class TfjsGraph:
    """The nodes of a graph model by name, and its weights as NumPy arrays. Raises `TfjsError`."""

    def __init__(self, folder: Path) -> None:
        try:
            described = json.loads((folder / "model.json").read_bytes())
            self.nodes: dict[str, Any] = {node["name"]: node for node in described["modelTopology"]["node"]}
            self.weights: dict[str, NDArray[Any]] = {}
            for group in described["weightsManifest"]:
                raw = b"".join((folder / _file_name(path)).read_bytes() for path in group["paths"])
                self.weights.update(_read_weights(raw, group["weights"]))
        except OSError as error:
            raise TfjsError(f"{error.filename} cannot be read: {error.strerror}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise TfjsError(f"{folder} is not a TensorFlow.js graph model: {error}") from error

    def inputs(self, name: str) -> list[str]:
        """The nodes whose first outputs a node takes; control inputs are left out."""
        return [entry.split(":")[0] for entry in self.nodes[name].get("input", []) if not entry.startswith("^")]


def _file_name(path: str) -> str:
    if Path(path).name != path:
        raise ValueError(f"{path!r} is not a file name")
    return path


def _read_weights(raw: bytes, described: list[Any]) -> dict[str, NDArray[Any]]:
    weights: dict[str, NDArray[Any]] = {}
    offset = 0
    for entry in described:
        quantised = entry.get("quantization", {})
        stored = quantised.get("dtype", entry["dtype"])
        kind = np.dtype(_STORED_AS.get(stored, stored))
        count = int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(raw, kind, count, offset).reshape(entry["shape"])
        offset += count * kind.itemsize
        if "scale" in quantised:
            values = (values * quantised["scale"] + quantised["min"]).astype(entry["dtype"])
        weights[entry["name"]] = values
    return weights


class TfjsConverter:
    """Adds nodes of a TensorFlow.js graph to an ONNX graph, each once; images are NHWC there and NCHW here."""

    def __init__(self, graph: TfjsGraph, builder: OnnxBuilder) -> None:
        self._graph = graph
        self._builder = builder
        self._done: dict[str, str] = {}
        self._operators: dict[str, Callable[[str, list[str]], str]] = {
            "Conv2D": self._convolution,
            "DepthwiseConv2dNative": self._convolution,
            "Mul": self._arithmetic("Mul"),
            "Add": self._arithmetic("Add"),
            "AddV2": self._arithmetic("Add"),
            "Sub": self._arithmetic("Sub"),
            "AddN": self._arithmetic("Sum"),
            "BiasAdd": self._arithmetic("Add"),
            "Relu": self._arithmetic("Relu"),
            "Relu6": self._relu6,
            "FusedBatchNorm": self._batch_norm,
            "FusedBatchNormV3": self._batch_norm,
        }

    def replace(self, name: str, tensor: str) -> None:
        """Use an ONNX tensor for the output of a node, which is then not converted."""
        self._done[name] = tensor

    def convert(self, name: str) -> str:
        """The ONNX tensor of a node's output, with all nodes that it needs. Raises `TfjsError`."""
        if name not in self._done:
            try:
                node = self._graph.nodes[name]
                self._done[name] = self._node(name, node)
            except KeyError as error:
                raise TfjsError(f"the graph has no {error.args[0]}, which {name} needs") from error
        return self._done[name]

    def _node(self, name: str, node: Any) -> str:
        if node["op"] == "Const":
            values = self._graph.weights[name].astype(np.float32)
            # Channels are the last axis there, and the second here.
            return self._builder.constant(values.reshape(1, -1, 1, 1) if values.ndim == 1 else values)
        if node["op"] not in self._operators:
            raise TfjsError(f"the node {name} has the operator {node['op']}, which cannot be converted")
        return self._operators[node["op"]](name, self._graph.inputs(name))

    def _arithmetic(self, operator: str) -> Callable[[str, list[str]], str]:
        def add(name: str, inputs: list[str]) -> str:
            return self._builder.add(operator, *(self.convert(entry) for entry in inputs))

        return add

    def _relu6(self, name: str, inputs: list[str]) -> str:
        limits = (self._builder.constant(0.0), self._builder.constant(6.0))
        return self._builder.add("Clip", self.convert(inputs[0]), *limits)

    def _convolution(self, name: str, inputs: list[str]) -> str:
        node, kernel = self._graph.nodes[name], self._graph.weights[inputs[1]].astype(np.float32)
        height, width, channels, filters = kernel.shape
        if node["op"] == "DepthwiseConv2dNative":
            weights, groups = kernel.transpose(2, 3, 0, 1).reshape(channels * filters, 1, height, width), channels
        else:
            weights, groups = kernel.transpose(3, 2, 0, 1), 1
        strides = [int(value) for value in node["attr"]["strides"]["list"]["i"]][1:3]
        return self._builder.add(
            "Conv",
            self.convert(inputs[0]),
            self._builder.constant(weights),
            strides=strides,
            group=groups,
            kernel_shape=[height, width],
            auto_pad="SAME_UPPER" if _text(node["attr"]["padding"]["s"]) == "SAME" else "VALID",
        )

    def _batch_norm(self, name: str, inputs: list[str]) -> str:
        statistics = [self._builder.constant(self._graph.weights[entry].astype(np.float32)) for entry in inputs[1:]]
        epsilon = float(self._graph.nodes[name]["attr"]["epsilon"]["f"])
        return self._builder.add("BatchNormalization", self.convert(inputs[0]), *statistics, epsilon=epsilon)


def _text(value: object) -> str:
    """A string of an attribute: a list of bytes, or base64."""
    return bytes(value).decode() if isinstance(value, list) else base64.b64decode(str(value)).decode()
