"""List the versions in the repository together with what Triton serves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.cards import Card, read_installed
from uncia.serving.model_card import ModelCard
from uncia.serving.model_versions import VersionState, installed_versions, list_models, read_version_state
from uncia.serving.triton_client import ServedVersion


@dataclass(frozen=True)
class VersionStatus:
    """One version of one model, in the repository, in Triton, or in both.

    The fields are the JSON keys of `uncia models list --json`.
    """

    model: str
    version: str
    standing: str
    """live, previous, beside or installed; empty for a version that only Triton has, as are the last three fields."""
    state: str | None
    """Triton's READY, LOADING or UNAVAILABLE; empty: known, not loaded; None: Triton did not respond."""
    reason: str
    backend: str
    label_set: str
    graph: str
    """SHA-256 of the ONNX file."""
    kind: str = ""
    """classifier or detector."""


@dataclass(frozen=True)
class InstalledModel:
    """A model of the repository with all its versions."""

    model: str
    state: VersionState
    cards: tuple[Card, ...]
    """In order of version number."""

    def role(self, version: str) -> str:
        """The role of a version: live, previous, beside or installed."""
        if version == self.state.live:
            return "live"
        if version == self.state.previous:
            return "previous"
        return "beside" if version in self.state.beside else "installed"


def read_installed_models(repository: Path) -> list[InstalledModel]:
    """All models of a repository, by name. Raises `SettingsError` for a damaged one."""
    installed = []
    for model in list_models(repository):
        folder = repository / model
        cards = tuple(read_installed(repository, model, version) for version in installed_versions(folder))
        installed.append(InstalledModel(model, read_version_state(folder), cards))
    return installed


def installed_model_names(repository: Path) -> list[str]:
    """The models of a repository, by name. Raises `SettingsError` where there is none."""
    names = list(list_models(repository))
    if not names:
        raise SettingsError(f"no model in {repository}: build one with `uncia models build`")
    return names


def list_versions(installed: Iterable[InstalledModel], served: Iterable[ServedVersion] | None) -> list[VersionStatus]:
    """Installed versions first, then those that only Triton has; `served` is None when Triton does not respond."""
    by_version = {(entry.model, entry.version): entry for entry in served or ()}
    not_loaded = {entry.model: entry for entry in served or () if not entry.version}
    versions = []
    for model in installed:
        for card in model.cards:
            entry = by_version.pop((card.model, card.version), None) or not_loaded.get(card.model)
            state = None if served is None else entry.state if entry else ""
            # Triton lists versions that it unloaded for as long as it runs.
            unloaded = entry is not None and entry.reason == "unloaded"
            versions.append(
                VersionStatus(
                    model=card.model,
                    version=card.version,
                    standing=model.role(card.version),
                    state="" if unloaded else state,
                    reason="" if unloaded or entry is None else entry.reason,
                    backend=card.backend,
                    label_set=card.label_set if isinstance(card, ModelCard) else "",
                    kind=card.kind,
                    graph=card.onnx_sha256,
                )
            )
    known = {version.model for version in versions}
    for (name, version), entry in sorted(by_version.items()):
        if (version or name not in known) and entry.reason != "unloaded":
            versions.append(VersionStatus(name, version, "", entry.state, entry.reason, "", "", ""))
    return versions
