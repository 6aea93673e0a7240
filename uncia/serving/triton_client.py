"""Clients of Triton: `Classifier` for the workers, and `ModelControl`, which loads models and runs self-tests."""

import os
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.lanes import LANE_PRIORITIES
from uncia.serving.model_card import ModelCard, pinned_version, read_active_card, read_installed_card
from uncia.serving.model_health import ModelHealth, ProbeResult, classify_error, dependency_error
from uncia.settings import Settings

__all__ = [
    "Classifier",
    "InferenceResult",
    "ModelCard",
    "ModelControl",
    "ModelHealth",
    "ProbeResult",
    "ServedVersion",
    "read_active_card",
]

_CHANNEL: list[tuple[str, int]] = [
    # A batch of 32 frames has 14 MB; gRPC's default limit is 4 MB.
    ("grpc.max_send_message_length", 256 * 2**20),
    ("grpc.max_receive_message_length", 64 * 2**20),
    # gRPC's default backoff grows to two minutes; Triton restarts in three seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Detects a peer that disappeared (power, cable) while a request is pending. With a shorter interval, servers close
    # the connection because of too many pings.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # Triton is local: do not use the HTTP proxy of the environment.
    ("grpc.enable_http_proxy", 0),
    # Otherwise all clients of a process share one connection and its backoff.
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True)
class InferenceResult:
    """The output of one model version for B frames."""

    whole: NDArray[np.float32]
    """Probabilities for the whole frame, (B, classes)."""
    windows: NDArray[np.float32]
    """Highest probability of each class in any window, (B, classes)."""
    places: NDArray[np.int32]
    """Index of that window, (B, classes); see `FrameSpec.window_box`."""
    version: str
    """The model version in Triton's response."""
    inference_ms: float
    """Milliseconds from request to response, including queueing."""


class Classifier:
    """A long-lived client of one model. Create it in the event loop that uses it; calls may be concurrent.

    It requests the version of the card, so that outputs always match the labels. Every failure is `DependencyDown`: the
    frames are valid, so that the caller retries with backoff.
    """

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        self._settings = settings
        self._card = card
        self._client: triton_aio.InferenceServerClient | None = None

    async def classify(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: ModelCard | None = None) -> InferenceResult:
        """Classify B frames: uint8 of shape (B, height, width, 3), B at most `card.max_batch`.

        Live frames have precedence over backfill in Triton's queue. `card` selects a version or model other than that
        of this client. Raises `DependencyDown`, and `ValueError` for an array of another shape or type.
        """
        card = card or self._card
        if self._client is None:
            self._client = triton_aio.InferenceServerClient(self._settings.triton, channel_args=_CHANNEL)
        began = time.perf_counter()
        try:
            result = await self._client.infer(
                card.model,
                _inputs(card, pixels),
                model_version=card.version,
                outputs=_outputs(card),
                priority=LANE_PRIORITIES[lane],
                client_timeout=self._settings.triton_timeout_s,
            )
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, card.model) from error
        return _answer(result, card, pixels.shape[0], began)

    async def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


@dataclass(frozen=True)
class ServedVersion:
    """One entry of Triton's repository index."""

    model: str
    version: str
    state: str
    """READY, LOADING, UNLOADING, UNAVAILABLE; empty for a model that was never loaded."""
    reason: str


