"""Merge a detector of animals with one of persons and vehicles into one graph: one request, one decoded frame.

MegadetectorLite has one class for everything that is not background. A sure person or vehicle at the same place
therefore relabels its box, and persons and vehicles that it missed are added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import ModelProto, compose

from uncia.triton_models.detectors import BOXES_PER_FRAME, CATEGORIES
from uncia.triton_models.detectors.onnx_builder import FLOAT, INT32, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.detectors.postprocessing import output_tensors

_ANIMALS, _OTHERS = "animals/", "others/"


@dataclass(frozen=True)
class FusionRules:
    """When a person or vehicle counts, and when it relabels an animal."""

    thresholds: Mapping[str, float] = field(default_factory=lambda: {"person": 0.6, "vehicle": 0.4})
    """The least score of a sure person or vehicle; other categories of the second detector are left out."""
    unsupported: Mapping[str, float] = field(default_factory=lambda: {"person": 0.8, "vehicle": 0.5})
    """The least score where the first detector found nothing at the same place. The first one also finds persons and
    vehicles, so a person that it missed is doubtful: a genuine blank had one of 0.61 over the whole frame."""
    overlap: float = 0.4
    """Intersection over union from which two boxes show the same object."""


def opset_of(graph: bytes) -> int:
    """The operator set of a serialised graph."""
    return _opset(onnx.load_model_from_string(graph))


def merge_detectors(animals: bytes, others: bytes, rules: FusionRules | None = None) -> bytes:
    """One graph with the input FRAME of both, and the outputs of a detector (see this package).

    A box of `animals` that overlaps a sure person or vehicle of `others` takes its category and the higher of both
    scores; of several such boxes the best remains. Persons and vehicles that overlap no box of `animals` are added from
    `unsupported` on. Raises `ValueError` where the frames or operator sets of the graphs differ.
    """
    rules = rules or FusionRules()
    first, second = (onnx.load_model_from_string(graph) for graph in (animals, others))
    if _opset(first) != _opset(second):
        raise ValueError(f"the graphs have different operator sets, {_opset(first)} and {_opset(second)}")
    frames = [graph.graph.input[0].type.SerializeToString() for graph in (first, second)]
    if frames[0] != frames[1]:
        raise ValueError("the graphs take frames of different sizes")
    second.ir_version = first.ir_version = max(first.ir_version, second.ir_version)
    domains = {entry.domain: entry for entry in (*first.opset_import, *second.opset_import)}
    for graph in (first, second):
        del graph.opset_import[:]
        graph.opset_import.extend(domains.values())
    first, second = compose.add_prefix(first, _ANIMALS), compose.add_prefix(second, _OTHERS)
    both = compose.merge_models(first, second, io_map=[])
    fused = compose.merge_models(
        both,
        _fusion(rules, first),
        io_map=[(name, name) for name in _inputs()],
        outputs=["BOXES", "SCORES", "CATEGORIES"],
    )
    return checked_bytes(_share_input(fused))


def _opset(model: ModelProto) -> int:
    return {entry.domain: int(entry.version) for entry in model.opset_import}.get("", 0)


def _inputs() -> list[str]:
    return [prefix + name for prefix in (_ANIMALS, _OTHERS) for name in ("BOXES", "SCORES", "CATEGORIES")]


def _share_input(model: ModelProto) -> ModelProto:
    """Feed one input, FRAME, to the nodes of both graphs."""
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name in (_ANIMALS + "FRAME", _OTHERS + "FRAME"):
                node.input[index] = "FRAME"
    model.graph.input[0].name = "FRAME"
    del model.graph.input[1:]
    model.producer_name = "uncia"
    return model


def _fusion(rules: FusionRules, inner: ModelProto) -> ModelProto:
    builder = OnnxBuilder(_opset(inner))
    kinds = {"BOXES": (FLOAT, [4]), "SCORES": (FLOAT, []), "CATEGORIES": (INT32, [])}
    inputs = [
        tensor(name, kinds[name.rsplit("/", 1)[1]][0], ["batch", BOXES_PER_FRAME, *kinds[name.rsplit("/", 1)[1]][1]])
        for name in _inputs()
    ]
    boxes, scores, categories = (_ANIMALS + name for name in ("BOXES", "SCORES", "CATEGORIES"))
    other_boxes, other_scores, other_categories = (_OTHERS + name for name in ("BOXES", "SCORES", "CATEGORIES"))
    # A NaN of either detector must reach the client; the order of the scores has no place for it.
    total = builder.add("Add", builder.sum_over(scores, 1), builder.sum_over(other_scores, 1))
    unsound = builder.add("Mul", total, builder.constant(0.0))
    # A score above 1 is never reached.
    limits = builder.constant([rules.thresholds.get(category, 2.0) for category in CATEGORIES])
    sure = builder.cast(
        builder.add("GreaterOrEqual", other_scores, builder.add("Gather", limits, other_categories)), FLOAT
    )
    sure_scores = builder.add("Mul", other_scores, sure)
    overlaps = builder.cast(
        builder.add("GreaterOrEqual", _ious(builder, boxes, other_boxes), builder.constant(rules.overlap)), FLOAT
    )
    # Rows without a detection have score 0, and relabel nothing.
    found = builder.cast(builder.add("Greater", scores, builder.constant(0.0)), FLOAT)
    matches = builder.add("Mul", builder.add("Mul", overlaps, builder.unsqueeze(found, 2)), builder.unsqueeze(sure, 1))
    scored = builder.add("Mul", matches, builder.unsqueeze(other_scores, 1))
    best_match, matched = builder.best(scored, 1)
    best_match, matched = builder.squeeze(best_match, 2), builder.squeeze(matched, 2)
    relabelled = builder.add("Greater", best_match, builder.constant(0.0))
    new_category = builder.take_values(other_categories, matched)
    categories = builder.add("Where", relabelled, new_category, categories)
    kept = _one_per_object(builder, scores, relabelled, matched)
    scores = builder.add("Where", kept, builder.add("Max", scores, best_match), builder.constant(0.0))
    unmatched = builder.add("Sub", builder.constant(1.0), builder.squeeze(builder.maximum_over(matches, 1), 1))
    alone = builder.constant([rules.unsupported.get(category, 2.0) for category in CATEGORIES])
    certain = builder.cast(
        builder.add("GreaterOrEqual", other_scores, builder.add("Gather", alone, other_categories)), FLOAT
    )
    added = builder.add("Mul", builder.add("Mul", sure_scores, certain), unmatched)
    all_scores = builder.add("Concat", scores, added, axis=1)
    is_number = builder.add("Equal", all_scores, all_scores)
    top, index = builder.best(builder.add("Where", is_number, all_scores, builder.constant(0.0)), BOXES_PER_FRAME)
    all_boxes = builder.take_rows(builder.add("Concat", boxes, other_boxes, axis=1), index)
    shown = builder.cast(builder.add("Greater", top, builder.constant(0.0)), FLOAT)
    builder.add("Mul", all_boxes, builder.unsqueeze(shown, 2), output="BOXES")
    builder.add("Add", top, unsound, output="SCORES")
    chosen = builder.take_values(builder.add("Concat", categories, other_categories, axis=1), index)
    builder.add("Mul", chosen, builder.cast(shown, INT32), output="CATEGORIES")
    return builder.model(inputs, output_tensors(), opsets=list(inner.opset_import), ir_version=inner.ir_version)


def _one_per_object(builder: OnnxBuilder, scores: str, relabelled: str, matched: str) -> str:
    """True (B, N) for boxes that keep their label, and for the best of those that the same other box relabels."""
    rows = builder.constant([list(range(BOXES_PER_FRAME))], np.int64)
    same = builder.add("Equal", builder.unsqueeze(matched, 2), builder.unsqueeze(rows, 1))
    assigned = builder.cast(builder.add("And", same, builder.unsqueeze(relabelled, 2)), FLOAT)
    best = builder.add("ArgMax", builder.add("Mul", assigned, builder.unsqueeze(scores, 2)), axis=1, keepdims=0)
    is_best = builder.add("Equal", builder.take_values(best, matched), rows)
    return builder.add("Or", builder.add("Not", relabelled), is_best)


def _ious(builder: OnnxBuilder, boxes: str, others: str) -> str:
    """Intersection over union (B, N, M) of boxes (B, N, 4) and (B, M, 4), as x, y, width and height."""
    sides = []
    for side in (0, 1):
        ends = []
        for values, axis in ((boxes, 2), (others, 1)):
            start = builder.squeeze(builder.columns(values, side, side + 1), 2)
            length = builder.squeeze(builder.columns(values, side + 2, side + 3), 2)
            end = builder.add("Add", start, length)
            ends.append((builder.unsqueeze(start, axis), builder.unsqueeze(end, axis)))
        latest, earliest = (builder.add(kind, ends[0][at], ends[1][at]) for at, kind in enumerate(("Max", "Min")))
        sides.append(builder.add("Relu", builder.add("Sub", earliest, latest)))
    common = builder.add("Mul", *sides)
    areas = []
    for values, axis in ((boxes, 2), (others, 1)):
        area = builder.add("Mul", builder.columns(values, 2, 3), builder.columns(values, 3, 4))
        areas.append(area if axis == 2 else builder.add("Transpose", area, perm=[0, 2, 1]))
    union = builder.add("Sub", builder.add("Add", *areas), common)
    return builder.add("Div", common, builder.add("Max", union, builder.constant(np.float32(1e-9))))
