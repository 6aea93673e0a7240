"""The model that a replay asks: there, of that version, and served."""

from collections.abc import Callable

from uncia.errors import DependencyDown
from uncia.settings import Settings


def ensure_served(wanted: Settings, live: Settings, before_loading: Callable[[], None]) -> None:
    """Have Triton serve the replay's model; `before_loading` is called first when it has to be loaded.

    Live's own model is never loaded anew: whatever ails it is the stack's to cure. Raises `SettingsError` for a model
    or version that is not in the repository, `DependencyDown` when it does not answer its self-test.
    """
    # gRPC and numpy take half a second to import.
    from uncia.inference import Health, ModelControl
    from uncia.model_card import load_model_card

    load_model_card(wanted)
    with ModelControl(wanted) as control:
        probe = control.probe(wanted.model)
        if not probe.healthy and probe.health is not Health.UNREACHABLE and wanted.model != live.model:
            before_loading()
            control.reload(wanted.model)
            probe = control.probe(wanted.model)
    if probe.health is Health.NOT_LOADED and wanted.model == live.model and wanted.model_version:
        name = f"{wanted.model}@{wanted.model_version}"
        raise DependencyDown(f"Triton does not serve {name}: `uncia models serve {name}` has it served beside live's")
    if not probe.healthy:
        raise DependencyDown(probe.detail)


def unload(model: str, settings: Settings) -> None:
    """Have Triton let go of a model that was loaded for a replay. One that is gone already is no error."""
    from uncia.inference import ModelControl

    with ModelControl(settings) as control:
        control.unload(model)
