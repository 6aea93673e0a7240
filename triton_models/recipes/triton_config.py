"""`config.pbtxt`: how Triton serves a model."""

from typing import Literal, get_args

from uncia.events import Lane
from uncia.lanes import PRIORITIES
from uncia.model_card import ModelCard

Backend = Literal["python", "onnxruntime"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_TEMPLATE = """\
# Written by `uncia models build`; edits are overwritten.
name: "{model}"
backend: "{backend}"
max_batch_size: {max_batch}
input [ {{ name: "{input}" data_type: TYPE_UINT8 dims: [ {frame} ] }} ]
output [
  {{ name: "{whole}" data_type: TYPE_FP32 dims: [ {classes} ] }},
  {{ name: "{windows}" data_type: TYPE_FP32 dims: [ {classes} ] }},
  {{ name: "{places}" data_type: TYPE_INT32 dims: [ {classes} ] }}
]

# Pinned: clients name versions, and a newer folder takes nothing from them.
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

model_warmup [
  {{ name: "one" batch_size: 1 inputs {{ key: "{input}" value {{ {zeros} }} }} }},
  {{ name: "eight" batch_size: 8 inputs {{ key: "{input}" value {{ {zeros} }} }} }}
]
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


def config_pbtxt(card: ModelCard) -> str:
    """The configuration of the model that this card describes."""
    frame = f"{card.frame.height}, {card.frame.width}, 3"
    text = _TEMPLATE.format(
        model=card.model,
        backend=card.backend,
        max_batch=card.max_batch,
        input=card.input,
        whole=card.whole,
        windows=card.windows,
        places=card.places,
        frame=frame,
        classes=len(card.labels.classes),
        versions=", ".join(card.versions),
        queue=_QUEUE,
        priorities=max(PRIORITIES.values()),
        default_priority=PRIORITIES[Lane.LIVE],
        zeros=f"data_type: TYPE_UINT8 dims: [ {frame} ] zero_data: true",
    )
    return text + _TENSORRT if card.backend == "onnxruntime" else text
