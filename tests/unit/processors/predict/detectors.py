"""Detectors that are fakes: a card in a repository, and a client that says what a test tells it to."""

from pathlib import Path
from typing import Any

import numpy as np

from uncia.events import Lane
from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest
from uncia.serving.detector_client import DetectorOutput
from uncia.serving.model_versions import initial_state, read_version_state, write_version_state
from uncia.settings import Settings

DETECTOR_FRAME = FrameSpec(width=160, height=120)
BOXES = ((0.25, 0.25, 0.5, 0.5), (0.0, 0.0, 0.2, 0.2))


def detector_card(version: str = "1", **values: Any) -> DetectorCard:
    """The card of a detector of animals and persons."""
    defaults: dict[str, Any] = {
        "model": "animal_detector",
        "versions": (version,),
        "frame": DETECTOR_FRAME,
        "categories": (DetectionCategory.ANIMAL, DetectionCategory.PERSON),
        "threshold": 0.05,
        "self_test": DetectorSelfTest(boxes=(), scores=(), categories=()),
        "onnx_sha256": "0" * 64,
    }
    return DetectorCard(**{**defaults, **values})


def install_detector(repository: Path, version: str = "1", **values: Any) -> DetectorCard:
    """Make this version the live one; nothing but its card is there."""
    card = detector_card(version, **values)
    folder = repository / card.model
    (folder / version).mkdir(parents=True)
    (folder / version / "model.json").write_text(card.model_dump_json())
    state = initial_state(version)
    if version != "1":
        state = read_version_state(folder).model_copy(update={"live": version})
    write_version_state(folder, state)
    return card


class FakeDetector:
    """Finds an animal and a person in every photograph, unless `behaviour` raises first."""

    def __init__(self, settings: Settings, card: DetectorCard) -> None:
        self.card = card

    async def detect(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: DetectorCard | None = None) -> DetectorOutput:
        used = card or self.card
        assert pixels.shape[1:] == (used.frame.height, used.frame.width, 3)
        self.behave(pixels, used)
        return DetectorOutput(
            np.array([BOXES], dtype=np.float64),
            np.array([[0.8, 0.3]], dtype=np.float32),
            np.array([[0, 1]], dtype=np.int32),
            used.version,
            5.0,
        )

    def behave(self, pixels: Pixels, card: DetectorCard) -> None:
        """Raises what a test wants."""

    async def close(self) -> None:
        """Nothing is open."""
