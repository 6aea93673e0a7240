"""One request to Triton, again and again over one connection: as an outsider makes it, without our client."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray

from benchmarks.figures import percentile
from uncia.errors import UnciaError
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings


@dataclass(frozen=True)
class Asked:
    """Whom, what for, and with which frames."""

    model: str
    version: str
    outputs: tuple[str, ...]
    frames: NDArray[np.uint8]


@contextmanager
def by_grpc(settings: Settings, asked: Asked) -> Iterator[Callable[[], object]]:
    """Asks once per call; raises what the client raises."""
    client = triton.InferenceServerClient(
        settings.triton, channel_args=[("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    )
    tensor = triton.InferInput("FRAME", list(asked.frames.shape), "UINT8")
    tensor.set_data_from_numpy(asked.frames)
    outputs = [triton.InferRequestedOutput(name) for name in asked.outputs]

    def once() -> object:
        result = client.infer(asked.model, [tensor], model_version=asked.version, outputs=outputs, client_timeout=30)
        return result.as_numpy(asked.outputs[0])

    try:
        yield once
    finally:
        client.close()


@contextmanager
def by_http(settings: Settings, asked: Asked) -> Iterator[Callable[[], object]]:
    """The same by HTTP, with Triton's binary extension over one kept connection."""
    connection = http.client.HTTPConnection(settings.triton_http, timeout=30)
    binary = {"parameters": {"binary_data": True}}
    data = asked.frames.tobytes()
    tensor = {"name": "FRAME", "datatype": "UINT8", "shape": list(asked.frames.shape)}
    head = json.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}],
            "outputs": [{"name": name, **binary} for name in asked.outputs],
        }
    ).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}

    def once() -> object:
        connection.request("POST", f"/v2/models/{asked.model}/versions/{asked.version}/infer", head + data, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise UnciaError(body[:300].decode(errors="replace"))
        return body

    try:
        yield once
    finally:
        connection.close()


def release(settings: Settings, model: str, *, load: bool) -> None:
    """Have Triton load a model, or let go of it."""
    with ModelControl(settings) as control:
        (control.load if load else control.unload)(model)


def percentiles(values: Sequence[float], *wanted: float) -> list[float]:
    """Of milliseconds, to a hundredth; `wanted` are shares."""
    return [round(percentile(values, each), 2) for each in wanted]
