"""Build one ONNX graph from several: members and views inside, one frame in, one set of outputs.

The graphs of the members are used unchanged, whatever exported them; a view at another scale runs the same graph on an
input of another size, which convolutional graphs allow. Equal weights are stored once. Plain and mirrored views run
through a member as one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.model_card import ModelCard
from uncia.training.ensembles.deduplication import deduplicate
from uncia.training.ensembles.rules import Floats, Rule
from uncia.training.ensembles.views import View, ViewError, area_matrix, map_windows, scale_spec
from uncia.triton_models.packages.loading import OpenPackage

_MIN_PROBABILITY = 1e-6
"""As in `calibration.log_odds`."""


@dataclass(frozen=True)
class Member:
    """One model with its views."""

    package: OpenPackage
    views: tuple[View, ...]
    order: tuple[int, ...] = ()
    """For each class of the ensemble its index in this model; empty where the order is the same."""


@dataclass
class ViewOutputs:
    """The names of one view's tensors in the graph, in the ensemble's classes and windows."""

    whole: str
    windows: str
    places: str
    dense: bool


class _GraphBuilder:
    """Collects nodes and constants of the graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.opsets: dict[str, int] = {}
        self.version = 8
        self._names = 0

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self._names += 1
        name = f"ensemble/{kind}_{self._names}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Any) -> str:
        self._names += 1
        name = f"ensemble/constant_{self._names}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def call(self, model: Any, frame: str, card: ModelCard) -> tuple[str, str, str]:
        """Add a member's graph with `frame` as its input; the names of WHOLE, WINDOWS and PLACES."""
        self._names += 1
        prefix = f"call_{self._names}/"
        graph = compose.add_prefix_graph(model.graph, prefix)
        for entry in model.opset_import:
            if self.opsets.setdefault(entry.domain, entry.version) != entry.version:
                raise ViewError(
                    f"{card.model} has ONNX opset {entry.version}, another member {self.opsets[entry.domain]}: "
                    "export them with the same version"
                )
        self.version = max(self.version, model.ir_version)
        self.nodes.append(helper.make_node("Identity", [frame], [prefix + card.input], name=f"{prefix}frame"))
        self.nodes.extend(graph.node)
        self.constants.extend(graph.initializer)
        return prefix + card.whole, prefix + card.windows, prefix + card.places


def ensemble_graph(
    members: Sequence[Member], common: FrameSpec, rule: Rule, weights: Floats | None = None, bias: float = 0.0
) -> Any:
    """The `onnx.ModelProto` of an ensemble. `weights` has one entry for each view of each member, in their order.

    Raises `ViewError` for members that cannot be combined.
    """
    builder = _GraphBuilder()
    views = [view for member in members for view in _add_member(builder, member, common)]
    classes = len(members[0].order or members[0].package.card.labels.classes)
    outputs = {
        "WHOLE": _combine_whole(builder, rule, [view.whole for view in views], classes),
        "WINDOWS": _combine_scores(builder, rule, [view.windows for view in views], classes, weights, bias),
        "PLACES": _best_windows(builder, views),
    }
    return _build_model(builder, outputs, common, ["batch", classes])


def member_outputs_graph(members: Sequence[Member], common: FrameSpec) -> Any:
    """The same without a rule: WHOLE and WINDOWS (M, B, C), one entry per view of each member; PLACES (B, C)."""
    builder = _GraphBuilder()
    views = [view for member in members for view in _add_member(builder, member, common)]
    classes = len(members[0].order or members[0].package.card.labels.classes)
    axis = builder.constant(np.array([0], dtype=np.int64))
    outputs = {
        name: builder.add("Concat", *(builder.add("Unsqueeze", value, axis) for value in values), axis=0)
        for name, values in (("WHOLE", [view.whole for view in views]), ("WINDOWS", [view.windows for view in views]))
    }
    return _build_model(
        builder, {**outputs, "PLACES": _best_windows(builder, views)}, common, [len(views), "batch", classes]
    )


def concatenated_graph(members: Sequence[Member], common: FrameSpec) -> Any:
    """Concatenated instead of combined: the classes of the first member, then those of the next. One view of each."""
    builder = _GraphBuilder()
    views = [view for member in members for view in _add_member(builder, member, common)]
    classes = sum(len(member.package.card.labels.classes) for member in members)
    outputs = {
        "WHOLE": builder.add("Concat", *(view.whole for view in views), axis=1),
        "WINDOWS": builder.add("Concat", *(view.windows for view in views), axis=1),
        "PLACES": builder.add("Concat", *(view.places for view in views), axis=1),
    }
    return _build_model(builder, outputs, common, ["batch", classes])


