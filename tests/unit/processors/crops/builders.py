"""Bursts with boxes, and photographs to cut them from."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image

from tests.unit.processors.predict.s3_double import BUCKET
from uncia import ids
from uncia.events import BurstFrame, BurstResolved, BurstStatus, DetectionCategory, FrameBox, Trigger
from uncia.events.values import Box

CAMERA = "ridge/north"
BEGAN = datetime(2026, 5, 1, 10)
BOX: Box = (0.25, 0.25, 0.25, 0.5)


def jpeg(number: int, width: int = 640, height: int = 480) -> bytes:
    """A photograph with a comment and EXIF, different for each number."""
    noise = np.random.default_rng(number).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((width, height))
    exif = Image.Exif()
    exif[0x010E] = "the place where the animal lives"
    file = io.BytesIO()
    picture.save(file, "JPEG", comment=b"the place", exif=exif)
    return file.getvalue()


def key(number: int) -> str:
    """The key of a photograph."""
    return f"{CAMERA}/{number}.jpg"


def animal(score: float = 0.8, box: Box = BOX, **values: Any) -> FrameBox:
    """A box of an animal."""
    return FrameBox(category=DetectionCategory.ANIMAL, score=score, box=box, **values)


def person(score: float = 0.8) -> FrameBox:
    """A box of a person."""
    return FrameBox(category=DetectionCategory.PERSON, score=score, box=BOX)


def frame(number: int, *boxes: FrameBox, **values: Any) -> BurstFrame:
    """A frame of the photograph with this number."""
    taken = BEGAN + timedelta(seconds=number)
    return BurstFrame(
        image_id=ids.image_id(CAMERA, ids.content_hash(jpeg(number))),
        upload_id=f"upl-{number}",
        key=key(number),
        bucket=BUCKET,
        captured_at=taken,
        uploaded_at=taken.astimezone(),
        predicted_at=taken.astimezone(),
        boxes=boxes,
        **values,
    )


def burst(
    frames: Sequence[BurstFrame] = (),
    revision: int = 2,
    status: BurstStatus = BurstStatus.FINAL,
    burst_id: str = "bst-" + "a" * 24,
    **values: Any,
) -> BurstResolved:
    """A burst with these frames."""
    return BurstResolved(
        burst_id=burst_id,
        revision=revision,
        status=status,
        station="ridge",
        camera=CAMERA,
        trigger=Trigger.MOTION,
        started_at=BEGAN,
        ended_at=BEGAN,
        frames=tuple(frames),
        rule="log-odds/1",
        settings="set-1",
        **values,
    )
