"""The messages by which all parts forget a photograph. Pure.

A photograph leaves by a rejection of its upload with the reason `image-forgotten`, on the topic of predictions: the
bursts worker takes its frame out of the burst and remembers that the upload left, the catalogue replaces what it knew
of the photograph, and `uncia reconcile` no longer expects it. Bursts that the worker holds no more are revised here.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from uncia.events import (
    IMAGE_FORGOTTEN,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    CropPublished,
    DetectionCategory,
    ExplanationMethod,
    ImageExplained,
    ImagePredicted,
    Rejection,
)
from uncia.producers.forget.plan import PlannedPhotograph

__all__ = [
    "forgotten_prediction",
    "is_ended",
    "lists_any",
    "removable_bursts",
    "withdrawn_crop",
    "withdrawn_explanation",
    "without_images",
]

_MESSAGE = "removed by `uncia forget`"


def forgotten_prediction(photograph: PlannedPhotograph, at: datetime) -> ImagePredicted:
    """The rejection of an upload; nothing of the photograph's content, its time or its camera's model is in it."""
    return ImagePredicted(
        upload_id=photograph.upload_id,
        image_id=photograph.image_id,
        station=photograph.station,
        camera=photograph.camera,
        bucket=photograph.bucket,
        key=photograph.key,
        etag=photograph.etag,
        version_id=photograph.version_id,
        size=photograph.size,
        uploaded_at=photograph.uploaded_at,
        predicted_at=at,
        capture=Capture(
            time=photograph.uploaded_at.astimezone(UTC).replace(tzinfo=None), time_source=CaptureTimeSource.UPLOAD
        ),
        rejection=Rejection(reason=IMAGE_FORGOTTEN, message=_MESSAGE),
    )


def withdrawn_crop(row: Mapping[str, Any], at: datetime) -> CropPublished:
    """The withdrawal of a crop, by its row of the catalogue."""
    same = ("crop_id", "burst_id", "image_id", "station", "camera", "bucket", "key", "score", "captured_at")
    return CropPublished(
        **{name: row[name] for name in same},
        box=(row["x"], row["y"], row["width"], row["height"]),
        crop_box=tuple(row["crop_box"]),
        category=DetectionCategory(row["category"]),
        published_at=at,
        withdrawn=IMAGE_FORGOTTEN,
    )


Copies = Mapping[str, PlannedPhotograph]
"""By the id of an upload that goes, the upload that stays of the same content."""


def lists_any(burst: BurstResolved, images: Collection[str], copies: Copies = MappingProxyType({})) -> bool:
    """Whether the event lists one of these photographs, or one by the key of an upload that goes."""
    return any(frame.image_id in images or frame.upload_id in copies for frame in burst.frames)


def without_images(
    burst: BurstResolved, images: Collection[str], copies: Copies = MappingProxyType({})
) -> BurstResolved:
    """The next revision of a burst, without these photographs; superseded where none is left.

    A frame whose content stays under another key names that upload. Verdict and scores stay as they were: they are not
    computed again for photographs of long ago. A best crop of a photograph that leaves goes with it.
    """
    kept = tuple(_by_copy(frame, copies) for frame in burst.frames if frame.image_id not in images)
    moved = sum(frame.upload_id in copies for frame in burst.frames)
    gone = len(burst.frames) - len(kept)
    changes = (
        *([f"{gone} photographs forgotten"] if gone else ()),
        *([f"{moved} photographs forgotten under one of their keys"] if moved else ()),
    )
    if not kept and not burst.frames_left_out:
        # As the bursts worker ends a burst whose photographs moved away: no verdict, no successor.
        return BurstResolved(
            burst_id=burst.burst_id,
            revision=burst.revision + 1,
            status=BurstStatus.SUPERSEDED,
            station=burst.station,
            camera=burst.camera,
            trigger=burst.trigger,
            started_at=burst.started_at,
            ended_at=burst.ended_at,
            rule=burst.rule,
            settings=burst.settings,
            changes=changes,
        )
    crop = burst.best_crop
    return burst.model_copy(
        update={
            "revision": burst.revision + 1,
            "status": BurstStatus.REVISED,
            "frames": kept,
            "unreadable": sum(frame.rejection is not None for frame in kept),
            "best_crop": None if crop is not None and crop.image_id in images else crop,
            "changes": changes,
        }
    )


def _by_copy(frame: BurstFrame, copies: Copies) -> BurstFrame:
    if (copy := copies.get(frame.upload_id)) is None:
        return frame
    return frame.model_copy(
        update={
            "upload_id": copy.upload_id,
            "bucket": copy.bucket,
            "key": copy.key,
            "uploaded_at": copy.uploaded_at,
        }
    )


def is_ended(burst: BurstResolved) -> bool:
    """Whether it is the last event of a burst whose photographs are gone, so that its key may be removed."""
    return burst.status is BurstStatus.SUPERSEDED and burst.superseded_by is None and not burst.frames


def removable_bursts(planned: Iterable[str], newest: Mapping[str, BurstResolved]) -> list[str]:
    """The ids whose keys may be removed, in the order in which their tombstones must be sent.

    A burst that loses its first photograph gets another id, so that one that loses all of them leaves a chain of
    superseded ids. All of a chain may go that begins with a planned burst and ends with one without photographs, or
    with a key that was removed by a run that was killed. The end goes first: otherwise a killed run would leave the
    rest of a chain whose beginning cannot be found any more.
    """
    found: dict[str, None] = {}
    for burst_id in planned:
        chain: list[str] = []
        name: str | None = burst_id
        while name is not None and name in newest and name not in chain:
            chain.append(name)
            event = newest[name]
            if event.status is not BurstStatus.SUPERSEDED or event.frames:
                break
            name = event.superseded_by
        else:
            found |= dict.fromkeys(reversed(chain))
    return list(found)


def withdrawn_explanation(row: Mapping[str, Any], at: datetime) -> ImageExplained:
    """The withdrawal of an explanation, by its row of the catalogue."""
    return ImageExplained(
        explanation_id=row["explanation_id"],
        image_id=row["image_id"],
        station=row["station"],
        camera=row["camera"],
        method=ExplanationMethod(row["method"]),
        class_index=row["class_index"],
        explained_at=at,
        rejection=Rejection(reason=IMAGE_FORGOTTEN, message=_MESSAGE),
    )
