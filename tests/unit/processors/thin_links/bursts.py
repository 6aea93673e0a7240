"""Bursts of which only thumbnails are stored."""

from typing import Any

from tests.paths import EVENT_SAMPLES
from uncia.events import BurstCategory, BurstFrame, BurstResolved, BurstStatus

RESOLVED = BurstResolved.from_bytes((EVENT_SAMPLES / "camera.burst.resolved.v1.json").read_bytes())


def frame(number: int, *, whole: bool = False, **values: Any) -> BurstFrame:
    """A frame, by default a thumbnail."""
    folder = f"ridge/cam-07/2026/03/14/{'' if whole else 'thumbnail-'}{number:016x}"
    change = {
        "image_id": f"img-{number}{'w' if whole else ''}",
        "key": f"{folder}/20260314T071530-{number:016x}.jpg",
        "rejection": None,
        "deciding": False,
        "score": None,
        "animal_probability": None,
        **values,
    }
    return RESOLVED.frames[0].model_copy(update=change)


def burst(*frames: BurstFrame, taxon: str | None = None, certain: bool = True, **values: Any) -> BurstResolved:
    """A final burst with an animal."""
    assert RESOLVED.verdict is not None
    verdict = None if taxon is None else RESOLVED.verdict.model_copy(update={"taxon": taxon, "certain": certain})
    change = {
        "frames": frames,
        "verdict": verdict,
        "status": BurstStatus.FINAL,
        "category": BurstCategory.ANIMAL,
        "review": None,
        "station": "ridge",
        "camera": "ridge/cam-07",
        **values,
    }
    return RESOLVED.model_copy(update=change)
