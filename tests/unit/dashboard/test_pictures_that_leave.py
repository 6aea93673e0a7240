"""One photograph full of metadata, fetched by every way out of the private tier: none of it is in what comes."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.dashboard.exports.records_data import DEPLOYMENT, a_burst, a_frame, reviewed
from tests.unit.uncia.imaging.metadata_builders import (
    SECRETS,
    loaded_jpeg,
    loaded_png,
    loaded_webp,
    opened,
    secrets_in,
)
from uncia import ids
from uncia.dashboard.exports.camtrap_dp import CamtrapOptions, write_camtrap_dp
from uncia.dashboard.exports.media import MediaPaths
from uncia.dashboard.exports.records import ObservationRecord, Verdict
from uncia.dashboard.exports.reviewed import write_reviewed
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.thumbnails import thumbnail_url
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.pictures import NoPicture, PictureService, PictureSize
from uncia.explaining.heat_map import decode_backdrop, render_heat_map
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_photograph
from uncia.processors.crops.cutting import cut_crop
from uncia.storage.object_store import ObjectContent
from uncia.training.dataset_check.html_report import thumbnail as dataset_thumbnail

LOADED = loaded_jpeg(orientation=6)
MAX_PIXELS = 1_000_000


class _Store:
    """A store whose only object has these bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, bucket: str, key: str, **_: Any) -> ObjectContent:
        return ObjectContent(self._data, "etag")


def _pictures(folder: Path, data: bytes) -> PictureService:
    cache = FileCache(folder / "cache", max_bytes=1 << 20)
    return PictureService(_Store(data), cache, max_bytes=1 << 24, max_pixels=MAX_PIXELS)  # type: ignore[arg-type]


def _page(size: PictureSize) -> Callable[[Path], bytes]:
    def fetch(folder: Path) -> bytes:
        upload = ids.upload_id("photos", "a.jpg", "etag")
        image = ids.image_id("ridge/cam-1", ids.content_hash(LOADED))
        content = AssessedContent("ridge/cam-1", "photos", "a.jpg", upload, image, None)
        return _pictures(folder, LOADED).photograph(content, size)

    return fetch


def _crop(folder: Path) -> bytes:
    made = cut_crop(decode_photograph(LOADED, (), max_pixels=MAX_PIXELS), (0.2, 0.2, 0.5, 0.5), min_pixels=4)
    assert made is not None
    return made.jpeg


def _served_crop(folder: Path) -> bytes:
    """Of a store in which something else than the crops worker wrote the crop."""
    return _pictures(folder, LOADED).crop("photos", "crops/a.jpg", ids.content_hash(LOADED))


def _heat_map(folder: Path) -> bytes:
    spec = FrameSpec(width=32, height=32, crop_top=0, crop_bottom=0)
    found = SimpleNamespace(pixel_weights=np.ones((32, 32)), boxes=())
    return render_heat_map(decode_backdrop(LOADED, max_pixels=MAX_PIXELS), found, spec)  # type: ignore[arg-type]


def _served_heat_map(folder: Path) -> bytes:
    return _pictures(folder, loaded_png()).heat_map("photos", "explanations/a.png")


def _thumbnail(folder: Path) -> bytes:
    """Of contact sheets, reports, comparisons of models and of replays."""
    url = thumbnail_url(LOADED)
    assert url is not None
    return base64.b64decode(url.partition(",")[2])


def _dataset_report(folder: Path) -> bytes:
    (folder / "a.jpg").write_bytes(LOADED)
    return base64.b64decode(dataset_thumbnail(folder / "a.jpg").partition(",")[2])


def _camtrap_dp(data: bytes = LOADED, *, exact: bool = False) -> Callable[[Path], bytes]:
    def fetch(folder: Path) -> bytes:
        options = CamtrapOptions(exact_positions=exact)
        write_camtrap_dp(folder, [a_burst()], [DEPLOYMENT], options, media=MediaPaths(fetch=lambda frame: data))
        return next(path for path in (folder / "media").rglob("*") if path.is_file()).read_bytes()

    return fetch


def _reviewed(folder: Path) -> bytes:
    burst = a_burst(frames=(a_frame("1"),), frame_count=1)
    seen = ObservationRecord("human", 0, Verdict("blank"), observed_by="aigul")
    burst = type(burst)(**{**{name: getattr(burst, name) for name in burst.__slots__}, **reviewed(burst, seen)})
    write_reviewed(folder, [burst], lambda frame: LOADED)
    return next((folder / "media").iterdir()).read_bytes()


WAYS: dict[str, Callable[[Path], bytes]] = {
    **{f"page: {size}": _page(size) for size in PictureSize},
    "crop": _crop,
    "page: crop": _served_crop,
    "heat map": _heat_map,
    "page: heat map": _served_heat_map,
    "reports": _thumbnail,
    "report of a dataset": _dataset_report,
    "Camtrap DP": _camtrap_dp(),
    "Camtrap DP with exact positions": _camtrap_dp(exact=True),
    "Camtrap DP of a PNG": _camtrap_dp(loaded_png()),
    "Camtrap DP of a WebP": _camtrap_dp(loaded_webp()),
    "dataset of reviewed photographs": _reviewed,
}


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file")
@pytest.mark.parametrize("way", WAYS)
def test_no_planted_metadata_leaves_by(way: str, tmp_path: Path) -> None:
    assert len(secrets_in(LOADED)) == len(SECRETS) - ("comment between scans" not in secrets_in(LOADED))
    data = WAYS[way](tmp_path)
    assert secrets_in(data) == []
    with opened(data) as image:
        image.load()
        assert set(image.getexif()) <= {0x0112}


@pytest.mark.parametrize("data", [b"\0\0\0\x18ftypheic" + b"SECRET-COMMENT", b"II*\0SECRET-COMMENT", LOADED[:300]])
def test_a_photograph_whose_metadata_cannot_be_removed_stays_and_is_counted(data: bytes, tmp_path: Path) -> None:
    media = MediaPaths(fetch=lambda frame: data)
    summary = write_camtrap_dp(tmp_path, [a_burst()], [DEPLOYMENT], CamtrapOptions(), media=media)
    assert dict(summary.left_out) == {"photographs whose metadata cannot be removed, not copied": 1}
    assert not (tmp_path / "media").exists()


def test_no_crop_is_served_that_cannot_be_copied_without_metadata(tmp_path: Path) -> None:
    with pytest.raises(NoPicture):
        _pictures(tmp_path, LOADED[:300]).crop("photos", "crops/a.jpg", ids.content_hash(LOADED[:300]))


def test_a_copy_has_the_pixels_of_the_original(tmp_path: Path) -> None:
    copied = _camtrap_dp()(tmp_path)
    with opened(copied) as copy, opened(LOADED) as original:
        assert Image.Image.tobytes(copy) == Image.Image.tobytes(original)
    assert io.BytesIO(copied).getbuffer().nbytes < len(LOADED)
