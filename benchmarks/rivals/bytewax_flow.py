"""A Bytewax dataflow on the stack's own Kafka and store: uploads in, the mean of each burst out.

Run in an environment of its own by `python -m bytewax.run`; `UNCIA_RIVAL_*` name the stack. Frames are classified in
batches of what is there, and belong to the burst in their names, which is complete with its last frame.
"""

import io
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from PIL import Image

_SIDE, _BATCH = 224, 8
_FRAMES = 5
_WHERE = json.loads(os.environ["UNCIA_RIVAL"])


@cache
def session() -> Any:
    """The model, with one thread per worker."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(_WHERE["graph"], options, providers=["CPUExecutionProvider"])


@cache
def store() -> Any:
    """A client of the object store."""
    import boto3

    return boto3.client("s3", **_WHERE["store"])


def uploaded(message: Any) -> str | None:
    """The key of an uploaded photograph; None for a message that is none."""
    return json.loads(message.value).get("key") if message.value else None


def tensor(key: str) -> Any:
    """The tensor of a photograph in the store."""
    body = store().get_object(Bucket=_WHERE["bucket"], Key=key)["Body"].read()
    with Image.open(io.BytesIO(body)) as picture:
        picture.draft("RGB", (_SIDE, _SIDE))
        small = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return ((np.asarray(small, np.float32) - 127.0) / 128.0).transpose(2, 0, 1)


def classify(keys: list[str]) -> Iterator[tuple[str, Any]]:
    """Burst and class probabilities of each photograph."""
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        scores = session().run(["scores"], {"picture": np.stack([tensor(key) for key in batch])})[0]
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        for key, row in zip(batch, raised / raised.sum(axis=1, keepdims=True), strict=True):
            # Names are <time>-<burst>-<frame>.jpg.
            yield key.split("-")[-2], row


def burst_mean(item: tuple[str, list[Any]]) -> KafkaSinkMessage[bytes, bytes]:
    """The message with the mean of a burst."""
    burst, rows = item
    mean = np.mean(rows, axis=0)
    body = {"burst": burst, "frames": len(rows), "top": int(mean.argmax()), "mean": [round(float(v), 6) for v in mean]}
    return KafkaSinkMessage(key=burst.encode(), value=json.dumps(body).encode())


flow = Dataflow("bursts")
messages = op.input(
    "uploads",
    flow,
    KafkaSource(_WHERE["brokers"], _WHERE["uploads"], add_config=_WHERE["kafka"], batch_size=_BATCH),
)
keys = op.filter_map("keys", messages, uploaded)
# Kafka's source reads partitions in one worker each; the photographs go to all of them.
spread = op.redistribute("spread", keys)
scored = op.flat_map_batch("classify", spread, classify)
bursts = op.collect("bursts", scored, timeout=timedelta(seconds=30), max_size=_FRAMES)
op.output("means", op.map("mean", bursts, burst_mean), KafkaSink(_WHERE["brokers"], _WHERE["means"], _WHERE["kafka"]))
