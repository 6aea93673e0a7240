"""Pictures of named individuals, such as a catalogue in folders, as decisions; pure.

Each picture is a sighting of its own, at no station. Its decision is dated to the picture's own time, or else to 1970:
a second import gives the same decisions, and what people decide counts more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from uncia import ids
from uncia.events import AnimalSide, IndividualCrop, IndividualDecided, IndividualDecision
from uncia.storage.object_keys import INDIVIDUALS_PREFIX

__all__ = ["NamedPicture", "picture_crop", "picture_decisions"]

SOURCE = "folder"
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NamedPicture:
    """A picture of an individual."""

    individual: str
    """Its name, which becomes its code."""
    sha256: str
    """Of the picture as it is stored."""
    side: AnimalSide = AnimalSide.UNKNOWN
    captured_at: datetime | None = None
    """By the camera's clock, without a UTC offset."""


def picture_crop(picture: NamedPicture, bucket: str) -> IndividualCrop:
    """The picture as a crop, with the key under which it is stored."""
    crop_id = f"crp-{ids.digest(SOURCE, picture.sha256)}"
    return IndividualCrop(
        crop_id=crop_id, bucket=bucket, key=f"{INDIVIDUALS_PREFIX}imported/{crop_id}.jpg", side=picture.side
    )


def picture_decisions(
    pictures: Iterable[NamedPicture], taxon: str, account: str, bucket: str
) -> list[IndividualDecided]:
    """The decisions: each individual is new in its earliest picture and the same one in all others."""
    decisions, created = [], set[str]()
    for each in sorted(pictures, key=lambda one: (one.captured_at or datetime.min, one.individual, one.sha256)):
        individual_id = ids.individual_id(SOURCE, each.individual)
        at = each.captured_at.replace(tzinfo=UTC) if each.captured_at else _UNDATED
        kind = IndividualDecision.SAME if individual_id in created else IndividualDecision.NEW
        burst_id = f"bst-{ids.digest(SOURCE, each.individual, each.sha256)}"
        decisions.append(
            IndividualDecided(
                decision_id=ids.individual_decision_id(SOURCE, at, kind.value, individual_id, burst_id),
                decision=kind,
                reviewer=account,
                decided_at=at,
                individual_id=individual_id,
                code=None if individual_id in created else each.individual,
                taxon=None if individual_id in created else taxon,
                burst_id=burst_id,
                captured_at=each.captured_at,
                crops=(picture_crop(each, bucket),),
                source=SOURCE,
            )
        )
        created.add(individual_id)
    return decisions
