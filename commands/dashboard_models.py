"""Connects the dashboard's page of operations with the model repository, as `uncia models` manages it."""

from pathlib import Path

from uncia.dashboard.web.operations import ModelVersionList, ModelVersionRow
from uncia.errors import DependencyDown, SettingsError, UnciaError, how_to_install
from uncia.serving.model_versions import list_models, read_version_state
from uncia.settings import Settings

__all__ = ["RepositoryModels"]

_LIST_TIMEOUT_S = 2.0
"""A page does not wait as long for Triton as an inference request does."""


class RepositoryModels:
    """The versions in Triton's model repository. Methods raise `UnciaError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def list(self) -> ModelVersionList:
        """All versions, with what Triton says about them where it responds."""
        repository = self._settings.model_repository
        if not list_models(repository):
            return ModelVersionList(problem=f"there is no model in {repository} on this machine")
        _require_triton_client()
        from uncia.serving.triton_client import ModelControl
        from uncia.triton_models.releases.stream_model import describe_stream_model, detector_version, stream_version
        from uncia.triton_models.version_list import list_versions, read_installed_models

        settings, problem = self._settings, None
        patience = min(_LIST_TIMEOUT_S, settings.triton_timeout_s)
        with ModelControl(settings.model_copy(update={"triton_timeout_s": patience})) as control:
            try:
                served = control.list_served()
            except DependencyDown as error:
                served, problem = None, str(error)
        installed = read_installed_models(repository)
        live = {model.model: model.state.live for model in installed}
        stream = {(settings.model, stream_version(settings)), (settings.detector, detector_version(settings))}
        rows = tuple(
            ModelVersionRow(
                model=version.model,
                version=version.version,
                kind=version.kind,
                role=version.standing,
                state=version.state or "",
                reason=version.reason,
                label_set=version.label_set,
                in_stream=(version.model, version.version) in stream,
                live=live.get(version.model, ""),
            )
            for version in list_versions(installed, served)
        )
        return ModelVersionList(rows, describe_stream_model(settings), problem)

    def make_live(self, model: str, version: str, live: str) -> None:
        """Make a version live; refused where `live` is not the live version any more."""
        repository = self._settings.model_repository
        if model not in list_models(repository):
            raise SettingsError(f"there is no model {model} in {repository}")
        _require_live(repository, model, live)
        _require_triton_client()
        from uncia.serving.triton_client import ModelControl
        from uncia.triton_models.releases.promotion import parse_version_name, promote

        parse_version_name(f"{model}@{version}", repository)
        with ModelControl(self._settings) as control:
            promote(control, repository, model, version)


def _require_live(repository: Path, model: str, live: str) -> None:
    now = read_version_state(repository / model).live
    if now != live:
        raise UnciaError(f"{model}@{now} is live meanwhile, and not {live}: look at the list again")


def _require_triton_client() -> None:
    try:
        import tritonclient.grpc  # noqa: F401
    except ImportError as error:
        raise SettingsError(f"the client of Triton is not installed: {how_to_install('processors')}") from error
