"""The health of a model, from Triton's response or error, and the message for people."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from uncia.errors import DependencyDown
from uncia.settings import Settings

if TYPE_CHECKING:
    from tritonclient.utils import InferenceServerException

_RESTRICTED = "protocol is restricted"
"""In the message with which Triton refuses a request without the key (server 2.51)."""


class ModelHealth(StrEnum):
    """The health of a model according to an inference."""

    HEALTHY = "healthy"
    UNREACHABLE = "unreachable"
    """Nothing listens at the address: Triton is not running, or is still starting."""
    NOT_LOADED = "not-loaded"
    """Triton is running and does not serve the model."""
    DEAD = "dead"
    """Triton reports the model as ready, but the process of its python stub is dead."""
    WRONG = "wrong"
    """The output of the self-test is wrong."""
    FAILING = "failing"
    """The inference is refused, fails or times out."""


@dataclass(frozen=True)
class ProbeResult:
    """The outcome of one self-test."""

    health: ModelHealth
    detail: str
    """One sentence; for an unhealthy model, also what to do."""
    version: str | None = None
    inference_ms: float | None = None
    difference: float | None = None
    """Largest difference of a probability from the expected output."""

    @property
    def healthy(self) -> bool:
        return self.health is ModelHealth.HEALTHY

    @property
    def reload_may_help(self) -> bool:
        """True when unloading and loading the model may repair it."""
        return self.health in (ModelHealth.DEAD, ModelHealth.NOT_LOADED, ModelHealth.WRONG, ModelHealth.FAILING)


def classify_error(error: "InferenceServerException") -> ModelHealth:
    """Classify an error of Triton by its message, because its status codes are ambiguous (server 2.51)."""
    message = (error.message() or "").lower()
    if "stub process" in message:
        return ModelHealth.DEAD
    if "unknown model" in message or "not ready" in message or "not found" in message or "no available" in message:
        return ModelHealth.NOT_LOADED
    if _RESTRICTED in message:
        # Its status is UNAVAILABLE too, but waiting or restarting Triton does not help.
        return ModelHealth.FAILING
    # A full queue has the status UNAVAILABLE, too.
    away = str(error.status()).endswith("UNAVAILABLE") and "queue" not in message and "expired" not in message
    return ModelHealth.UNREACHABLE if away else ModelHealth.FAILING


def dependency_error(error: "InferenceServerException", settings: Settings, model: str) -> DependencyDown:
    """Return the exception for an error of Triton, with what to do."""
    if _RESTRICTED in (error.message() or "").lower():
        return DependencyDown(
            f"Triton at {settings.triton} requires another key for {model}: check UNCIA_TRITON_INFERENCE_KEY, and for "
            "loading models UNCIA_TRITON_CONTROL_KEY"
        )
    lines = (error.message() or str(error.status())).strip().splitlines()
    message = lines[0][:300] if lines else "no reason given"
    reload = "`uncia models check --reload` loads it anew"
    match classify_error(error):
        case ModelHealth.DEAD:
            return DependencyDown(f"the process behind {model} died, and Triton does not restart it: {reload}")
        case ModelHealth.NOT_LOADED:
            return DependencyDown(f"Triton at {settings.triton} does not serve {model} ({message}): {reload}")
        case ModelHealth.UNREACHABLE:
            reason = message.rsplit(": ", 1)[-1]
            return DependencyDown(f"Triton at {settings.triton} does not answer ({reason}); `uncia up` starts it")
    if str(error.status()).endswith("DEADLINE_EXCEEDED"):
        limit = f"{settings.triton_timeout_s:g} s"
        return DependencyDown(f"{model} did not answer within {limit}: Triton has too much to do, or is stuck")
    return DependencyDown(f"{model} refuses: {message}")
