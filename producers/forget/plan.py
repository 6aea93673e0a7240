"""What is to be forgotten: a plan that is written before anything is removed, so that a kill loses none of it.

Once a photograph is forgotten, the catalogue no longer knows what was in it: a search after a kill would
not find what is left. A run completes the plans of earlier ones first, and each step of a plan may be repeated.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia import ids
from uncia.errors import UnciaError
from uncia.events import CropPublished, ImageExplained
from uncia.settings import Settings, stack_dir
from uncia.storage.durable import write_durably

__all__ = ["ForgetPlan", "PlannedPhotograph", "pending_plans", "plans_folder"]


class PlannedPhotograph(BaseModel):
    """One upload of a photograph that is to be forgotten."""

    model_config = ConfigDict(frozen=True)

    upload_id: str
    image_id: str
    station: str
    camera: str
    bucket: str
    key: str
    etag: str
    version_id: str | None = None
    size: int
    uploaded_at: datetime


class ForgetPlan(BaseModel):
    """Photographs and their crops. Field names are a stored format."""

    model_config = ConfigDict(frozen=True)

    what: str = Field(description="the choice, in words: for the audit log and the report")
    made_at: datetime
    photographs: tuple[PlannedPhotograph, ...]
    bursts: tuple[tuple[str, str], ...] = Field(default=(), description="camera and id of the bursts that list them")
    crops: tuple[CropPublished, ...] = ()
    """Their withdrawals."""
    explanations: tuple[ImageExplained, ...] = ()
    """Their withdrawals."""
    kept: tuple[PlannedPhotograph, ...] = ()
    """Uploads of the same contents under other keys, which stay."""

    @property
    def name(self) -> str:
        """The same for the same photographs."""
        return f"fgt-{ids.digest(*sorted(one.upload_id for one in self.photographs))}"

    @property
    def images(self) -> frozenset[str]:
        """The ids of the photographs of which no key stays."""
        return frozenset(one.image_id for one in self.photographs) - {one.image_id for one in self.kept}

    @property
    def uploads(self) -> frozenset[str]:
        """The ids of all uploads that go."""
        return frozenset(one.upload_id for one in self.photographs)

    @property
    def kept_uploads(self) -> frozenset[str]:
        """The ids of the uploads that stay."""
        return frozenset(one.upload_id for one in self.kept)

    @property
    def copies(self) -> dict[str, PlannedPhotograph]:
        """By the id of an upload that goes, the upload that stays of the same content."""
        kept = {one.image_id: one for one in self.kept}
        return {one.upload_id: kept[one.image_id] for one in self.photographs if one.image_id in kept}

    def renewed(
        self,
        kept: Iterable[PlannedPhotograph],
        bursts: Iterable[tuple[str, str]],
        crops: Iterable[CropPublished],
        explanations: Iterable[ImageExplained],
    ) -> Self:
        """The plan with what a later search has found. Nothing derived from a content that stays is in it."""
        plan = self.model_copy(update={"kept": tuple(kept)})
        all_crops = {one.crop_id: one for one in (*crops, *self.crops) if one.image_id in plan.images}
        drawn = {one.explanation_id: one for one in (*explanations, *self.explanations) if one.image_id in plan.images}
        return plan.model_copy(
            update={
                "bursts": tuple(sorted({*self.bursts, *bursts})),
                "crops": tuple(all_crops.values()),
                "explanations": tuple(drawn.values()),
            }
        )

    def path(self, folder: Path) -> Path:
        """Where it is stored."""
        return folder / f"{self.name}.json"

    def store(self, folder: Path) -> Path:
        """Write it durably, for the owner alone. Returns its path."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.path(folder)
        write_durably(path, self.model_dump_json() + "\n", mode=0o600)
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a plan. Raises `UnciaError`."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UnciaError(f"{path} is not a plan of `uncia forget`: {error}") from error


def plans_folder(settings: Settings) -> Path:
    """Where plans are kept until they are carried out: with the stack that this process belongs to."""
    stack = stack_dir()
    return ((stack / "data" if (stack / "stack.env").exists() else settings.data_dir) / "forget").absolute()


def pending_plans(folder: Path) -> Iterable[Path]:
    """Plans that were begun and not completed, in a fixed order."""
    return sorted(folder.glob("fgt-*.json")) if folder.is_dir() else ()
