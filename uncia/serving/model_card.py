"""The card of a model in Triton's repository: tensors, frame, labels, and the expected output of its self-test."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError
from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelSet, load_label_set
from uncia.serving.model_versions import CARD_FILE, LABELS_FILE, installed_versions, read_version_state
from uncia.settings import Settings

__all__ = [
    "CARD_FILE",
    "LABELS_FILE",
    "ModelCard",
    "SelfTest",
    "pinned_version",
    "read_active_card",
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


class ModelCard(BaseModel):
    """One version of a model: written by the recipe that built it, read by every client."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    versions: tuple[str, ...] = Field(
        min_length=1, max_length=1, description='the version that this card is of; ("1",) in a package'
    )
    backend: str = Field(default="python", description="python or onnxruntime")
    input: str = Field(default="FRAME", description="tensor, uint8 [B, height, width, 3], RGB")
    whole: str = Field(default="WHOLE", description="tensor, float32 [B, classes]: the whole frame")
    windows: str = Field(default="WINDOWS", description="tensor, float32 [B, classes]: each class in its best window")
    places: str = Field(default="PLACES", description="tensor, int32 [B, classes]: which window that was")
    max_batch: int = Field(default=32, ge=1)
    frame: FrameSpec
    label_set: str = Field(description="id of the label set that gives the vectors their meaning")
    labels: LabelSet = Field(exclude=True)
    self_test: SelfTest
    onnx_sha256: str
    weights: str = Field(default="", description="where the weights come from")
    licence: str = Field(default="", description="of the weights")
    built_from: str = Field(default="", description="digest of the recipe and of the packages that it ran with")

    @property
    def version(self) -> str:
        """The version that this card is of."""
        return self.versions[0]

    @property
    def name(self) -> str:
        """`model@version`, as predictions and bursts name it."""
        return f"{self.model}@{self.version}"


def read_model_card(folder: Path) -> ModelCard:
    """The card in a version's folder, or in a package, with its labels. Raises `SettingsError` with what to do."""
    path = folder / CARD_FILE
    labels = load_label_set(folder / LABELS_FILE)
    try:
        card = ModelCard.model_validate({**json.loads(path.read_bytes()), "labels": labels})
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
    """The card of one version of a model in a repository; without a version, of the live one.

    Name and version are those of the folders, which Triton uses. Raises `SettingsError` with what to do.
    """
    folder = repository / model
    there = installed_versions(folder)
    version = version or read_version_state(folder).live
    if version not in there:
        raise SettingsError(
            f"{model} has no version {version} in {repository}, only {', '.join(there) or 'none'}; "
            "`uncia models list` shows what there is"
        )
    return read_model_card(folder / version).model_copy(update={"model": model, "versions": (version,)})


def pinned_version(settings: Settings, model: str) -> str:
    """The version that the settings insist on, for their own model; empty for the one that is live."""
    return settings.model_version if model == settings.model else ""


def read_active_card(settings: Settings) -> ModelCard:
    """The card of the version that this process uses: the pinned one, else the live one. Raises `SettingsError`."""
    return read_installed_card(settings.model_repository, settings.model, settings.model_version)
