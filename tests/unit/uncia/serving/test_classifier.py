"""What a worker may rely on when it asks Triton."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import numpy as np
import pytest

from tests.unit.uncia.serving.fake_triton import (
    CARD,
    WHOLE,
    WINDOWS,
    FakeTriton,
    fails,
    serving,
)
from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.serving.triton_client import Classifier, InferenceResult
from uncia.settings import Settings

T = TypeVar("T")
FRAMES = np.zeros((2, 320, 448, 3), dtype=np.uint8)


def ask(settings: Settings, work: Callable[[Classifier], Awaitable[T]]) -> T:
    """Run `work` with a classifier that is closed afterwards."""

    async def run() -> T:
        classifier = Classifier(settings, CARD)
        try:
            return await work(classifier)
        finally:
            await classifier.close()

    return asyncio.run(run())


def classify(settings: Settings) -> InferenceResult:
    return ask(settings, lambda classifier: classifier.classify(FRAMES))


def test_answers_every_frame_with_both_vectors_and_places(settings: Settings) -> None:
    answer = classify(settings)

    np.testing.assert_array_equal(answer.whole, [WHOLE, WHOLE])
    np.testing.assert_array_equal(answer.windows, [WINDOWS, WINDOWS])
    assert answer.places.dtype == np.int32


def test_reports_the_version_that_answered(settings: Settings, triton: FakeTriton) -> None:
    triton.version = "12"

    assert classify(settings).version == "12"


def test_live_frames_have_priority_over_backfill(settings: Settings, triton: FakeTriton) -> None:
    async def work(classifier: Classifier) -> None:
        await classifier.classify(FRAMES, Lane.BACKFILL)
        await classifier.classify(FRAMES)

    ask(settings, work)

    backfill, live = triton.priorities
    assert 1 <= live < backfill


def test_the_largest_batch_passes_the_channel(settings: Settings) -> None:
    batch = np.zeros((32, 320, 448, 3), dtype=np.uint8)

    async def work(classifier: Classifier) -> InferenceResult:
        classifier._card = CARD.model_copy(update={"max_batch": 32})
        return await classifier.classify(batch)

    assert ask(settings, work).whole.shape == (32, 3)


@pytest.mark.parametrize(
    ("code", "triton_says", "we_say"),
    [
        (grpc.StatusCode.INTERNAL, "Stub process 'three_kinds_0_0' is not healthy.", "the process behind three_kinds"),
        (grpc.StatusCode.UNAVAILABLE, "Request for unknown model: 'three_kinds' is not found", "does not serve"),
        (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", "refuses: Exceeds maximum queue size"),
        (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape for input 'FRAME'", "refuses: unexpected shape"),
        (grpc.StatusCode.INTERNAL, "", "refuses"),
    ],
)
def test_every_refusal_is_a_dependency_that_is_down_never_a_bad_photograph(
    settings: Settings, triton: FakeTriton, code: grpc.StatusCode, triton_says: str, we_say: str
) -> None:
    triton.behaviour = fails(code, triton_says)

    with pytest.raises(DependencyDown, match=we_say):
        classify(settings)


def test_a_model_that_answers_nothing_is_down(settings: Settings, triton: FakeTriton) -> None:
    # A stub with the wrong numpy does this: READY, and 0 bytes.
    triton.whole = triton.windows = np.zeros(0, dtype=np.float32)

    with pytest.raises(DependencyDown, match="another shape"):
        classify(settings)


def test_waits_no_longer_than_the_deadline(settings: Settings, triton: FakeTriton) -> None:
    hasty = settings.model_copy(update={"triton_timeout_s": 0.2})
    triton.behaviour = lambda context: time.sleep(1)

    with pytest.raises(DependencyDown, match=r"did not answer within 0\.2 s"):
        classify(hasty)


def test_says_where_nothing_listens(settings: Settings) -> None:
    unreachable = settings.model_copy(update={"triton": "127.0.0.1:1"})

    with pytest.raises(DependencyDown, match=r"127\.0\.0\.1:1 does not answer .*`uncia up`"):
        classify(unreachable)


def test_the_same_client_goes_on_after_triton_restarted(settings: Settings, triton: FakeTriton) -> None:
    async def work(classifier: Classifier) -> float:
        with serving(triton) as address:
            classifier._client._settings = settings.model_copy(update={"triton": address})
            await classifier.classify(FRAMES)
        for _ in range(3):
            with pytest.raises(DependencyDown):
                await classifier.classify(FRAMES)
        with serving(triton, address):
            back = time.monotonic()
            while True:
                try:
                    await classifier.classify(FRAMES)
                except DependencyDown:
                    await asyncio.sleep(0.05)
                else:
                    return time.monotonic() - back

    assert ask(settings, work) < 5


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((1, 320, 448, 3), dtype=np.float32),
        np.zeros((1, 448, 320, 3), dtype=np.uint8),
        np.zeros((0, 320, 448, 3), dtype=np.uint8),
        np.zeros((5, 320, 448, 3), dtype=np.uint8),
    ],
    ids=["floats", "on its side", "none", "more than the model takes"],
)
def test_another_kind_of_array_is_the_callers_mistake(settings: Settings, frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="takes uint8 frames"):
        ask(settings, lambda classifier: classifier.classify(frames))