def _build_model(builder: _GraphBuilder, outputs: dict[str, str], common: FrameSpec, shape: list[int | str]) -> Any:
    builder.nodes += [helper.make_node("Identity", [value], [name], name=name) for name, value in outputs.items()]
    frame = helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", common.height, common.width, 3])
    declared = [
        helper.make_tensor_value_info("WHOLE", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("WINDOWS", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("PLACES", TensorProto.INT32, shape[-2:]),
    ]
    graph = helper.make_graph(builder.nodes, "ensemble", [frame], declared, builder.constants)
    deduplicate(graph)
    opsets = [helper.make_opsetid(domain, version) for domain, version in sorted(builder.opsets.items())]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="uncia")
    model.ir_version = builder.version
    onnx.checker.check_model(model)
    return model


def _add_member(builder: _GraphBuilder, member: Member, common: FrameSpec) -> list[ViewOutputs]:
    """Add all views of a member; their outputs, in order."""
    card = member.package.card
    model = onnx.load(str(member.package.graph))
    found: dict[View, ViewOutputs] = {}
    for scale in dict.fromkeys(view.scale for view in member.views):
        spec = scale_spec(card.frame, scale)
        views = [view for view in member.views if view.scale == scale]
        frames = _add_resize(builder, "FRAME", common, spec)
        both = [_add_mirror(builder, frames) if view.mirror else frames for view in views]
        batch = builder.add("Concat", *both, axis=0) if len(both) > 1 else both[0]
        values = builder.call(resize_input(model, spec), batch, card)
        classes = len(card.labels.classes)
        for at, view in enumerate(views):
            whole, windows, places = (_select_view(builder, value, at, len(views), classes) for value in values)
            if member.order:
                order = builder.constant(np.array(member.order, dtype=np.int64))
                whole, windows, places = (
                    builder.add("Gather", value, order, axis=1) for value in (whole, windows, places)
                )
            table = builder.constant(map_windows(spec, view.mirror, common))
            found[view] = ViewOutputs(whole, windows, builder.add("Gather", table, places, axis=0), spec.grid != (1, 1))
    return [found[view] for view in member.views]


def resize_input(model: Any, spec: FrameSpec) -> Any:
    """The member's graph for frames of this size, without the inner shapes that were inferred for another size."""
    sizes = [entry.dim_value for entry in model.graph.input[0].type.tensor_type.shape.dim[1:3]]
    if sizes == [spec.height, spec.width]:
        return model
    other = onnx.ModelProto()
    other.CopyFrom(model)
    for dimension, size in zip(
        other.graph.input[0].type.tensor_type.shape.dim[1:3], (spec.height, spec.width), strict=True
    ):
        dimension.Clear()
        dimension.dim_value = size
    del other.graph.value_info[:]
    return other


def _add_resize(builder: _GraphBuilder, frame: str, common: FrameSpec, spec: FrameSpec) -> str:
    """As `views.resized`: rows and columns of the picture weighted by two matrices."""
    if (common.height, common.width) == (spec.height, spec.width):
        return frame
    planes = builder.add("Transpose", builder.add("Cast", frame, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    rows = builder.constant(area_matrix(common.height, spec.height))
    columns = builder.constant(np.ascontiguousarray(area_matrix(common.width, spec.width).T))
    small = builder.add("MatMul", builder.add("MatMul", rows, planes), columns)
    low, high, half = (builder.constant(np.float32(value)) for value in (0, 255, 0.5))
    rounded = builder.add("Floor", builder.add("Add", builder.add("Clip", small, low, high), half))
    return builder.add("Transpose", builder.add("Cast", rounded, to=TensorProto.UINT8), perm=[0, 2, 3, 1])


def _add_mirror(builder: _GraphBuilder, frame: str) -> str:
    one = [builder.constant(np.array([value], dtype=np.int64)) for value in (-1, np.iinfo(np.int64).min, 2, -1)]
    return builder.add("Slice", frame, *one)


def _select_view(builder: _GraphBuilder, value: str, at: int, of: int, classes: int) -> str:
    """The rows of one view from a batch with all views."""
    if of == 1:
        return value
    shape = builder.constant(np.array([of, -1, classes], dtype=np.int64))
    return builder.add("Gather", builder.add("Reshape", value, shape), builder.constant(np.int64(at)), axis=0)


def _combine_scores(
    builder: _GraphBuilder, rule: Rule, values: list[str], classes: int, weights: Floats | None, bias: float
) -> str:
    if rule == "mean":
        return builder.add("Mean", *values)
    if rule == "max":
        return builder.add("Max", *values)
    if rule == "vote":
        depth, ends = builder.constant(np.int64(classes)), builder.constant(np.array([0, 1], dtype=np.float32))
        best = [builder.add("ArgMax", value, axis=1, keepdims=0) for value in values]
        return builder.add("Mean", *(builder.add("OneHot", index, depth, ends, axis=-1) for index in best))
    odds = [_add_log_odds(builder, value) for value in values]
    if rule == "log-odds":
        return builder.add("Sigmoid", builder.add("Mean", *odds))
    if weights is None or len(weights) != len(values):
        raise ViewError(f"stacking needs a weight for each of {len(values)} views of models")
    heavy = [
        builder.add("Mul", value, builder.constant(np.float32(weight)))
        for value, weight in zip(odds, weights, strict=True)
    ]
    return builder.add("Sigmoid", builder.add("Sum", *heavy, builder.constant(np.float32(bias))))


def _combine_whole(builder: _GraphBuilder, rule: Rule, values: list[str], classes: int) -> str:
    """WHOLE must sum to one: the rule vote stays, all others become the mean."""
    return _combine_scores(builder, "vote" if rule == "vote" else "mean", values, classes, None, 0.0)


def _add_log_odds(builder: _GraphBuilder, value: str) -> str:
    low, high, one = (builder.constant(np.float32(bound)) for bound in (_MIN_PROBABILITY, 1 - _MIN_PROBABILITY, 1))
    held = builder.add("Clip", value, low, high)
    return builder.add("Sub", builder.add("Log", held), builder.add("Log", builder.add("Sub", one, held)))


def _best_windows(builder: _GraphBuilder, views: list[ViewOutputs]) -> str:
    """The window of the view that scores highest. Whole-frame views have no window to give, unless all are such."""
    dense = [view for view in views if view.dense] or views
    if len(dense) == 1:
        return dense[0].places
    axis = builder.constant(np.array([0], dtype=np.int64))
    windows = builder.add("Concat", *(builder.add("Unsqueeze", view.windows, axis) for view in dense), axis=0)
    places = builder.add("Concat", *(builder.add("Unsqueeze", view.places, axis) for view in dense), axis=0)
    surest = builder.add("ArgMax", windows, axis=0, keepdims=1)
    return builder.add("Squeeze", builder.add("GatherElements", places, surest, axis=0), axis)
