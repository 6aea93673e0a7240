"""What the repository holds, beside what Triton serves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.model_card import ModelCard, installed_card
from uncia.serving.model_versions import Standing, installed, models, read_standing
from uncia.serving.triton_client import ServedVersion


@dataclass(frozen=True)
class VersionStatus:
    """One version of one model, from either side."""

    model: str
    version: str
    standing: str
    """live, previous, beside or installed; empty for what only Triton knows; likewise the last three."""
    state: str | None
    """READY, LOADING, UNAVAILABLE as Triton says; empty: known, not loaded; None: Triton was not there to ask."""
    reason: str
    backend: str
    label_set: str
    graph: str
    """SHA-256 of the ONNX file."""


@dataclass(frozen=True)
class InstalledModel:
    """A model of the repository with all its versions."""

    model: str
    standing: Standing
    cards: tuple[ModelCard, ...]
    """In order of number."""

    def place(self, version: str) -> str:
        """What a version is to the model."""
        if version == self.standing.live:
            return "live"
        if version == self.standing.previous:
            return "previous"
        return "beside" if version in self.standing.beside else "installed"


def read_installed_models(repository: Path) -> list[InstalledModel]:
    """All models of a repository, by name. Raises `SettingsError` for a broken one."""
    found = []
    for model in models(repository):
        folder = repository / model
        cards = tuple(installed_card(repository, model, version) for version in installed(folder))
        found.append(InstalledModel(model, read_standing(folder), cards))
    return found


def installed_model_names(repository: Path) -> list[str]:
    """The models of a repository, by name. Raises `SettingsError` where there is none."""
    names = list(models(repository))
    if not names:
        raise SettingsError(f"no model in {repository}: `uncia models build` makes one")
    return names


def list_versions(
    read_installed_models: Iterable[InstalledModel], served: Iterable[ServedVersion] | None
) -> list[VersionStatus]:
    """Both sides, line by line; `served` is None when Triton does not answer."""
    answers = {(line.model, line.version): line for line in served or ()}
    unloaded = {line.model: line for line in served or () if not line.version}
    lines = []
    for shelf in read_installed_models:
        for card in shelf.cards:
            answer = answers.pop((card.model, card.version), None) or unloaded.get(card.model)
            state = None if served is None else answer.state if answer else ""
            # Triton remembers what it once served, and that it unloaded it, for as long as it runs.
            gone = answer is not None and answer.reason == "unloaded"
            lines.append(
                VersionStatus(
                    model=card.model,
                    version=card.version,
                    standing=shelf.place(card.version),
                    state="" if gone else state,
                    reason="" if gone or answer is None else answer.reason,
                    backend=card.backend,
                    label_set=card.label_set,
                    graph=card.onnx_sha256,
                )
            )
    mine = {line.model for line in lines}
    for (model, version), answer in sorted(answers.items()):
        if (version or model not in mine) and answer.reason != "unloaded":
            lines.append(VersionStatus(model, version, "", answer.state, answer.reason, "", "", ""))
    return lines
