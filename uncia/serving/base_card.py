"""What the cards of all kinds of models have in common: names, frame, tensors, provenance."""

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from uncia.errors import SettingsError
from uncia.imaging.frame_spec import FrameSpec

__all__ = ["BaseCard", "OutputTensor", "card_kind", "refuse_kind"]


class OutputTensor(NamedTuple):
    """One output of a graph."""

    name: str
    data_type: Literal["FP32", "INT32"]
    dims: tuple[int, ...]
    """The shape for one frame."""


class BaseCard(BaseModel):
    """One version of a model: written by the recipe that built it, read by every client."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    versions: tuple[str, ...] = Field(
        min_length=1, max_length=1, description='the version that this card is of; ("1",) in a package'
    )
    backend: str = Field(default="python", description="python or onnxruntime")
    input: str = Field(default="FRAME", description="tensor, uint8 [B, height, width, 3], RGB")
    max_batch: int = Field(default=32, ge=1)
    frame: FrameSpec
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

    @property
    def outputs(self) -> tuple[OutputTensor, ...]:
        """The outputs that every client requests, in order."""
        raise NotImplementedError


def card_kind(content: object) -> str:
    """What the content of a card's file is of. Cards without a kind are of classifiers, as are files that are none."""
    return str(content.get("kind", "classifier")) if isinstance(content, dict) else "classifier"


def refuse_kind(path: Path, kind: str, wanted: str) -> SettingsError:
    """The error for the card of another kind of model at `path`."""
    return SettingsError(f"{path} is the card of {_one(kind)}, not of {_one(wanted)}")


def _one(kind: str) -> str:
    return f"{'an' if kind.startswith('e') else 'a'} {kind}"
