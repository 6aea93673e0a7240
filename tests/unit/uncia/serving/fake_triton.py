"""A Triton made of one class: it speaks the real protocol over a real socket, and says what a test tells it to."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelSet
from uncia.serving.model_card import ModelCard, SelfTest

CLASSES = 3
LABELS = LabelSet.model_validate(
    {
        "name": "three",
        "classes": [
            {"index": 0, "label": "snow leopard", "taxon": "Panthera uncia", "group": "animal", "threshold": 0.02},
            {"index": 1, "label": "person", "taxon": "Homo sapiens", "group": "person"},
            {"index": 2, "label": "stone", "taxon": "", "group": "nothing"},
        ],
    }
)
WHOLE = np.array([0.25, 0.25, 0.5], dtype=np.float32)
WINDOWS = np.array([0.75, 0.5, 0.5], dtype=np.float32)
CARD = ModelCard(
    model="three_kinds",
    versions=("1",),
    frame=FrameSpec(),
    label_set=LABELS.id,
    labels=LABELS,
    max_batch=4,
    self_test=SelfTest(whole=ClassVector.pack(WHOLE), windows=ClassVector.pack(WINDOWS), tolerance=0.01),
    onnx_sha256="0" * 64,
)


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers every frame with WHOLE and WINDOWS, unless `behaviour` does something else first."""

    def __init__(self) -> None:
        self.behaviour: Callable[[grpc.ServicerContext], None] = lambda context: None
        self.whole = WHOLE
        self.windows = WINDOWS
        self.version = "7"
        self.calls: list[str] = []
        self.priorities: list[int] = []
        self.requested: list[str] = []

    def record(self, request: Any, context: grpc.ServicerContext) -> None:
        """Record a request, then do what `behaviour` does."""
        self.calls.append("infer")
        self.priorities.append(request.parameters["priority"].uint64_param)
        self.requested.append(request.model_version)
        self.behaviour(context)

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.record(request, context)
        batch = request.inputs[0].shape[0]
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version=self.version)
        for name, kind, vector in (
            ("WHOLE", "FP32", self.whole),
            ("WINDOWS", "FP32", self.windows),
            ("PLACES", "INT32", np.arange(len(self.whole), dtype=np.int32)),
        ):
            answer.outputs.add(name=name, datatype=kind, shape=[batch, len(vector)])
            answer.raw_output_contents.append(np.repeat(vector[None], batch, 0).tobytes())
        return answer

    def RepositoryIndex(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = service_pb2.RepositoryIndexResponse()
        answer.models.add(name="three_kinds", version="1", state="READY")
        return answer

    def RepositoryModelLoad(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.calls.append(f"load {request.model_name}")
        return service_pb2.RepositoryModelLoadResponse()

    def RepositoryModelUnload(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.calls.append(f"unload {request.model_name}")
        return service_pb2.RepositoryModelUnloadResponse()


def fails(code: grpc.StatusCode, message: str) -> Callable[[grpc.ServicerContext], None]:
    """A behaviour: end the call with this status."""

    def behaviour(context: grpc.ServicerContext) -> None:
        context.abort(code, message)

    return behaviour


@contextlib.contextmanager
def serving(triton: FakeTriton, address: str = "127.0.0.1:0") -> Iterator[str]:
    """The fake on a port of its own, or of the caller's; yields its address."""
    # As many bytes as the client may send; grpc's own limit would refuse a batch.
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()
