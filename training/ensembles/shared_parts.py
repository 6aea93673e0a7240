"""What several models in one graph have in common is held once and computed once.

Models on one frozen backbone carry the same weights and begin with the same steps. Weights of the same content become
one; then, from the frame on, steps of the same kind on the same values become one.
"""

from typing import Any

from onnx import numpy_helper

_DRAWN = ("RandomNormal", "RandomUniform", "Bernoulli", "Multinomial", "Dropout")


def held_once(graph: Any) -> None:
    """Change an `onnx.GraphProto`, whose nodes are in the order of computation, in place."""
    twin = _same_weights(graph)
    outputs = {output.name for output in graph.output}
    first: dict[tuple[object, ...], list[str]] = {}
    kept = []
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in twin:
                node.input[at] = twin[name]
        if node.op_type.startswith(_DRAWN) or any(attribute.HasField("g") for attribute in node.attribute):
            kept.append(node)
            continue
        told = tuple(sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute))
        key = (node.domain, node.op_type, tuple(node.input), told, tuple(bool(name) for name in node.output))
        before = first.setdefault(key, list(node.output))
        if before == list(node.output) or outputs & set(node.output):
            kept.append(node)
        else:
            twin.update(zip(node.output, before, strict=True))
    del graph.node[:]
    graph.node.extend(kept)
    _drop_unused(graph)


def _same_weights(graph: Any) -> dict[str, str]:
    """Names of tensors that another one stands for; the others are left in the graph."""
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    twin: dict[str, str] = {}
    kept = []
    for tensor in graph.initializer:
        content = numpy_helper.to_array(tensor).tobytes()
        name = first.setdefault((tensor.data_type, tuple(tensor.dims), content), tensor.name)
        if name == tensor.name:
            kept.append(tensor)
        else:
            twin[tensor.name] = name
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return twin


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
