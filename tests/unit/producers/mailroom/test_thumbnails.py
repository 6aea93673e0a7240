"""A small picture first, the large one later: two objects, one frame."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.processors.bursts.builders import Photo, frame_record
from tests.unit.producers.gateway.builders import FakeStore
from tests.unit.producers.mailroom.builders import build
from tests.unit.producers.mailroom.test_service import upload_all
from uncia.events import CaptureTimeSource
from uncia.lanes import capture_time_in_key
from uncia.processors.bursts.versions import select_visible

SMALL, LARGE = (320, 240), (960, 720)


def picture(size: tuple[int, int], time: str | None = "2026:05:14 21:36:00") -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    if time is not None:
        exif.get_ifd(0x8769)[0x9003] = time
    Image.new("RGB", size).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def keys_of(tmp_path: Path, *files: tuple[str, bytes]) -> list[str]:
    """The keys under which a mailroom uploads these files of one camera, in their order."""
    mailroom = build(tmp_path)
    for name, data in files:
        source = mailroom.folders.receiving / "file"
        source.write_bytes(data)
        mailroom.inbox.deliver(source, "ridge", "north", name)
    store = FakeStore()
    upload_all(mailroom.folders, store, len(files))
    keys = {data: key for key, data in store.objects.items()}
    return [keys[data] for _, data in files]


@pytest.mark.parametrize("large_name", ["IMG_0001.JPG", "img_0001.jpg"])
def test_the_large_picture_of_a_capture_takes_the_place_of_the_small_one(tmp_path: Path, large_name: str) -> None:
    small, large = keys_of(tmp_path, ("IMG_0001.JPG", picture(SMALL)), (large_name, picture(LARGE)))
    assert small != large
    assert capture_time_in_key(small) == capture_time_in_key(large) is not None
    versions = [
        frame_record(Photo("small", 1, file=small.removeprefix("ridge/north/"), size=SMALL)),
        frame_record(Photo("large", 1, file=large.removeprefix("ridge/north/"), size=LARGE, uploaded=60)),
    ]
    assert [version.key for version in select_visible(versions)] == [large]


def test_other_captures_keep_their_own_place(tmp_path: Path) -> None:
    keys = keys_of(
        tmp_path,
        ("IMG_0001.JPG", picture(SMALL)),
        ("IMG_0002.JPG", picture(LARGE)),
        ("IMG_0001.JPG", picture(LARGE, "2026:05:14 21:36:01")),
    )
    assert len({key.rpartition("/")[2] for key in keys}) == 3


@pytest.mark.parametrize("name", ["IMG_0001.JPG", "IMG_20260514_213600.JPG"])
def test_a_small_picture_without_an_exif_time_stays_a_frame_of_its_own(tmp_path: Path, name: str) -> None:
    small, large = keys_of(tmp_path, (name, picture(SMALL, None)), (name, picture(LARGE)))
    in_name = name.startswith("IMG_2026")
    assert small.rpartition("/")[2].split("-", 1)[1].startswith("file-name-" if in_name else "file-time-")
    assert (capture_time_in_key(small) == capture_time_in_key(large)) is in_name
    source = CaptureTimeSource.KEY
    versions = [
        frame_record(Photo("small", 1, file=small.removeprefix("ridge/north/"), size=SMALL, source=source)),
        frame_record(Photo("large", 1, file=large.removeprefix("ridge/north/"), size=LARGE, uploaded=60)),
    ]
    assert {version.key for version in select_visible(versions)} == {small, large}
