"""Requests of frames to Triton, and their responses, for models of any kind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.imaging.frames import Pixels
from uncia.lanes import LANE_PRIORITIES
from uncia.serving.base_card import BaseCard
from uncia.serving.model_health import dependency_error
from uncia.serving.triton_access import key_headers
from uncia.settings import Settings

__all__ = ["CHANNEL_OPTIONS", "FrameClient", "FrameResponse", "frame_inputs", "read_response", "requested_outputs"]

CHANNEL_OPTIONS: list[tuple[str, int]] = [
    # A batch of 32 frames is 14 MB; gRPC's own limit is 4.
    ("grpc.max_send_message_length", 256 * 2**20),
    ("grpc.max_receive_message_length", 64 * 2**20),
    # gRPC waits ever longer between its attempts, up to two minutes; a Triton that restarts is back in three seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A peer that vanished without a word (power, cable) is noticed while a request waits for it. Oftener, and
    # servers hang up on what they take for a flood of pings.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # Triton is a neighbour, whatever proxy the environment names for the web.
    ("grpc.enable_http_proxy", 0),
    # Otherwise all clients of a process share one connection, and its back-off with it.
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True)
class FrameResponse:
    """The outputs of one model version for B frames."""

    tensors: Mapping[str, NDArray[Any]]
    """By name, each (B, ...) with the shape that the card says."""
    version: str
    """The version that answered, as Triton reports it."""
    inference_ms: float
    """From request to response, queueing included."""


class FrameClient:
    """One long-lived connection to Triton. Make it in the event loop that uses it; many calls may be in flight."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = key_headers(settings)
        self._client: triton_aio.InferenceServerClient | None = None

    async def infer(self, card: BaseCard, pixels: Pixels, lane: Lane) -> FrameResponse:
        """Infer B frames: uint8 (B, height, width, 3), B at most `card.max_batch`. Live ones overtake backfill in the
        queue. It requests the version of the card, so that no output is read with another version's card.

        Raises `DependencyDown`, and `ValueError` for an array of another kind.
        """
        if self._client is None:
            self._client = triton_aio.InferenceServerClient(self._settings.triton, channel_args=CHANNEL_OPTIONS)
        began = time.perf_counter()
        try:
            result = await self._client.infer(
                card.model,
                frame_inputs(card, pixels),
                model_version=card.version,
                outputs=requested_outputs(card),
                priority=LANE_PRIORITIES[lane],
                headers=self._headers,
                client_timeout=self._settings.triton_timeout_s,
            )
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, card.model) from error
        return read_response(result, card, pixels.shape[0], began)

    async def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def frame_inputs(card: BaseCard, pixels: Pixels) -> list[Any]:
    """The input tensor of a request. Raises `ValueError` for an array that the card does not allow."""
    expected = (card.frame.height, card.frame.width, 3)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != expected or not 1 <= len(pixels) <= card.max_batch:
        raise ValueError(
            f"{card.model} takes uint8 frames of {expected}, 1 to {card.max_batch} at once; "
            f"these are {pixels.dtype} {pixels.shape}"
        )
    tensor = triton.InferInput(card.input, list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(np.ascontiguousarray(pixels))
    return [tensor]


def requested_outputs(card: BaseCard) -> list[Any]:
    """All outputs of the card."""
    return [triton.InferRequestedOutput(output.name) for output in card.outputs]


def read_response(result: Any, card: BaseCard, batch: int, began: float) -> FrameResponse:
    """The tensors of a response. Raises `DependencyDown` where a shape differs from the card's."""
    tensors = {output.name: result.as_numpy(output.name) for output in card.outputs}
    if any(
        tensors[output.name] is None or tensors[output.name].shape != (batch, *output.dims) for output in card.outputs
    ):
        raise DependencyDown(
            f"{card.model} answers with tensors of another shape than its card says: `uncia models build`, then "
            "`uncia models check`"
        )
    return FrameResponse(tensors, result.get_response().model_version, (time.perf_counter() - began) * 1000)
