"""The JSON of an explanation: what was explained, and the weight and place of every segment."""

import json
from typing import Any

import numpy as np

from uncia.events.values import Box
from uncia.explaining.explanation import Explanation
from uncia.explaining.heat_map import to_photograph
from uncia.imaging.frame_spec import FrameSpec


def explanation_document(explanation: Explanation, spec: FrameSpec, facts: dict[str, Any]) -> bytes:
    """UTF-8 JSON: the `facts` of the caller, then `segments`, best first, each with its weight, its share of the frame
    and its box as shares of the photograph. Equal arguments give equal bytes."""
    flat = explanation.segments.ravel()
    sizes = np.bincount(flat, minlength=len(explanation.weights)) / flat.size
    order = np.argsort(-explanation.weights, kind="stable")
    segments = [
        {
            "segment": int(number),
            "weight": round(float(explanation.weights[number]), 6),
            "area": round(float(sizes[number]), 6),
            "box": to_photograph(_box(explanation, int(number)), spec),
        }
        for number in order
    ]
    constant = {"constant": True} if explanation.constant else {}
    return json.dumps({**facts, **constant, "segments": segments}, ensure_ascii=False, indent=1).encode()


def _box(explanation: Explanation, number: int) -> Box:
    inside = explanation.segments == number
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    height, width = inside.shape
    left, top = float(columns[0]), float(rows[0])
    return (
        left / width,
        top / height,
        (float(columns[-1]) + 1 - left) / width,
        (float(rows[-1]) + 1 - top) / height,
    )
