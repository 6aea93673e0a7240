"""The model that a replay asks: there, of that version, and served."""

from collections.abc import Callable

from uncia.errors import DependencyDown
from uncia.settings import Settings


class NotServed(DependencyDown):
    """Triton answers, and does not serve the model as it must."""


def ensure_served(wanted: Settings, live: Settings, before_loading: Callable[[], None]) -> None:
    """Have Triton serve the replay's model; `before_loading` is called first when it has to be loaded.

    Live's own model is never loaded anew: whatever ails it is the stack's to cure. Raises `SettingsError` for a model
    or version that is not in the repository, `NotServed` when Triton cannot serve it or it fails its self-test, and
    `DependencyDown` when Triton does not answer.
    """
    # gRPC and numpy take half a second to import.
    from uncia.serving.model_card import read_active_card
    from uncia.serving.triton_client import ModelControl, ModelHealth

    read_active_card(wanted)
    with ModelControl(wanted) as control:
        probe = control.probe(wanted.model)
        if not probe.healthy and probe.health is not ModelHealth.UNREACHABLE and wanted.model != live.model:
            before_loading()
            try:
                control.reload(wanted.model)
            except DependencyDown as error:
                if control.probe(wanted.model).health is ModelHealth.UNREACHABLE:
                    raise
                raise NotServed(str(error)) from error
            probe = control.probe(wanted.model)
    if probe.health is ModelHealth.NOT_LOADED and wanted.model == live.model and wanted.model_version:
        name = f"{wanted.model}@{wanted.model_version}"
        raise NotServed(f"Triton does not serve {name}: `uncia models serve {name}` has it served beside live's")
    if not probe.healthy:
        raise (DependencyDown if probe.health is ModelHealth.UNREACHABLE else NotServed)(probe.detail)


def unload(model: str, settings: Settings) -> None:
    """Have Triton let go of a model that was loaded for a replay. One that is gone already is no error."""
    from uncia.serving.triton_client import ModelControl

    with ModelControl(settings) as control:
        control.unload(model)
