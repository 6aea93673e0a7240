"""Remove duplicate weights and duplicate computation from a graph that contains several models.

Models on one frozen backbone carry the same weights and begin with the same layers. Initializers of equal content
become one; then, from the frame on, nodes of the same kind with the same inputs become one.
"""

from typing import Any

from onnx import numpy_helper

_RANDOM = ("RandomNormal", "RandomUniform", "Bernoulli", "Multinomial", "Dropout")


def deduplicate(graph: Any) -> None:
    """Change an `onnx.GraphProto`, whose nodes are in topological order, in place."""
    replaced = _merge_initializers(graph)
    outputs = {output.name for output in graph.output}
    first: dict[tuple[object, ...], list[str]] = {}
    nodes = []
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in replaced:
                node.input[at] = replaced[name]
        if node.op_type.startswith(_RANDOM) or any(attribute.HasField("g") for attribute in node.attribute):
            nodes.append(node)
            continue
        attributes = tuple(sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute))
        key = (node.domain, node.op_type, tuple(node.input), attributes, tuple(bool(name) for name in node.output))
        twin = first.setdefault(key, list(node.output))
        if twin == list(node.output) or outputs & set(node.output):
            nodes.append(node)
        else:
            replaced.update(zip(node.output, twin, strict=True))
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused_initializers(graph)


def _merge_initializers(graph: Any) -> dict[str, str]:
    """Remove initializers that equal an earlier one; the removed names, with the name that replaces each."""
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    replaced: dict[str, str] = {}
    unique = []
    for tensor in graph.initializer:
        content = numpy_helper.to_array(tensor).tobytes()
        name = first.setdefault((tensor.data_type, tuple(tensor.dims), content), tensor.name)
        if name == tensor.name:
            unique.append(tensor)
        else:
            replaced[tensor.name] = name
    del graph.initializer[:]
    graph.initializer.extend(unique)
    return replaced


def _drop_unused_initializers(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    needed = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(needed)