class ModelControl:
    """Inspects, loads and unloads Triton's models, synchronously: for commands and the watchdog."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = triton.InferenceServerClient(settings.triton, channel_args=_CHANNEL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def probe(self, model: str, version: str = "") -> ProbeResult:
        """Run the model's self-test and compare the output with its card. Errors of Triton are part of the result.

        The default is the pinned or the live version. Triton's readiness is not sufficient: it stays true when the
        process of a model is dead. Raises `SettingsError` when the model is not in the repository.
        """
        version = version or pinned_version(self._settings, model)
        card = read_installed_card(self._settings.model_repository, model, version)
        began = time.perf_counter()
        try:
            result = self._client.infer(
                model,
                _inputs(card, self_test_pattern(card.frame)[np.newaxis]),
                model_version=card.version,
                outputs=_outputs(card),
                client_timeout=self._settings.triton_timeout_s,
            )
            answer = _answer(result, card, 1, began)
        except InferenceServerException as error:
            return ProbeResult(classify_error(error), str(dependency_error(error, self._settings, model)))
        except DependencyDown as error:
            return ProbeResult(ModelHealth.WRONG, str(error))
        expected = card.self_test
        stored = np.stack([expected.whole.unpack(), expected.windows.unpack()])
        # NumPy's maximum propagates NaN, with which the comparison fails; Python's `max` could drop it.
        difference = float(np.abs(np.stack([answer.whole[0], answer.windows[0]]) - stored).max())
        if difference <= expected.tolerance:
            health, detail = ModelHealth.HEALTHY, f"version {answer.version} answers its self-test"
        else:
            health = ModelHealth.WRONG
            detail = (
                f"version {answer.version} answers its self-test wrongly (off by {difference:.3f}): "
                "`uncia models build`, then reload it"
            )
        return ProbeResult(health, detail, answer.version, answer.inference_ms, difference)

    def reload(self, model: str, *, timeout_s: float = 60) -> None:
        """Unload and load a model, which restarts a dead stub process and loads a new build. Raises `DependencyDown`.

        Triton must run with `--model-control-mode=explicit`. Requests in the meantime fail; clients retry them.
        """
        # Do not wait: with a dead stub, unloading never ends; loading does not depend on it.
        self.unload(model, timeout_s=timeout_s)
        self.load(model, timeout_s=timeout_s)

    def reload_version(self, model: str, version: str, *, timeout_s: float = 60) -> None:
        """Reload one version whose process died or that Triton lost; other versions keep serving.

        Triton loads the versions whose folders were modified since its last load (all of them, if another version
        became live in between), each in parallel to the instance that it replaces; no request to another version fails
        (server 2.51). Therefore this sets the modification time of the folder to now. Raises `DependencyDown`.
        """
        folder = self._settings.model_repository / model / version
        try:
            os.utime(folder)
        except OSError as error:
            raise DependencyDown(
                f"cannot set the modification time of {folder} for Triton ({error.strerror})"
            ) from error
        self.load(model, timeout_s=timeout_s)

    def load(self, model: str, *, timeout_s: float = 60) -> None:
        """Make Triton read a model's folder again and serve the versions in its `config.pbtxt`.

        Versions that were served keep serving until the new ones are ready; a version that cannot be loaded does not
        affect the others (server 2.51: no request failed, the slowest took a second). Raises `DependencyDown`.
        """
        try:
            self._client.load_model(model, client_timeout=timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error

    def unload(self, model: str, *, timeout_s: float = 60) -> None:
        """Unload a model; does nothing when it is not loaded. Raises `DependencyDown`."""
        try:
            self._client.unload_model(model, client_timeout=timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error

    def list_served(self, model: str | None = None) -> list[ServedVersion]:
        """Return Triton's repository index, for all models or one. Raises `DependencyDown`."""
        try:
            index = self._client.get_model_repository_index(client_timeout=self._settings.triton_timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model or "the models") from error
        lines = [ServedVersion(entry.name, entry.version, entry.state, entry.reason) for entry in index.models]
        return [line for line in lines if model in (None, line.model)]


def _inputs(card: ModelCard, pixels: Pixels) -> list[Any]:
    expected = (card.frame.height, card.frame.width, 3)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != expected or not 1 <= len(pixels) <= card.max_batch:
        raise ValueError(
            f"{card.model} takes uint8 frames of {expected}, 1 to {card.max_batch} at once; "
            f"these are {pixels.dtype} {pixels.shape}"
        )
    tensor = triton.InferInput(card.input, list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(np.ascontiguousarray(pixels))
    return [tensor]


def _outputs(card: ModelCard) -> list[Any]:
    return [triton.InferRequestedOutput(name) for name in (card.whole, card.windows, card.places)]


def _answer(result: Any, card: ModelCard, batch: int, began: float) -> InferenceResult:
    shape = (batch, len(card.labels.classes))
    tensors = [result.as_numpy(name) for name in (card.whole, card.windows, card.places)]
    if any(tensor is None or tensor.shape != shape for tensor in tensors):
        raise DependencyDown(
            f"{card.model} answers with tensors of another shape than its card says: `uncia models build`, then "
            "`uncia models check`"
        )
    whole, windows, places = tensors
    return InferenceResult(
        whole, windows, places, result.get_response().model_version, (time.perf_counter() - began) * 1000
    )
