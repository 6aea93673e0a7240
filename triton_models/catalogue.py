"""What the repository holds, beside what Triton serves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uncia.inference import ServedVersion
from uncia.model_card import CARD_FILE, ModelCard, read_model_card


@dataclass(frozen=True)
class Line:
    """One version of one model, from either side."""

    model: str
    version: str
    state: str | None
    """READY, LOADING, UNAVAILABLE as Triton says; empty: known, not loaded; None: Triton was not there to ask."""
    reason: str
    backend: str
    """Empty for what only Triton knows; likewise the next two."""
    label_set: str
    graph: str
    """SHA-256 of the ONNX file."""


def cards(repository: Path) -> list[ModelCard]:
    """The cards of all models in a repository, by name. Raises `SettingsError` for a broken one."""
    return [read_model_card(path.parent) for path in sorted(repository.glob(f"[!.]*/{CARD_FILE}"))]


def catalogue(cards: Iterable[ModelCard], served: Iterable[ServedVersion] | None) -> list[Line]:
    """Both sides, line by line; `served` is None when Triton does not answer."""
    answers = {(line.model, line.version): line for line in served or ()}
    unloaded = {line.model: line for line in served or () if not line.version}
    lines = []
    for card in cards:
        for version in card.versions:
            answer = answers.pop((card.model, version), None) or unloaded.get(card.model)
            state = None if served is None else answer.state if answer else ""
            reason = answer.reason if answer else ""
            lines.append(
                Line(card.model, version, state, reason, card.backend, card.label_set, card.onnx_sha256),
            )
    mine = {line.model for line in lines}
    for (model, version), answer in sorted(answers.items()):
        if version or model not in mine:
            lines.append(Line(model, version, answer.state, answer.reason, "", "", ""))
    return lines
