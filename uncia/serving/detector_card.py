"""STUB"""

from pydantic import BaseModel, ConfigDict, Field

from uncia.imaging.frame_spec import FrameSpec
from uncia.settings import Settings


class DetectorCard(BaseModel):
    """STUB"""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    versions: tuple[str, ...]
    frame: FrameSpec
    categories: tuple[str, ...]
    threshold: float = 0.05
    max_batch: int = Field(default=16)

    @property
    def version(self) -> str:
        return self.versions[0]

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


def read_active_detector_card(settings: Settings) -> DetectorCard | None:
    """STUB"""
    return None
