"""One ONNX graph out of several: members and views inside, one frame in, one answer out.

The graphs of the members are taken as they are, whoever exported them; views at another size ask the same graph with
another input, which convolutional ones allow. Weights that are the same are held once. Plain views and mirrored ones go
through a member as one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from uncia.imaging.frames import FrameSpec
from uncia.serving.model_card import ModelCard
from uncia.training.ensembles.deduplication import deduplicate
from uncia.training.ensembles.rules import Floats, Rule
from uncia.training.ensembles.views import View, ViewError, area_matrix, map_windows, scale_spec
from uncia.triton_models.packages.loading import OpenPackage

_LEAST = 1e-6
"""As in `calibration.log_odds`."""


@dataclass(frozen=True)
class Member:
    """One model with the views that it is asked about."""

    package: OpenPackage
    views: tuple[View, ...]
    order: tuple[int, ...] = ()
    """For each class of the ensemble, this model's; empty where they are the same."""


@dataclass
class ViewOutputs:
    """The names of one view's values in the graph, in the ensemble's classes and windows."""

    whole: str
    windows: str
    places: str
    dense: bool


class _GraphBuilder:
    """The graph as it grows."""

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
        """The member's graph, fed with a frame; the names of its answers."""
        self._names += 1
        prefix = f"call_{self._names}/"
        graph = compose.add_prefix_graph(model.graph, prefix)
        for entry in model.opset_import:
            if self.opsets.setdefault(entry.domain, entry.version) != entry.version:
                raise ViewError(
                    f"{card.model} speaks ONNX opset {entry.version}, another member {self.opsets[entry.domain]}: "
                    "export them with one version"
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

    Raises `ViewError` for members that do not go together.
    """
    made = _GraphBuilder()
    answers = [answer for member in members for answer in _asked(made, member, common)]
    classes = len(members[0].order or members[0].package.card.labels.classes)
    outputs = {
        "WHOLE": _whole(made, rule, [each.whole for each in answers], classes),
        "WINDOWS": _combined(made, rule, [each.windows for each in answers], classes, weights, bias),
        "PLACES": _places(made, answers),
    }
    return _finished(made, outputs, common, ["batch", classes])


def member_outputs_graph(members: Sequence[Member], common: FrameSpec) -> Any:
    """The same without a rule: WHOLE and WINDOWS (M, B, C), what each view of each member says; PLACES (B, C)."""
    made = _GraphBuilder()
    answers = [answer for member in members for answer in _asked(made, member, common)]
    classes = len(members[0].order or members[0].package.card.labels.classes)
    axis = made.constant(np.array([0], dtype=np.int64))
    outputs = {
        name: made.add("Concat", *(made.add("Unsqueeze", value, axis) for value in values), axis=0)
        for name, values in (("WHOLE", [a.whole for a in answers]), ("WINDOWS", [a.windows for a in answers]))
    }
    return _finished(made, {**outputs, "PLACES": _places(made, answers)}, common, [len(answers), "batch", classes])


def concatenated_graph(members: Sequence[Member], common: FrameSpec) -> Any:
    """Not combined but side by side: the classes of the first member, then those of the next. One view of each."""
    made = _GraphBuilder()
    answers = [answer for member in members for answer in _asked(made, member, common)]
    classes = sum(len(member.package.card.labels.classes) for member in members)
    outputs = {
        "WHOLE": made.add("Concat", *(each.whole for each in answers), axis=1),
        "WINDOWS": made.add("Concat", *(each.windows for each in answers), axis=1),
        "PLACES": made.add("Concat", *(each.places for each in answers), axis=1),
    }
    return _finished(made, outputs, common, ["batch", classes])


def _finished(made: _GraphBuilder, outputs: dict[str, str], common: FrameSpec, shape: list[int | str]) -> Any:
    made.nodes += [helper.make_node("Identity", [value], [name], name=name) for name, value in outputs.items()]
    frame = helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", common.height, common.width, 3])
    told = [
        helper.make_tensor_value_info("WHOLE", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("WINDOWS", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("PLACES", TensorProto.INT32, shape[-2:]),
    ]
    graph = helper.make_graph(made.nodes, "ensemble", [frame], told, made.constants)
    deduplicate(graph)
    opsets = [helper.make_opsetid(domain, version) for domain, version in sorted(made.opsets.items())]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="uncia")
    model.ir_version = made.version
    onnx.checker.check_model(model)
    return model


def _asked(made: _GraphBuilder, member: Member, common: FrameSpec) -> list[ViewOutputs]:
    """All views of a member, in their order."""
    card = member.package.card
    told = onnx.load(str(member.package.graph))
    found: dict[View, ViewOutputs] = {}
    for scale in dict.fromkeys(view.scale for view in member.views):
        spec = scale_spec(card.frame, scale)
        views = [view for view in member.views if view.scale == scale]
        frames = _resized(made, "FRAME", common, spec)
        both = [_mirrored(made, frames) if view.mirror else frames for view in views]
        batch = made.add("Concat", *both, axis=0) if len(both) > 1 else both[0]
        values = made.call(resize_input(told, spec), batch, card)
        classes = len(card.labels.classes)
        for at, view in enumerate(views):
            whole, windows, places = (_part(made, value, at, len(views), classes) for value in values)
            if member.order:
                order = made.constant(np.array(member.order, dtype=np.int64))
                whole, windows, places = (made.add("Gather", each, order, axis=1) for each in (whole, windows, places))
            table = made.constant(map_windows(spec, view.mirror, common))
            found[view] = ViewOutputs(whole, windows, made.add("Gather", table, places, axis=0), spec.grid != (1, 1))
    return [found[view] for view in member.views]


def resize_input(model: Any, spec: FrameSpec) -> Any:
    """The member's graph for frames of this size. Inner shapes that were noted down for another size are dropped."""
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


def _resized(made: _GraphBuilder, frame: str, common: FrameSpec, spec: FrameSpec) -> str:
    """As `views.resized`: rows and columns of the picture weighted by two matrices."""
    if (common.height, common.width) == (spec.height, spec.width):
        return frame
    planes = made.add("Transpose", made.add("Cast", frame, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    rows = made.constant(area_matrix(common.height, spec.height))
    columns = made.constant(np.ascontiguousarray(area_matrix(common.width, spec.width).T))
    small = made.add("MatMul", made.add("MatMul", rows, planes), columns)
    low, high, half = (made.constant(np.float32(value)) for value in (0, 255, 0.5))
    rounded = made.add("Floor", made.add("Add", made.add("Clip", small, low, high), half))
    return made.add("Transpose", made.add("Cast", rounded, to=TensorProto.UINT8), perm=[0, 2, 3, 1])


def _mirrored(made: _GraphBuilder, frame: str) -> str:
    one = [made.constant(np.array([value], dtype=np.int64)) for value in (-1, np.iinfo(np.int64).min, 2, -1)]
    return made.add("Slice", frame, *one)


def _part(made: _GraphBuilder, value: str, at: int, of: int, classes: int) -> str:
    """One view's rows out of those of all views in the batch."""
    if of == 1:
        return value
    shape = made.constant(np.array([of, -1, classes], dtype=np.int64))
    return made.add("Gather", made.add("Reshape", value, shape), made.constant(np.int64(at)), axis=0)


def _combined(
    made: _GraphBuilder, rule: Rule, values: list[str], classes: int, weights: Floats | None, bias: float
) -> str:
    if rule == "mean":
        return made.add("Mean", *values)
    if rule == "max":
        return made.add("Max", *values)
    if rule == "vote":
        depth, ends = made.constant(np.int64(classes)), made.constant(np.array([0, 1], dtype=np.float32))
        best = [made.add("ArgMax", value, axis=1, keepdims=0) for value in values]
        return made.add("Mean", *(made.add("OneHot", each, depth, ends, axis=-1) for each in best))
    odds = [_log_odds(made, value) for value in values]
    if rule == "log-odds":
        return made.add("Sigmoid", made.add("Mean", *odds))
    if weights is None or len(weights) != len(values):
        raise ViewError(f"stacking needs a weight for each of {len(values)} views of models")
    heavy = [
        made.add("Mul", each, made.constant(np.float32(weight))) for each, weight in zip(odds, weights, strict=True)
    ]
    return made.add("Sigmoid", made.add("Sum", *heavy, made.constant(np.float32(bias))))


def _whole(made: _GraphBuilder, rule: Rule, values: list[str], classes: int) -> str:
    """WHOLE says what the frame looks like and sums to one: a vote stays a vote, the rest is the mean."""
    return _combined(made, "vote" if rule == "vote" else "mean", values, classes, None, 0.0)


def _log_odds(made: _GraphBuilder, value: str) -> str:
    low, high, one = (made.constant(np.float32(bound)) for bound in (_LEAST, 1 - _LEAST, 1))
    held = made.add("Clip", value, low, high)
    return made.add("Sub", made.add("Log", held), made.add("Log", made.add("Sub", one, held)))


def _places(made: _GraphBuilder, answers: list[ViewOutputs]) -> str:
    """Where the view that is surest of a class sees it. Whole frames know no place, unless there is no other."""
    seeing = [each for each in answers if each.dense] or answers
    if len(seeing) == 1:
        return seeing[0].places
    axis = made.constant(np.array([0], dtype=np.int64))
    windows = made.add("Concat", *(made.add("Unsqueeze", each.windows, axis) for each in seeing), axis=0)
    places = made.add("Concat", *(made.add("Unsqueeze", each.places, axis) for each in seeing), axis=0)
    surest = made.add("ArgMax", windows, axis=0, keepdims=1)
    return made.add("Squeeze", made.add("GatherElements", places, surest, axis=0), axis)
