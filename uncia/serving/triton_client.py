"""Clients of Triton: `Classifier` for the workers, and `ModelControl`, which loads models and runs self-tests."""

import getpass
import os
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from uncia.audit import AuditLog, audit_file_of_process
from uncia.errors import DependencyDown
from uncia.events import Lane
from uncia.imaging.frames import Pixels
from uncia.serving.cards import read_installed
from uncia.serving.frame_requests import CHANNEL_OPTIONS, FrameClient, frame_inputs, read_response, requested_outputs
from uncia.serving.model_card import ModelCard, pinned_version, read_active_card
from uncia.serving.model_health import ModelHealth, ProbeResult, classify_error, dependency_error
from uncia.serving.self_tests import self_test_difference, self_test_frame
from uncia.serving.triton_access import key_headers
from uncia.settings import Settings
from uncia.storage.readable import make_readable

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
        self._card = card
        self._client = FrameClient(settings)

    async def classify(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: ModelCard | None = None) -> InferenceResult:
        """Classify B frames: uint8 of shape (B, height, width, 3), B at most `card.max_batch`.

        Live frames have precedence over backfill in Triton's queue. `card` selects a version or model other than that
        of this client. Raises `DependencyDown`, and `ValueError` for an array of another shape or type.
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
        self._headers = key_headers(settings)
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

        The default is the pinned or the live version. Triton's readiness is not sufficient: it stays true when the
        process of a model is dead. Raises `SettingsError` when the model is not in the repository.
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
                headers=self._headers,
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
        if os.geteuid() == 0:
            # The embedded Triton then runs as another user; a part of the stack writes files for its own user alone.
            make_readable(self._settings.model_repository / model)
        try:
            self._client.load_model(model, headers=self._headers, client_timeout=timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error
        self._record("model_loaded", model)

    def unload(self, model: str, *, timeout_s: float = 60) -> None:
        """Unload a model; does nothing when it is not loaded. Raises `DependencyDown`."""
        try:
            self._client.unload_model(model, headers=self._headers, client_timeout=timeout_s)
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error
        self._record("model_unloaded", model)

    def _record(self, action: str, model: str) -> None:
        """Put a use of the control key into the audit log: a model is a program."""
        AuditLog(audit_file_of_process(self._settings.data_dir)).record(action, getpass.getuser(), model)

    def list_served(self, model: str | None = None) -> list[ServedVersion]:
        """Return Triton's repository index, for all models or one. Raises `DependencyDown`."""
        try:
            index = self._client.get_model_repository_index(
                headers=self._headers, client_timeout=self._settings.triton_timeout_s
            )
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model or "the models") from error
        lines = [ServedVersion(entry.name, entry.version, entry.state, entry.reason) for entry in index.models]
        return [line for line in lines if model in (None, line.model)]

    def count_failures(self, model: str, version: str = "") -> int:
        """Number of failed requests to a version of a model, or to all of them. Raises `DependencyDown`."""
        try:
            found = self._client.get_inference_statistics(
                model, version, headers=self._headers, client_timeout=self._settings.triton_timeout_s
            )
        except InferenceServerException as error:
            raise dependency_error(error, self._settings, model) from error
        return sum(int(entry.inference_stats.fail.count) for entry in found.model_stats)
