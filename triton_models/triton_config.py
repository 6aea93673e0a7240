"""`config.pbtxt`: how Triton serves a model."""

from collections.abc import Sequence
from typing import Literal, get_args

from uncia.events import Lane
from uncia.lanes import LANE_PRIORITIES
from uncia.serving.model_card import ModelCard

Backend = Literal["python", "onnxruntime"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_TEMPLATE = """\
# Written by `uncia models`; edits are overwritten.
name: "{model}"
backend: "{backend}"
max_batch_size: {max_batch}
input [ {{ name: "{input}" data_type: TYPE_UINT8 dims: [ {frame} ] }} ]
output [
  {{ name: "{whole}" data_type: TYPE_FP32 dims: [ {classes} ] }},
  {{ name: "{windows}" data_type: TYPE_FP32 dims: [ {classes} ] }},
  {{ name: "{places}" data_type: TYPE_INT32 dims: [ {classes} ] }}
]

# The live version, the one before it, and a shadow's. Clients name the version that they ask.
version_policy: {{ specific: {{ versions: [ {versions} ] }} }}

# No queue delay: batches form by themselves while the model works, and waiting only cost. A request that its
# client has long given up is not worth computing.
#
# Two priorities, each with a queue of its own: what was photographed just now overtakes what was long ago.
dynamic_batching {{
  priority_levels: {priorities}
  default_priority_level: {default_priority}
  default_queue_policy {{
    max_queue_size: {queue}
    timeout_action: REJECT
    default_timeout_microseconds: 10000000
  }}
}}

instance_group [ {{ kind: KIND_AUTO count: 1 }} ]
"""

# It has one shape for all versions. Where they differ there is none: a version that becomes live was asked its
# self-test before.
_WARM_UP = """
model_warmup [
  {{ name: "one" batch_size: 1 inputs {{ key: "{input}" value {{ {zeros} }} }} }},
  {{ name: "eight" batch_size: 8 inputs {{ key: "{input}" value {{ {zeros} }} }} }}
]
"""

# Read by `uncia.triton_models.serving.onnx_python_backend`.
_BESIDE = """
parameters {{ key: "beside" value: {{ string_value: "{beside}" }} }}
"""

# Used on a GPU only; the first load builds engines, which takes minutes, and keeps them beside the graph's cache.
_TENSORRT = """
optimization {
  execution_accelerators {
    gpu_execution_accelerator: [ {
      name: "tensorrt"
      parameters { key: "precision_mode" value: "FP16" }
      parameters { key: "trt_engine_cache_enable" value: "true" }
      parameters { key: "trt_engine_cache_path" value: "/tmp" }
    } ]
  }
}
"""

# A request holds up to 14 MB, so that the queue is bounded in memory as well.
_QUEUE = 64


def config_pbtxt(cards: Sequence[ModelCard], backend: str = "", beside: Sequence[str] = ()) -> str:
    """The configuration of a model whose served versions have these cards; `backend` instead of the cards' own.

    Versions `beside` give way to the others on a CPU: the python backend lowers the priority of their process.

    Where versions differ in frame or classes, Triton is told that the size varies (-1). Nothing is lost by that:
    each version has a queue of its own, so that a batch holds frames of one size in any case.
    """
    card = cards[0]
    spoken = {(each.model, each.input, each.whole, each.windows, each.places) for each in cards}
    if len(spoken) > 1:
        raise ValueError(f"versions of one model must agree in its tensors' names: {sorted(spoken)}")
    sizes = {(each.frame.height, each.frame.width) for each in cards}
    classes = {len(each.labels.classes) for each in cards}
    frame = ", ".join(map(str, (*(sizes.pop() if len(sizes) == 1 else (-1, -1)), 3)))
    words = {
        "model": card.model,
        "backend": backend or card.backend,
        "max_batch": max(each.max_batch for each in cards),
        "input": card.input,
        "whole": card.whole,
        "windows": card.windows,
        "places": card.places,
        "frame": frame,
        "classes": classes.pop() if len(classes) == 1 else -1,
        "versions": ", ".join(each.version for each in cards),
        "queue": _QUEUE,
        "priorities": max(LANE_PRIORITIES.values()),
        "default_priority": LANE_PRIORITIES[Lane.LIVE],
        "zeros": f"data_type: TYPE_UINT8 dims: [ {frame} ] zero_data: true",
    }
    text = _TEMPLATE.format(**words)
    if "-1" not in frame:
        text += _WARM_UP.format(**words)
    if beside:
        text += _BESIDE.format(beside=",".join(beside))
    return text + _TENSORRT if words["backend"] == "onnxruntime" else text
