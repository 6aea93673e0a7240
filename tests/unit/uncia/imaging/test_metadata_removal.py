"""A copy without metadata has the same pixels and nothing else; hostile files end with one plain error."""

import io
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.unit.uncia.imaging.exif_builders import segment
from tests.unit.uncia.imaging.metadata_builders import (
    PLAIN_JPEG,
    SECRETS,
    loaded_jpeg,
    loaded_png,
    loaded_webp,
    opened,
    pixels_of,
    secrets_in,
)
from uncia.imaging.metadata_removal import MetadataNotRemovable, without_metadata


def test_a_jpeg_loses_every_kind_of_metadata_and_keeps_its_pixels() -> None:
    loaded = loaded_jpeg()
    assert secrets_in(loaded) == list(SECRETS)
    bare = without_metadata(loaded)
    assert secrets_in(bare) == []
    assert pixels_of(bare) == pixels_of(loaded)
    with Image.open(io.BytesIO(bare)) as image:
        assert not image.getexif()
        assert set(image.info) <= {"adobe", "adobe_transform", "progressive", "progression"}


@pytest.mark.parametrize("make", [loaded_png, loaded_webp])
def test_a_png_and_a_webp_lose_theirs(make) -> None:  # type: ignore[no-untyped-def]
    loaded = make()
    assert len(secrets_in(loaded)) >= 4
    bare = without_metadata(loaded)
    assert secrets_in(bare) == []
    assert pixels_of(bare) == pixels_of(loaded)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_is_shown_turned_is_still_shown_so(orientation: int) -> None:
    loaded = loaded_jpeg(orientation=orientation)
    with opened(loaded) as before, opened(without_metadata(loaded)) as after:
        assert ImageOps.exif_transpose(before).tobytes() == ImageOps.exif_transpose(after).tobytes()
        assert set(after.getexif()) <= {0x0112}


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_colours_stay_without_the_adobe_segment_of_the_camera(mode: str) -> None:
    file = io.BytesIO()
    with Image.open(io.BytesIO(PLAIN_JPEG)) as image:
        image.convert(mode).save(file, "JPEG", keep_rgb=mode == "RGB")
    assert pixels_of(without_metadata(file.getvalue())) == pixels_of(file.getvalue())


def test_what_is_bare_stays_byte_for_byte() -> None:
    for loaded in (loaded_jpeg(), loaded_jpeg(orientation=6), loaded_png(), loaded_webp()):
        bare = without_metadata(loaded)
        assert without_metadata(bare) == bare


def test_a_picture_that_breaks_off_in_its_image_data_is_closed_there() -> None:
    loaded = loaded_jpeg(progressive=False)
    cut = loaded[: loaded.index(b"\xff\xda") + 400]
    bare = without_metadata(cut)
    assert secrets_in(bare) == []
    assert bare.endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + segment(0xE1, b"Exif\0\0"),
        b"\xff\xd8\xff\xe1\xff\xff short",
        b"\xff\xd8\xff\xe1\0\x01",
        b"\xff\xd8" + segment(0xDA, b"\x01\x01\0\0\x3f\0"),
        PLAIN_JPEG[:2] + segment(0xDB, bytes(65) + SECRETS["comment"]) + PLAIN_JPEG[2:],
        PLAIN_JPEG[:2] + segment(0xC4, bytes(17) + SECRETS["comment"][:9]) + PLAIN_JPEG[2:],
        PLAIN_JPEG[:2] + 10_000 * segment(0xE1, b"Exif\0\0") + PLAIN_JPEG[2:],
        PLAIN_JPEG[:2] + bytes(100_000) + PLAIN_JPEG[2:],
        b"GIF89a" + bytes(100),
        b"\0\0\0\x18ftypheic" + bytes(100),
        b"II*\0\x08\0\0\0" + bytes(100),
        loaded_png()[:-40],
        loaded_webp()[:60],
        b"RIFF\xff\xff\xff\xffWEBP" + bytes(80_000),
        b"\x89PNG\r\n\x1a\n" + bytes(12) * 100_000,
    ],
)
def test_a_hostile_file_is_a_plain_error(data: bytes) -> None:
    with pytest.raises(MetadataNotRemovable) as raised:
        without_metadata(data)
    assert raised.value.reason == "metadata-not-removable"


def test_the_work_and_the_memory_are_linear_in_the_size() -> None:
    """40 MB of image data that consists of restart markers, comments between scans, and pictures behind the picture."""
    scan = PLAIN_JPEG.index(b"\xff\xda")
    hostile = (
        PLAIN_JPEG[:-2] + b"\xff\xd0" * 10_000_000 + PLAIN_JPEG[scan:-2] + PLAIN_JPEG * 2000 + b"\xff" * 10_000_000
    )
    tracemalloc.start()
    began = time.process_time()
    without_metadata(hostile)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 60
    assert peak < 4 * len(hostile)


@given(
    st.lists(
        st.tuples(st.sampled_from([*range(0xE0, 0xF0), 0xFE]), st.binary(max_size=200)),
        max_size=20,
    ),
    st.binary(max_size=300),
)
def test_any_metadata_around_a_picture_leaves_nothing(found: list[tuple[int, bytes]], trailer: bytes) -> None:
    loaded = PLAIN_JPEG[:2] + b"".join(segment(*each) for each in found) + PLAIN_JPEG[2:] + trailer
    bare = without_metadata(loaded)
    if not any(marker in (0xE1, 0xEE) for marker, _ in found):
        assert bare == PLAIN_JPEG
    assert pixels_of(bare) == pixels_of(loaded) or any(marker == 0xEE for marker, _ in found)


@given(st.data())
def test_whatever_a_file_contains_it_gives_a_picture_or_the_error(data: st.DataObject) -> None:
    loaded = bytearray(data.draw(st.sampled_from([loaded_jpeg(), loaded_png(), loaded_webp()])))
    for _ in range(data.draw(st.integers(1, 8))):
        loaded[data.draw(st.integers(0, len(loaded) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(loaded[: data.draw(st.integers(0, len(loaded)))])
    try:
        bare = without_metadata(cut)
    except MetadataNotRemovable:
        return
    assert len(bare) <= len(cut) + 64
    assert without_metadata(bare) == bare
