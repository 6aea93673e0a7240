"""Has Triton serve the model of a replay, and unload it afterwards."""

from collections.abc import Callable

from uncia.errors import DependencyDown
from uncia.settings import Settings


class ModelNotServed(DependencyDown):
    """Triton is available and does not serve the model of the replay."""


def ensure_served(replay: Settings, live: Settings, before_loading: Callable[[], None]) -> None:
    """Have Triton serve the replay's model; `before_loading` is called before the model is loaded, if it has to be.

    The live model is never reloaded here: the stack's watchdog does that. Raises `SettingsError` for a model or version
    that is not in the repository, `ModelNotServed` when Triton cannot serve it or it fails its self-test, and
    `DependencyDown` when Triton is not available.
    """
    # gRPC and NumPy take half a second to import.
    from uncia.serving.model_card import read_active_card
    from uncia.serving.triton_client import ModelControl, ModelHealth

    read_active_card(replay)
    with ModelControl(replay) as control:
        probe = control.probe(replay.model)
        if not probe.healthy and probe.health is not ModelHealth.UNREACHABLE and replay.model != live.model:
            before_loading()
            try:
                control.reload(replay.model)
            except DependencyDown as error:
                if control.probe(replay.model).health is ModelHealth.UNREACHABLE:
                    raise
                raise ModelNotServed(str(error)) from error
            probe = control.probe(replay.model)
    if probe.health is ModelHealth.NOT_LOADED and replay.model == live.model and replay.model_version:
        name = f"{replay.model}@{replay.model_version}"
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
