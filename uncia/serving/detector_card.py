"""The card of a detector in Triton's repository: tensors, frame, categories, and the expected output of its self-test.

A detector's graph takes a FRAME and returns, for each frame, a fixed number of boxes, best first: preparation of the
pixels, decoding and non-maximum suppression are inside.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError
from uncia.events.detections import DetectionCategory
from uncia.events.values import Box
from uncia.serving.base_card import BaseCard, OutputTensor, card_kind, refuse_kind
from uncia.serving.model_versions import CARD_FILE, resolve_version
from uncia.settings import Settings

__all__ = [
    "DetectorCard",
    "DetectorSelfTest",
    "read_active_detector_card",
    "read_detector_card",
    "read_installed_detector_card",
]


class DetectorSelfTest(BaseModel):
    """Expected output for the detector's self-test frame (`uncia.serving.self_tests`): its boxes with a score."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    boxes: tuple[Box, ...] = Field(description="as shares of the frame, best first")
    scores: tuple[float, ...]
    categories: tuple[int, ...]
    tolerance: float = Field(
        default=0.03, gt=0, description="largest difference of a score or a coordinate that is the same output"
    )


class DetectorCard(BaseCard):
    """One version of a detector."""

    kind: Literal["detector"] = "detector"
    boxes: str = Field(
        default="BOXES", description="tensor, float32 [B, boxes, 4]: x, y, width, height as shares of the frame"
    )
    scores: str = Field(
        default="SCORES", description="tensor, float32 [B, boxes], in descending order; 0 where there is no box"
    )
    category_indices: str = Field(
        default="CATEGORIES", description="tensor, int32 [B, boxes]: indices into `categories`"
    )
    categories: tuple[DetectionCategory, ...] = Field(min_length=1)
    max_boxes: int = Field(default=32, ge=1, description="boxes per frame")
    threshold: float = Field(default=0.02, gt=0, lt=1, description="boxes with a lower score are not reported")
    max_batch: int = Field(default=8, ge=1)
    self_test: DetectorSelfTest
    trained_on: str = Field(default="", description="the data that the weights were learnt from")
    notes: str = Field(default="", description="what the detector is known to do well and badly")

    @property
    def outputs(self) -> tuple[OutputTensor, ...]:
        """Boxes, scores and categories."""
        return (
            OutputTensor(self.boxes, "FP32", (self.max_boxes, 4)),
            OutputTensor(self.scores, "FP32", (self.max_boxes,)),
            OutputTensor(self.category_indices, "INT32", (self.max_boxes,)),
        )


def read_detector_card(folder: Path) -> DetectorCard:
    """The card in a version's folder, or in a package. Raises `SettingsError` with what to do."""
    path = folder / CARD_FILE
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and (kind := card_kind(content)) != "detector":
            raise refuse_kind(path, kind, "detector")
        return DetectorCard.model_validate(content)
    except OSError as error:
        raise SettingsError(f"no model card at {path}: `uncia models build` makes it") from error
    except (ValidationError, ValueError, TypeError) as error:
        raise SettingsError(f"{path} is not a valid detector card: `uncia models build` rebuilds it") from error


def read_installed_detector_card(repository: Path, model: str, version: str = "") -> DetectorCard:
    """The card of one version of a detector in a repository; without a version, of the live one.

    Raises `SettingsError` with what to do.
    """
    version = resolve_version(repository, model, version)
    card = read_detector_card(repository / model / version)
    return card.model_copy(update={"model": model, "versions": (version,)})


def read_active_detector_card(settings: Settings) -> DetectorCard | None:
    """The card of the detector that this process uses: the pinned version, else the live one.

    None where the settings name no detector, or the repository holds none of that name. Raises `SettingsError` for a
    damaged one.
    """
    if not settings.detector or not (settings.model_repository / settings.detector).is_dir():
        return None
    return read_installed_detector_card(settings.model_repository, settings.detector, settings.detector_version)
