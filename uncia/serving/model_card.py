"""The card of a classifier in Triton's repository: tensors, frame, labels, and the expected output of its self-test."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError
from uncia.events.values import ClassVector
from uncia.serving.base_card import BaseCard, OutputTensor, card_kind, refuse_kind
from uncia.serving.labels import LabelSet, load_label_set
from uncia.serving.model_versions import CARD_FILE, LABELS_FILE, resolve_version
from uncia.settings import Settings
from uncia.sound.spec import SoundSpec

__all__ = [
    "CARD_FILE",
    "LABELS_FILE",
    "ModelCard",
    "SelfTest",
    "pinned_version",
    "read_active_card",
    "read_active_sound_card",
    "read_installed_card",
    "read_model_card",
]


class SelfTest(BaseModel):
    """Expected output for `uncia.imaging.frames.self_test_pattern` of its frame."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    whole: ClassVector
    windows: ClassVector
    tolerance: float = Field(
        default=0.03, gt=0, description="largest difference of a probability that still counts as the same answer"
    )


class ModelCard(BaseCard):
    """One version of a classifier."""

    kind: Literal["classifier"] = "classifier"
    whole: str = Field(default="WHOLE", description="tensor, float32 [B, classes]: the whole frame")
    windows: str = Field(default="WINDOWS", description="tensor, float32 [B, classes]: each class in its best window")
    places: str = Field(default="PLACES", description="tensor, int32 [B, classes]: which window that was")
    label_set: str = Field(description="id of the label set that gives the vectors their meaning")
    labels: LabelSet = Field(exclude=True)
    self_test: SelfTest
    sound: SoundSpec | None = Field(
        default=None, description="of an audio classifier: what its frame carries; None: a classifier of photographs"
    )

    @property
    def outputs(self) -> tuple[OutputTensor, ...]:
        """Whole, windows and places."""
        dims = (len(self.labels.classes),)
        return (
            OutputTensor(self.whole, "FP32", dims),
            OutputTensor(self.windows, "FP32", dims),
            OutputTensor(self.places, "INT32", dims),
        )


def read_model_card(folder: Path) -> ModelCard:
    """The card in a version's folder, or in a package, with its labels. Raises `SettingsError` with what to do."""
    path = folder / CARD_FILE
    try:
        content = json.loads(path.read_bytes())
        if (kind := card_kind(content)) in ("detector", "embedder"):
            raise refuse_kind(path, kind, "classifier")
        labels = load_label_set(folder / LABELS_FILE)
        card = ModelCard.model_validate({**content, "labels": labels})
    except OSError as error:
        raise SettingsError(f"no model card at {path}: `uncia models build` makes it") from error
    except (ValidationError, ValueError, TypeError) as error:
        raise SettingsError(f"{path} is not a valid model card: `uncia models build` rebuilds it") from error
    if card.label_set != labels.id:
        raise SettingsError(
            f"{path} belongs to the label set {card.label_set}, but {LABELS_FILE} next to it is {labels.id}: "
            "copy or make the package again as a whole (the default model: `uncia models build`)"
        )
    return card


def read_installed_card(repository: Path, model: str, version: str = "") -> ModelCard:
    """The card of one version of a classifier in a repository; without a version, of the live one.

    Name and version are those of the folders, which Triton uses. Raises `SettingsError` with what to do.
    """
    version = resolve_version(repository, model, version)
    card = read_model_card(repository / model / version)
    return card.model_copy(update={"model": model, "versions": (version,)})


def pinned_version(settings: Settings, model: str) -> str:
    """The version that the settings insist on, for their own models; empty for the one that is live."""
    if model == settings.model:
        return settings.model_version
    return settings.detector_version if model == settings.detector else ""


def read_active_card(settings: Settings) -> ModelCard:
    """The card of the version that this process uses: the pinned one, else the live one. Raises `SettingsError`."""
    card = read_installed_card(settings.model_repository, settings.model, settings.model_version)
    if card.sound is not None:
        raise SettingsError(f"{card.name} is an audio classifier: set UNCIA_MODEL to a classifier of photographs")
    return card


def read_active_sound_card(settings: Settings) -> ModelCard:
    """The card of the live version of the audio classifier. Raises `SettingsError` where there is none."""
    name = settings.sound_model
    try:
        card = read_installed_card(settings.model_repository, name)
    except SettingsError as error:
        raise SettingsError(
            f"no audio classifier {name!r} in {settings.model_repository}: install one with `uncia models install` "
            "(docs/sound.md), or set UNCIA_SOUND_MODEL"
        ) from error
    if card.sound is None:
        raise SettingsError(f"{card.name} is no audio classifier: set UNCIA_SOUND_MODEL to one")
    return card
