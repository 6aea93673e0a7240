"""Repeats one inference request to Triton over one connection, without Uncia's client."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray

from benchmarks.figures import percentile
from uncia.access import TritonRight
from uncia.errors import UnciaError
from uncia.serving.triton_access import header_name, key_headers
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings


@dataclass(frozen=True)
class InferenceTarget:
    """A model version, the output tensors to request, and the frames (n, height, width, 3) to send."""

    model: str
    version: str
    outputs: tuple[str, ...]
    frames: NDArray[np.uint8]


@contextmanager
def grpc_requests(settings: Settings, target: InferenceTarget) -> Iterator[Callable[[], object]]:
    """A function that sends the request once over gRPC. It raises what the client raises."""
    client = triton.InferenceServerClient(
        settings.triton, channel_args=[("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    )
    tensor = triton.InferInput("FRAME", list(target.frames.shape), "UINT8")
    tensor.set_data_from_numpy(target.frames)
    outputs, headers = [triton.InferRequestedOutput(name) for name in target.outputs], key_headers(settings)

    def send() -> object:
        result = client.infer(
            target.model,
            [tensor],
            model_version=target.version,
            outputs=outputs,
            headers=headers,
            client_timeout=30,
        )
        return result.as_numpy(target.outputs[0])

    try:
        yield send
    finally:
        client.close()


@contextmanager
def http_requests(settings: Settings, target: InferenceTarget) -> Iterator[Callable[[], object]]:
    """A function that sends the request once over HTTP with Triton's binary extension, on a persistent connection."""
    connection = http.client.HTTPConnection(settings.triton_http, timeout=30)
    binary = {"parameters": {"binary_data": True}}
    data = target.frames.tobytes()
    tensor = {"name": "FRAME", "datatype": "UINT8", "shape": list(target.frames.shape)}
    header = json.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}],
            "outputs": [{"name": name, **binary} for name in target.outputs],
        }
    ).encode()
    key = settings.triton_inference_key
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(header)),
        header_name(TritonRight.INFERENCE): key.get_secret_value() if key else "",
    }

    def send() -> object:
        connection.request("POST", f"/v2/models/{target.model}/versions/{target.version}/infer", header + data, headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise UnciaError(body[:300].decode(errors="replace"))
        return body

    try:
        yield send
    finally:
        connection.close()


def set_loaded(settings: Settings, model: str, *, load: bool) -> None:
    """Load or unload a model in Triton."""
    with ModelControl(settings) as control:
        (control.load if load else control.unload)(model)


def percentiles(values: Sequence[float], *wanted: float) -> list[float]:
    """Percentiles of milliseconds, rounded to 0.01; `wanted` are shares from 0 to 1."""
    return [round(percentile(values, share), 2) for share in wanted]
