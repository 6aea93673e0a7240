"""What the repository holds, beside what Triton serves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.model_card import ModelCard, read_installed_card
from uncia.serving.model_versions import VersionState, installed_versions, list_models, read_version_state
from uncia.serving.triton_client import ServedVersion


@dataclass(frozen=True)
class Line:
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
class Shelf:
    """A model of the repository with all its versions."""

    model: str
    standing: VersionState
    cards: tuple[ModelCard, ...]
    """In order of number."""

    def place(self, version: str) -> str:
        """What a version is to the model."""
        if version == self.standing.live:
            return "live"
        if version == self.standing.previous:
            return "previous"
        return "beside" if version in self.standing.beside else "installed"


def shelves(repository: Path) -> list[Shelf]:
    """All models of a repository, by name. Raises `SettingsError` for a broken one."""
    found = []
    for model in list_models(repository):
        folder = repository / model
        cards = tuple(read_installed_card(repository, model, version) for version in installed_versions(folder))
        found.append(Shelf(model, read_version_state(folder), cards))
    return found


def shelf_names(repository: Path) -> list[str]:
    """The models of a repository, by name. Raises `SettingsError` where there is none."""
    names = list(list_models(repository))
    if not names:
        raise SettingsError(f"no model in {repository}: `uncia models build` makes one")
    return names


def catalogue(shelves: Iterable[Shelf], served: Iterable[ServedVersion] | None) -> list[Line]:
    """Both sides, line by line; `served` is None when Triton does not answer."""
    answers = {(line.model, line.version): line for line in served or ()}
    unloaded = {line.model: line for line in served or () if not line.version}
    lines = []
    for shelf in shelves:
        for card in shelf.cards:
            answer = answers.pop((card.model, card.version), None) or unloaded.get(card.model)
            state = None if served is None else answer.state if answer else ""
            # Triton remembers what it once served, and that it unloaded it, for as long as it runs.
            gone = answer is not None and answer.reason == "unloaded"
            lines.append(
                Line(
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
            lines.append(Line(model, version, "", answer.state, answer.reason, "", "", ""))
    return lines
