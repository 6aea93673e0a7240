"""Has Triton serve the models of a replay, and unload afterwards what was loaded for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from uncia.errors import DependencyDown
from uncia.serving.model_card import pinned_version
from uncia.settings import Settings

if TYPE_CHECKING:
    from uncia.serving.triton_client import ModelControl


class ModelNotServed(DependencyDown):
    """Triton is available and does not serve the model of the replay."""


def ensure_served(replay: Settings, live: Settings, before_loading: Callable[[], None]) -> None:
    """Have Triton serve the replay's models; `before_loading` is called before one is loaded, if it has to be.

    The live models are never reloaded here: the stack's watchdog does that. Raises `SettingsError` for a model or
    version that is not in the repository, `ModelNotServed` when Triton cannot serve it or it fails its self-test, and
    `DependencyDown` when Triton is not available.
    """
    # gRPC and NumPy take half a second to import.
    from uncia.serving.detector_card import read_active_detector_card
    from uncia.serving.model_card import read_active_card
    from uncia.serving.triton_client import ModelControl

    models = [read_active_card(replay).model]
    if detector := read_active_detector_card(replay):
        models.append(detector.model)
    with ModelControl(replay) as control:
        for model in models:
            _ensure_model(control, model, pinned_version(replay, model), (live.model, live.detector), before_loading)


def _ensure_model(
    control: "ModelControl", model: str, version: str, live: tuple[str, str], before_loading: Callable[[], None]
) -> None:
    from uncia.serving.triton_client import ModelHealth

    probe = control.probe(model)
    if not probe.healthy and probe.health is not ModelHealth.UNREACHABLE and model not in live:
        before_loading()
        try:
            control.reload(model)
        except DependencyDown as error:
            if control.probe(model).health is ModelHealth.UNREACHABLE:
                raise
            raise ModelNotServed(str(error)) from error
        probe = control.probe(model)
    if probe.health is ModelHealth.NOT_LOADED and model in live and version:
        name = f"{model}@{version}"
        raise ModelNotServed(
            f"Triton does not serve {name}: `uncia models serve {name}` serves it next to the live one"
        )
    if not probe.healthy:
        raise (DependencyDown if probe.health is ModelHealth.UNREACHABLE else ModelNotServed)(probe.detail)


def unload(model: str, settings: Settings) -> None:
    """Have Triton unload a model that was loaded for a replay. A model that is not loaded is not an error."""
    from uncia.serving.triton_client import ModelControl

    with ModelControl(settings) as control:
        control.unload(model)
