"""The client of an embedder: what it sends to Triton, and which answers are no vectors."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from tests.unit.uncia.serving.fake_triton import FakeTriton, fails, serving
from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.imaging.frame_spec import FrameSpec
from uncia.lanes import LANE_PRIORITIES
from uncia.serving.embedder_card import EmbedderCard, EmbedderSelfTest
from uncia.serving.embedder_client import EmbedderClient, embedder_frame
from uncia.serving.self_tests import self_test_difference
from uncia.settings import Settings

CARD = EmbedderCard(
    model="coats",
    versions=("2",),
    frame=FrameSpec(width=40, height=20, crop_top=0, crop_bottom=0, window=40),
    dimensions=4,
    self_test=EmbedderSelfTest(vector=(1.0, 0.0, 0.0, 0.0)),
    onnx_sha256="ab" * 32,
)
CROP = np.full((60, 30, 3), 200, dtype=np.uint8)


class EmbeddingTriton(FakeTriton):
    """Answers every crop with one vector."""

    def __init__(self, *vector: float) -> None:
        super().__init__()
        self.vector = np.array(vector, dtype=np.float32)

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.record(request, context)
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version=request.model_version)
        answer.outputs.add(name="EMBEDDING", datatype="FP32", shape=[1, len(self.vector)])
        answer.raw_output_contents.append(self.vector.tobytes())
        return answer


@pytest.fixture
def triton() -> EmbeddingTriton:
    return EmbeddingTriton(3, 0, 4, 0)


@pytest.fixture
def client(triton: EmbeddingTriton) -> Iterator[EmbedderClient]:
    with serving(triton) as address:
        client = EmbedderClient(Settings(_env_file=None, triton=address, triton_timeout_s=5))
        yield client
        client.close()


def test_a_crop_gives_the_vector_of_the_cards_version(client: EmbedderClient, triton: EmbeddingTriton) -> None:
    vector = client.embed(CARD, CROP)
    assert vector is not None
    assert vector.tolist() == [3, 0, 4, 0]
    assert triton.requested == ["2"]


def test_crops_give_way_to_live_photographs(client: EmbedderClient, triton: EmbeddingTriton) -> None:
    client.embed(CARD, CROP)
    assert triton.priorities == [LANE_PRIORITIES[Lane.BACKFILL]]


@pytest.mark.parametrize("vector", [(0, 0, 0, 0), (1, float("nan"), 0, 0), (1, float("inf"), 0, 0)])
def test_what_is_no_vector_is_none(client: EmbedderClient, triton: EmbeddingTriton, vector: tuple[float, ...]) -> None:
    triton.vector = np.array(vector, dtype=np.float32)
    assert client.embed(CARD, CROP) is None


def test_a_vector_of_another_length_is_refused(client: EmbedderClient, triton: EmbeddingTriton) -> None:
    triton.vector = np.ones(5, dtype=np.float32)
    with pytest.raises(DependencyDown, match="tensors of another shape than its card says"):
        client.embed(CARD, CROP)


def test_a_triton_that_fails_is_a_dependency_that_is_down(client: EmbedderClient, triton: EmbeddingTriton) -> None:
    triton.behaviour = fails(grpc.StatusCode.UNAVAILABLE, "loading")
    with pytest.raises(DependencyDown):
        client.embed(CARD, CROP)


def test_a_stretched_crop_fills_the_frame() -> None:
    frame = embedder_frame(CARD, CROP)
    assert frame.shape == (20, 40, 3)
    assert (frame == 200).all()


def test_a_letterboxed_crop_keeps_its_proportions_in_the_middle() -> None:
    frame = embedder_frame(CARD.model_copy(update={"fit": "letterbox", "fill": 7}), CROP)
    assert (frame[:, 15:25] == 200).all()
    assert (np.delete(frame, range(15, 25), axis=1) == 7).all()


@pytest.mark.parametrize(
    ("vector", "difference"), [((5, 0, 0, 0), 0.0), ((0, 2, 0, 0), 2**0.5), ((-1, 0, 0, 0), 2.0), ((0, 0, 0, 0), 1.0)]
)
def test_the_self_test_compares_directions(vector: tuple[float, ...], difference: float) -> None:
    assert self_test_difference(CARD, {"EMBEDDING": np.array([vector])}) == pytest.approx(difference)


def test_the_self_test_of_a_vector_with_nan_is_never_passed() -> None:
    assert not self_test_difference(CARD, {"EMBEDDING": np.array([[1, np.nan, 0, 0]])}) <= 2
