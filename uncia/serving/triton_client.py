"""Clients of Triton: the classifier of a worker, and the control that loads models and tests whether they answer."""

import os
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.imaging.frames import Pixels
from uncia.serving.cards import read_installed
from uncia.serving.frame_requests import CHANNEL_OPTIONS, FrameClient, frame_inputs, read_response, requested_outputs
from uncia.serving.model_card import ModelCard, pinned_version, read_active_card
from uncia.serving.model_health import ModelHealth, ProbeResult, classify_error, dependency_error
from uncia.serving.self_tests import self_test_difference, self_test_frame
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


@dataclass(frozen=True)
class InferenceResult:
    """The output of one model version for B frames."""

    whole: NDArray[np.float32]
    """(B, classes): the whole frame."""
    windows: NDArray[np.float32]
    """(B, classes): each class in its best window."""
    places: NDArray[np.int32]
    """(B, classes): which window that was; `FrameSpec.window_box` says where it lies."""
    version: str
    """The version that answered, as Triton reports it."""
    inference_ms: float
    """From request to answer, waiting included."""


class Classifier:
    """One long-lived client of one model. Make it in the event loop that uses it; many calls may be in flight.

    It requests the version of the card, so that no output is read with another version's labels. Every failure is
    `DependencyDown`: the frames are valid, so the caller retries with backoff.
    """

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        self._card = card
        self._client = FrameClient(settings)

    async def classify(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: ModelCard | None = None) -> InferenceResult:
        """Classify B frames: uint8 (B, height, width, 3), B at most `card.max_batch`. Live ones overtake
        backfill in the queue. `card` is of another version, or model, than the one that this was made for.

        Raises `DependencyDown`, and `ValueError` for an array of another kind.
        """
        card = card or self._card
        response = await self._client.infer(card, pixels, lane)
        whole, windows, places = (response.tensors[name] for name in (card.whole, card.windows, card.places))
        return InferenceResult(whole, windows, places, response.version, response.inference_ms)

    async def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        await self._client.close()


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
        self._client = triton.InferenceServerClient(settings.triton, channel_args=CHANNEL_OPTIONS)

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

        Without a version it is the pinned or the live one. Triton's own readiness is no evidence: it stays true when
        the process behind a model is dead. Raises `SettingsError` where the repository holds no such model.
        """
        version = version or pinned_version(self._settings, model)
        card = read_installed(self._settings.model_repository, model, version)
        began = time.perf_counter()
        try:
            result = self._client.infer(
                model,
                frame_inputs(card, self_test_frame(card)[np.newaxis]),
                model_version=card.version,
                outputs=requested_outputs(card),
                client_timeout=self._settings.triton_timeout_s,
            )
            answer = read_response(result, card, 1, began)
        except InferenceServerException as error:
            return ProbeResult(classify_error(error), str(dependency_error(error, self._settings, model)))
        except DependencyDown as error:
            return ProbeResult(ModelHealth.WRONG, str(error))
        difference = self_test_difference(card, answer.tensors)
        if difference <= card.self_test.tolerance:
            health, detail = ModelHealth.HEALTHY, f"version {answer.version} answers its self-test"
        else:
            health = ModelHealth.WRONG
            detail = (
                f"version {answer.version} answers its self-test wrongly (off by {difference:.3f}): "
                "`uncia models build`, then reload it"
            )
        return ProbeResult(health, detail, answer.version, answer.inference_ms, difference)

    def reload(self, model: str, *, timeout_s: float = 60) -> None:
        """Unload and load: restarts a dead stub process, and picks up a rebuilt model. Raises `DependencyDown`.

        Needs a Triton started with `--model-control-mode=explicit`. Requests in between fail; clients retry them.
        """
        # Not waited for: with a dead stub unloading never ends, and loading does not need its end.
        self.unload(model, timeout_s=timeout_s)
        self.load(model, timeout_s=timeout_s)

    def reload_version(self, model: str, version: str, *, timeout_s: float = 60) -> None:
        """Reload one version whose process died or that Triton lost; the other versions keep answering.

        Triton loads those versions whose folder is newer than when it looked last (all, where another one became live
        since), each in parallel to the one that it replaces; no request of another version fails (server 2.51). So the
        folder is given the present as its time, and nothing else. Raises `DependencyDown`.
        """
        folder = self._settings.model_repository / model / version
        try:
            os.utime(folder)
        except OSError as error:
            raise DependencyDown(f"{folder} cannot be given a new time for Triton ({error.strerror})") from error
        self.load(model, timeout_s=timeout_s)

    def load(self, model: str, *, timeout_s: float = 60) -> None:
        """Have Triton read a model's folder again and serve the versions of its `config.pbtxt`.

        Raises `DependencyDown`.

        What was served goes on answering until the new is ready, requests in flight included; a version that cannot
        be loaded leaves the others as they are (server 2.51: no request failed, the slowest waited for a second).
        """
        try:
            self._client.load_model(model, client_timeout=timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error

    def unload(self, model: str, *, timeout_s: float = 60) -> None:
        """Unload a model; a model that is not loaded is no error. Raises `DependencyDown`."""
        try:
            self._client.unload_model(model, client_timeout=timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error

    def list_served(self, model: str | None = None) -> list[ServedVersion]:
        """Triton's repository index, for all models or one. Raises `DependencyDown`."""
        try:
            index = self._client.get_model_repository_index(client_timeout=self._settings.triton_timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model or "the models") from error
        lines = [ServedVersion(entry.name, entry.version, entry.state, entry.reason) for entry in index.models]
        return [line for line in lines if model in (None, line.model)]
