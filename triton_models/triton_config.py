"""Render `config.pbtxt`: how Triton serves a model."""

from collections.abc import Sequence
from typing import Literal, get_args

from uncia.events import Lane
from uncia.lanes import LANE_PRIORITIES
from uncia.serving.base_card import BaseCard

Backend = Literal["python", "onnxruntime"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_TEMPLATE = """\
# Written by `uncia models`; edits are overwritten.
name: "{model}"
backend: "{backend}"
max_batch_size: {max_batch}
input [ {{ name: "{input}" data_type: TYPE_UINT8 dims: [ {frame} ] }} ]
output [
{outputs}
]

# The live version, the previous one, and a shadow's. Clients request a version by number.
version_policy: {{ specific: {{ versions: [ {versions} ] }} }}

# No queue delay: batches form by themselves while the model computes, and a delay only adds latency. Requests
# whose clients have timed out are not computed.
#
# Two priorities, each with its own queue: new photographs overtake old ones.
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

# One shape for all versions. Where their frames differ there is no warm-up: a version runs its self-test before it
# becomes live.
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

# Used on a GPU only; the first load builds engines, which takes minutes, and caches them in /tmp.
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

# A request holds up to 14 MB, so the queue's length bounds its memory too.
_QUEUE = 64


def config_pbtxt(cards: Sequence[BaseCard], backend: str = "", beside: Sequence[str] = ()) -> str:
    """The configuration of a model whose served versions have these cards; `backend` replaces the cards' own.

    Versions in `beside` yield to the others on a CPU: the python backend lowers the priority of their process.

    Where versions differ in frame, classes or number of boxes, the configured size is variable (-1). This costs
    nothing: each version has its own queue, so a batch contains frames of one size in any case. Raises `ValueError`
    where the tensors' names or types differ.
    """
    card = cards[0]
    names = {(one.model, one.input, *((out.name, out.data_type) for out in one.outputs)) for one in cards}
    if len(names) > 1:
        raise ValueError(f"versions of one model must have equal tensor names and types: {sorted(names, key=str)}")
    sizes = {(one.frame.height, one.frame.width) for one in cards}
    frame = ", ".join(map(str, (*(sizes.pop() if len(sizes) == 1 else (-1, -1)), 3)))
    values = {
        "model": card.model,
        "backend": backend or card.backend,
        "max_batch": max(one.max_batch for one in cards),
        "input": card.input,
        "outputs": ",\n".join(_output(cards, index) for index in range(len(card.outputs))),
        "frame": frame,
        "versions": ", ".join(one.version for one in cards),
        "queue": _QUEUE,
        "priorities": max(LANE_PRIORITIES.values()),
        "default_priority": LANE_PRIORITIES[Lane.LIVE],
        "zeros": f"data_type: TYPE_UINT8 dims: [ {frame} ] zero_data: true",
    }
    text = _TEMPLATE.format(**values)
    if "-1" not in frame:
        text += _WARM_UP.format(**values)
    if beside:
        text += _BESIDE.format(beside=",".join(beside))
    return text + _TENSORRT if values["backend"] == "onnxruntime" else text


def _output(cards: Sequence[BaseCard], index: int) -> str:
    """One output of the configuration; sizes in which the versions differ are variable."""
    tensor = cards[0].outputs[index]
    sizes = zip(*(card.outputs[index].dims for card in cards), strict=True)
    dims = ", ".join(str(size[0] if len(set(size)) == 1 else -1) for size in sizes)
    return f'  {{ name: "{tensor.name}" data_type: TYPE_{tensor.data_type} dims: [ {dims} ] }}'
