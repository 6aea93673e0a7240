"""Write ONNX graphs node by node; the nodes are valid from operator set 13 on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

IR_VERSION = 8
OPSET = 17

_AXES_ARE_INPUTS = 18
"""From this operator set on, reductions take their axes as an input."""


class OnnxBuilder:
    """Collects nodes and constants under unique names. Every method returns the name of its result."""

    def __init__(self, opset: int = OPSET, prefix: str = "") -> None:
        self.opset = opset
        self._prefix = prefix
        """Of all names that are not given: graphs that are merged must not share names."""
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, values: ArrayLike, kind: Any = np.float32) -> str:
        """A constant tensor."""
        name = f"{self._prefix}constant_{len(self._constants)}"
        array: NDArray[Any] = np.ascontiguousarray(np.asarray(values, dtype=kind))
        self._constants[name] = numpy_helper.from_array(array.reshape(np.shape(values)), name)
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """A node with one output."""
        result = output or f"{self._prefix}{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [result], **attributes))
        return result

    def add_pair(self, operator: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """A node with two outputs."""
        name = f"{self._prefix}{operator.lower()}_{len(self._nodes)}"
        results = (f"{name}_a", f"{name}_b")
        self._nodes.append(helper.make_node(operator, list(inputs), list(results), **attributes))
        return results

    def reshape(self, tensor: str, shape: Sequence[int]) -> str:
        """The tensor in another shape; 0 keeps a dimension, and -1 stands for what remains."""
        return self.add("Reshape", tensor, self.constant(shape, np.int64))

    def cast(self, tensor: str, kind: int) -> str:
        return self.add("Cast", tensor, to=kind)

    def maximum_over(self, tensor: str, axis: int) -> str:
        """The maximum along an axis, which remains with size 1; NaN where a value is NaN or infinite.

        ONNX Runtime's own maximum loses a NaN.
        """
        if self.opset >= _AXES_ARE_INPUTS:
            largest = self.add("ReduceMax", tensor, self.constant([axis], np.int64), keepdims=1)
        else:
            largest = self.add("ReduceMax", tensor, axes=[axis], keepdims=1)
        unsound = self.sum_over(self.add("Mul", tensor, self.constant(0.0)), axis)
        return self.add("Add", largest, unsound)

    def sum_over(self, tensor: str, axis: int) -> str:
        """The sum along an axis, which remains with size 1."""
        return self.add("ReduceSum", tensor, self.constant([axis], np.int64), keepdims=1)

    def columns(self, tensor: str, first: int, end: int, axis: int = -1) -> str:
        """A range of a tensor along an axis."""
        first_end_axis = [self.constant([number], np.int64) for number in (first, end, axis)]
        return self.add("Slice", tensor, *first_end_axis)

    def best(self, scores: str, count: int) -> tuple[str, str]:
        """The largest `count` values along the last axis, in order, and their indices."""
        return self.add_pair("TopK", scores, self.constant([count], np.int64), axis=-1)

    def take_rows(self, tensor: str, indices: str) -> str:
        """Rows (B, N, D) of a tensor (B, K, D) at indices (B, N)."""
        return self.add("GatherND", tensor, self.add("Unsqueeze", indices, *self._axes(2)), batch_dims=1)

    def take_values(self, tensor: str, indices: str) -> str:
        """Values (B, N) of a tensor (B, K) at indices (B, N)."""
        return self.add("GatherElements", tensor, indices, axis=1)

    def squeeze(self, tensor: str, axis: int) -> str:
        return self.add("Squeeze", tensor, *self._axes(axis))

    def unsqueeze(self, tensor: str, axis: int) -> str:
        return self.add("Unsqueeze", tensor, *self._axes(axis))

    def _axes(self, axis: int) -> tuple[str, ...]:
        return (self.constant([axis], np.int64),)

    def model(
        self, inputs: Sequence[Any], outputs: Sequence[Any], *, opsets: Sequence[Any] = (), ir_version: int = IR_VERSION
    ) -> ModelProto:
        """The model of all nodes, with these inputs and outputs (`tensor`)."""
        graph = helper.make_graph(self._nodes, "uncia", list(inputs), list(outputs), list(self._constants.values()))
        model = helper.make_model(
            graph, opset_imports=list(opsets) or [helper.make_opsetid("", self.opset)], producer_name="uncia"
        )
        model.ir_version = ir_version
        return model


def tensor(name: str, kind: int, shape: Sequence[int | str]) -> Any:
    """Name, type and shape of an input or output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def checked_bytes(model: ModelProto) -> bytes:
    """The serialised model. Raises `onnx.checker.ValidationError` where it is not valid ONNX."""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


FLOAT = TensorProto.FLOAT
INT32 = TensorProto.INT32
INT64 = TensorProto.INT64
UINT8 = TensorProto.UINT8
