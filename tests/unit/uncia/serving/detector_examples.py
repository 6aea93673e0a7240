"""A detector for tests: its card, and a Triton that answers with boxes that a test chooses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from tests.unit.uncia.serving.fake_triton import FakeTriton
from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest

FRAME = FrameSpec(width=64, height=32, window=64, crop_top=0.1, crop_bottom=0.3)
CARD = DetectorCard(
    model="tiny_detector",
    versions=("1",),
    frame=FRAME,
    categories=(DetectionCategory.ANIMAL, DetectionCategory.PERSON),
    max_boxes=3,
    self_test=DetectorSelfTest(boxes=((0.25, 0.25, 0.5, 0.5),), scores=(0.9,), categories=(0,)),
    onnx_sha256="0" * 64,
    licence="MIT",
)


class FakeDetector(FakeTriton):
    """Answers every frame with these tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes = np.array([[0.25, 0.25, 0.5, 0.5], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
        self.scores = np.array([0.9, 0, 0], dtype=np.float32)
        self.categories = np.zeros(3, dtype=np.int32)

    def ModelInfer(self, request: Any, context: Any) -> Any:
        self.record(request, context)
        batch = request.inputs[0].shape[0]
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version=self.version)
        tensors: tuple[tuple[str, str, NDArray[Any]], ...] = (
            ("BOXES", "FP32", self.boxes),
            ("SCORES", "FP32", self.scores),
            ("CATEGORIES", "INT32", self.categories),
        )
        for name, kind, tensor in tensors:
            answer.outputs.add(name=name, datatype=kind, shape=[batch, *tensor.shape])
            answer.raw_output_contents.append(np.repeat(tensor[None], batch, 0).tobytes())
        return answer
