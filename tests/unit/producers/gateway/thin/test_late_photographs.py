"""What a thin gateway stores, seen by the bursts worker: the late photograph takes the place of its thumbnail."""

import io
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.processors.bursts.builders import CONFIG, Camera, Photo
from tests.unit.producers.gateway.thin.builders import ThinStore, exposure, run_thin
from uncia.events import BurstStatus
from uncia.imaging.exif import read_exif_file
from uncia.processors.bursts.config import BurstConfig

TAKEN = datetime(2026, 3, 14, 7, 15, 30)
WEEK_S = 7 * 86_400


def stored(store: ThinStore) -> dict[str, Photo]:
    """All objects, as intake and predict announce them."""
    found = {}
    for key, data in store.objects.items():
        exif = read_exif_file(io.BytesIO(data))
        with Image.open(io.BytesIO(data)) as image:
            found[key] = Photo(
                key.rsplit("/", 2)[1],
                (exif.times[0].time - TAKEN).total_seconds(),
                file=key.removeprefix("ridge/north/"),
                size=image.size,
                make=exif.make,
                camera_model=exif.model,
            )
    return found


@pytest.fixture
def objects(tmp_path: Path) -> dict[str, Photo]:
    """Two thumbnails of a burst, and the photograph of the first."""
    for at in range(2):
        path = tmp_path / "card" / "north" / f"IMG_{at}.JPG"
        exposure(path, TAKEN + timedelta(seconds=at), seed=at, size=(1283, 963))
    store = ThinStore()
    run_thin(tmp_path / "card", tmp_path / "spool", store)
    store.request(store.thumbnails[0])
    run_thin(tmp_path / "card", tmp_path / "spool", store)
    return stored(store)


def arrive(photographs: list[Photo], config: BurstConfig, late_s: float) -> Camera:
    """The last photograph arrives so many seconds after the others."""
    camera = Camera(config)
    for photograph in photographs[:-1]:
        camera.apply(photograph, 0)
    camera.tick(60)
    camera.apply(photographs[-1], late_s)
    camera.tick(late_s + 60)
    return camera


def test_the_late_photograph_revises_the_burst_of_its_thumbnail(objects: dict[str, Photo]) -> None:
    config = replace(CONFIG, lateness=timedelta(seconds=2 * WEEK_S))
    (burst,) = arrive(list(objects.values()), config, WEEK_S).settled().values()
    first, second, whole = objects
    assert {frame.key for frame in burst.frames} == {second, whole}
    assert burst.status is BurstStatus.REVISED
    assert first not in {frame.key for frame in burst.frames}
