"""The card of an embedder: a model that turns a crop of an animal into a vector, near to those of the same individual.

A graph takes a FRAME, the crop at the size of the card, and returns one vector for each: preparation of the pixels is
inside.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError
from uncia.events import AnimalSide
from uncia.serving.base_card import BaseCard, OutputTensor, card_kind, refuse_kind
from uncia.serving.model_versions import CARD_FILE, resolve_version
from uncia.settings import Settings

__all__ = ["EmbedderCard", "EmbedderSelfTest", "read_active_embedder_card", "read_embedder_card"]

_DIGITS = 12
"""Of the digest in an embedder's id."""


class EmbedderSelfTest(BaseModel):
    """Expected output for the self-test's frame (`uncia.serving.self_tests`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vector: tuple[float, ...] = Field(description="of unit length")
    tolerance: float = Field(
        default=0.05, gt=0, description="largest distance between vectors of unit length that is the same output"
    )


class EmbedderCard(BaseCard):
    """One version of an embedder."""

    kind: Literal["embedder"] = "embedder"
    embedding: str = Field(default="EMBEDDING", description="tensor, float32 [B, dimensions]")
    dimensions: int = Field(ge=2, description="numbers of a vector")
    normalised: bool = Field(default=False, description="whether the graph returns vectors of unit length")
    fit: Literal["stretch", "letterbox"] = Field(default="stretch", description="how a crop fills the frame")
    fill: int = Field(default=0, ge=0, le=255, description="grey value of what a letterboxed crop does not fill")
    taxa: tuple[str, ...] = Field(default=(), description="whose individuals it distinguishes; empty: any")
    sides: tuple[AnimalSide, ...] = Field(
        default=(), description="sides of the animal that it was trained on; empty: any"
    )
    max_batch: int = Field(default=8, ge=1)
    self_test: EmbedderSelfTest
    trained_on: str = Field(default="", description="the data that the weights were learnt from")
    notes: str = Field(default="", description="what the embedder is known to do well and badly")

    @property
    def outputs(self) -> tuple[OutputTensor, ...]:
        """The vector."""
        return (OutputTensor(self.embedding, "FP32", (self.dimensions,)),)

    @property
    def embedder_id(self) -> str:
        """What its vectors are marked with. With the digest of the graph: a repository that was built anew may have
        another model under the same name and version."""
        return f"{self.name}/{self.onnx_sha256[:_DIGITS]}"


def read_embedder_card(folder: Path) -> EmbedderCard:
    """The card in a version's folder, or in a package. Raises `SettingsError` with what to do."""
    path = folder / CARD_FILE
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and (kind := card_kind(content)) != "embedder":
            raise refuse_kind(path, kind, "embedder")
        return EmbedderCard.model_validate(content)
    except OSError as error:
        raise SettingsError(f"no model card at {path}: import the embedder again (docs/individuals.md)") from error
    except (ValidationError, ValueError, TypeError) as error:
        raise SettingsError(
            f"{path} is not a valid card of an embedder: import the embedder again (docs/individuals.md)"
        ) from error


def read_active_embedder_card(settings: Settings) -> EmbedderCard | None:
    """The card of the live version of the embedder that the worker `identify` uses; None where the settings name none.

    Raises `SettingsError` where the repository has no such embedder.
    """
    name, repository = settings.identify_embedder, settings.model_repository
    if not name:
        return None
    try:
        version = resolve_version(repository, name)
    except SettingsError as error:
        raise SettingsError(
            f"no embedder {name!r} in {repository}: import one with `uncia models import` (docs/individuals.md), or "
            "remove UNCIA_IDENTIFY_EMBEDDER"
        ) from error
    card = read_embedder_card(repository / name / version)
    return card.model_copy(update={"model": name, "versions": (version,)})
