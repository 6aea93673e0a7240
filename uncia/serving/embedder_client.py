"""Client of an embedder on Triton: crops in, vectors out."""

import time

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from PIL import Image
from tritonclient.utils import InferenceServerException

from uncia.events import Lane
from uncia.imaging.frames import Pixels
from uncia.lanes import LANE_PRIORITIES
from uncia.serving.embedder_card import EmbedderCard
from uncia.serving.frame_requests import CHANNEL_OPTIONS, frame_inputs, read_response, requested_outputs
from uncia.serving.model_health import dependency_error
from uncia.serving.triton_access import key_headers
from uncia.settings import Settings

__all__ = ["EmbedderClient", "embedder_frame"]


class EmbedderClient:
    """A long-lived, blocking client. One thread at a time may use it; its requests give way to live photographs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = key_headers(settings)
        self._client: triton.InferenceServerClient | None = None

    def embed(self, card: EmbedderCard, crop: Pixels) -> NDArray[np.float32] | None:
        """The vector (dimensions,) of a crop (H, W, 3) by the version of the card; None where it has NaN or infinite
        numbers, or zeros alone, as of a graph that overflows.

        Raises `DependencyDown` where Triton does not answer, or answers with vectors of another length.
        """
        if self._client is None:
            self._client = triton.InferenceServerClient(self._settings.triton, channel_args=CHANNEL_OPTIONS)
        began = time.perf_counter()
        try:
            result = self._client.infer(
                card.model,
                frame_inputs(card, embedder_frame(card, crop)[np.newaxis]),
                model_version=card.version,
                outputs=requested_outputs(card),
                priority=LANE_PRIORITIES[Lane.BACKFILL],
                headers=self._headers,
                client_timeout=self._settings.triton_timeout_s,
            )
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, card.model) from error
        vector: NDArray[np.float32] = read_response(result, card, 1, began).tensors[card.embedding][0]
        return vector if np.isfinite(vector).all() and vector.any() else None

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._client is not None:
            client, self._client = self._client, None
            client.close()


def embedder_frame(card: EmbedderCard, crop: Pixels) -> Pixels:
    """The frame (height, width, 3) of a crop (H, W, 3): stretched, or letterboxed in the middle, as the card says."""
    width, height = card.frame.width, card.frame.height
    image = Image.fromarray(crop)
    if card.fit == "stretch":
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    ratio = min(width / image.width, height / image.height)
    size = (max(1, min(width, round(image.width * ratio))), max(1, min(height, round(image.height * ratio))))
    frame = Image.new("RGB", (width, height), (card.fill,) * 3)
    frame.paste(image.resize(size, Image.Resampling.BILINEAR), ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.asarray(frame)
