"""The model that a replay asks: there, of that version, and served."""

from collections.abc import Callable

from uncia.errors import DependencyDown, SettingsError
from uncia.settings import Settings


def ensure_served(wanted: Settings, live: Settings, before_loading: Callable[[], None]) -> None:
    """Have Triton serve the replay's model; `before_loading` is called first when it has to be loaded.

    Live's own model is never loaded anew: whatever ails it is the stack's to cure. Raises `SettingsError` for a model
    or version that is not in the repository, `DependencyDown` when it does not answer its self-test.
    """
    # gRPC and numpy take half a second to import.
    from uncia.inference import Health, ModelControl
    from uncia.model_card import load_model_card

    card = load_model_card(wanted)
    if wanted.model_version and wanted.model_version not in card.versions:
        raise SettingsError(
            f"{wanted.model} has no version {wanted.model_version}, only {', '.join(card.versions)}; "
            "`uncia models list` shows what there is"
        )
    with ModelControl(wanted) as control:
        probe = control.probe(wanted.model)
        if not probe.healthy and probe.health is not Health.UNREACHABLE and wanted.model != live.model:
            before_loading()
            control.reload(wanted.model)
            probe = control.probe(wanted.model)
    if not probe.healthy:
        raise DependencyDown(probe.detail)


def unload(model: str, settings: Settings) -> None:
    """Have Triton let go of a model that was loaded for a replay. One that is gone already is no error."""
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    client = InferenceServerClient(settings.triton)
    try:
        client.unload_model(model, client_timeout=30)
    except InferenceServerException as error:
        raise DependencyDown(f"Triton at {settings.triton} did not unload {model} ({error.message()})") from error
    finally:
        client.close()
