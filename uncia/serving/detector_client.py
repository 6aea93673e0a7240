"""STUB"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.events import Lane
from uncia.imaging.frames import Pixels
from uncia.serving.detector_card import DetectorCard
from uncia.settings import Settings


@dataclass(frozen=True)
class DetectorOutput:
    """STUB"""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    categories: NDArray[np.int32]
    version: str
    inference_ms: float


class Detector:
    """STUB"""

    def __init__(self, settings: Settings, card: DetectorCard) -> None:
        pass

    async def detect(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: DetectorCard | None = None) -> DetectorOutput:
        raise NotImplementedError

    async def close(self) -> None:
        pass
