"""A damaged photograph is decoded as far as it goes, with words for what is wrong; a whole one gets none."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.uncia.imaging.jpeg_builders import encoded, photograph
from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame


def scene(seed: int, width: int = 1280, height: int = 960, mode: str = "RGB", **options: Any) -> bytes:
    """Something like a natural picture: soft patches with a little noise."""
    dice = np.random.default_rng(seed)
    patches = dice.integers(60, 160, (height // 16, width // 16, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = (soft + dice.integers(-6, 7, soft.shape)).clip(0, 255).astype(np.uint8)
    return encoded(Image.fromarray(noisy).convert(mode), **options)


def damage(data: bytes) -> tuple[str, ...]:
    return decode_frame(data, FrameSpec(), max_pixels=50_000_000).damage


def put(data: bytes, at: float, what: bytes) -> bytes:
    """The same, with something else from some part of its data on."""
    scan = data.index(b"\xff\xda")
    begin = scan + int((len(data) - scan) * at)
    return data[:begin] + what + data[begin + len(what) :]


ONE, OTHER = scene(1), scene(2)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("length", [4096, 16_384])
def test_a_cluster_of_zeros_amid_the_scan(at: float, length: int) -> None:
    (what,) = damage(put(ONE, at, bytes(length)))
    assert "zero bytes amid the picture" in what


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_cluster_of_another_photograph_that_begins_there(at: float) -> None:
    (what,) = damage(put(ONE, at, OTHER[:20_000]))
    assert what.startswith("another photograph begins amid the picture after")


@pytest.mark.parametrize("scale", [(448, 320), (1200, 900)])
@pytest.mark.parametrize(("at", "behind"), [(0.5, 0.3), (0.5, 0.7), (0.3, 0.25), (0.8, 0.85)])
def test_two_photographs_cross_linked(at: float, behind: float, scale: tuple[int, int]) -> None:
    data = ONE[: int(len(ONE) * at)] + OTHER[int(len(OTHER) * behind) :]
    (what,) = decode_frame(data, FrameSpec(width=scale[0], height=scale[1]), max_pixels=50_000_000).damage
    assert what == (
        "the image data continues after the last row" if behind < at else "the image data ends before the last row"
    )


def test_a_few_units_that_are_missing_at_the_end() -> None:
    unit = len(ONE) // (80 * 60)
    data = ONE[: len(ONE) // 2] + ONE[len(ONE) // 2 + 8 * unit :]
    assert damage(data) == ("the image data ends before the last row",)


@pytest.mark.parametrize("marker", [0x5A, 0xE1, 0xC0, 0xC4, 0x01])
def test_a_marker_that_does_not_belong_there(marker: int) -> None:
    (what,) = damage(put(ONE, 0.6, bytes([0xFF, marker])))
    assert f"{marker:#04x}" in what


@pytest.mark.parametrize("length", [512, 8192, 60_000])
def test_a_cluster_of_erased_bytes(length: int) -> None:
    scan = ONE.index(b"\xff\xda")
    at = scan + (len(ONE) - scan) // 2
    (what,) = damage(ONE[:at] + b"\xff" * length + ONE[-400:])
    assert what.startswith("erased bytes (0xff) stand amid the picture after")


def test_megabytes_of_erased_bytes_never_reach_the_decoder() -> None:
    # It would copy the square of their length.
    scan = ONE.index(b"\xff\xda")
    at = scan + (len(ONE) - scan) // 2
    with pytest.raises(RejectedImage) as caught:
        damage(ONE[:at] + b"\xff" * 20_000_000 + ONE[at:])
    assert caught.value.reason == "image-corrupt"


def test_restart_markers_out_of_turn() -> None:
    data = scene(3, restart_marker_rows=1)
    assert damage(data) == ()
    begin = data.index(b"\xff\xd3")
    assert damage(data[:begin] + data[data.index(b"\xff\xd5") :]) == ("restart markers out of turn",)


def test_next_to_nothing_before_the_damage_is_no_picture() -> None:
    with pytest.raises(RejectedImage) as caught:
        damage(put(ONE, 0.03, OTHER[:20_000]))
    assert caught.value.reason == "image-corrupt"


def test_damage_and_no_end_is_a_file_that_breaks_off() -> None:
    with pytest.raises(RejectedImage) as caught:
        damage(put(ONE, 0.5, OTHER[:20_000])[:-2] + bytes(100))
    assert caught.value.reason == "image-truncated"


GREY = Image.new("RGB", (1280, 960), (128, 128, 128))
BANNER = Image.new("RGB", (1280, 960), (90, 120, 60))
BANNER.paste((128, 128, 128), (640, 900, 1280, 960))


@pytest.mark.parametrize(
    "data",
    [
        *(scene(seed, w, h) for seed, (w, h) in enumerate([(640, 480), (1279, 957), (33, 1000), (1000, 33), (16, 16)])),
        scene(4, quality=20),
        scene(5, quality=100, subsampling=0),
        scene(6, optimize=True),
        scene(7, progressive=True),
        scene(8, mode="L"),
        scene(9, mode="CMYK"),
        scene(10, restart_marker_blocks=7),
        photograph(),
        *(
            encoded(Image.new(mode, size, 0), **options)
            for mode in ("L", "RGB")
            for size in ((2048, 1536), (64, 64))
            for options in ({}, {"optimize": True}, {"progressive": True})
        ),
        *(encoded(Image.new("RGB", (2048, 1536), colour)) for colour in ("white", "red", (127, 127, 127))),
        encoded(GREY),
        encoded(GREY, optimize=True),
        encoded(BANNER),
        ONE + bytes(4096) + b"junk" * 50,
        ONE + OTHER,
        ONE[:-2] + bytes(4000) + b"\xff\xd9",
        ONE[:-2] + b"\xff" * 4000 + b"\xff\xd9",
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_a_whole_picture_has_no_damage(data: bytes) -> None:
    assert damage(data) == ()


@given(
    st.integers(16, 400),
    st.integers(16, 400),
    st.sampled_from(["RGB", "L"]),
    st.sampled_from([0, 1, 2]),
    st.integers(1, 100),
)
def test_whole_pictures_of_any_shape_have_no_damage(
    width: int, height: int, mode: str, subsampling: int, quality: int
) -> None:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(pixels).convert(mode), quality=quality, subsampling=subsampling)
    for width, height in ((448, 320), (64, 48)):
        assert decode_frame(data, FrameSpec(width=width, height=height), max_pixels=50_000_000).damage == ()


def test_a_multi_picture_file_has_no_damage() -> None:
    file = io.BytesIO()
    first, second = (Image.open(io.BytesIO(data)) for data in (ONE, OTHER))
    first.save(file, "MPO", save_all=True, append_images=[second])
    assert damage(file.getvalue()) == ()


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_whatever_is_written_over_a_picture_it_is_decoded_or_rejected(seed: int, pieces: int) -> None:
    dice = np.random.default_rng(seed)
    data = bytearray(SMALL)
    for _ in range(pieces):
        at = int(dice.integers(2, len(data)))
        piece = dice.bytes(int(dice.integers(1, 400)))[: len(data) - at]
        data[at : at + len(piece)] = piece
    try:
        frame = decode_frame(bytes(data), FrameSpec(), max_pixels=50_000_000)
    except RejectedImage:
        return
    assert frame.pixels.shape == (320, 448, 3)


SMALL = scene(11, 320, 240)


def _tables(count: int) -> bytes:
    return (b"\xff\xdb" + struct.pack(">H", 67) + bytes(65)) * count


@pytest.mark.parametrize(
    "flood",
    [b"\xff\xd0" * 500_000, b"\xff\xe1\x00\x02" * 500_000, b"\xff\xfe\x00\x02" + bytes(2_000_000), _tables(30_000)],
    ids=["markers", "empty segments", "zeros", "tables"],
)
def test_a_flood_in_the_header_is_refused_before_it_costs_anything(flood: bytes) -> None:
    with pytest.raises(RejectedImage) as caught:
        damage(SMALL[:2] + flood + SMALL[2:])
    assert caught.value.reason == "image-corrupt"


@pytest.mark.parametrize("length", range(2, 9))
def test_a_scan_header_that_is_too_short_is_refused(length: int) -> None:
    header = SMALL[: SMALL.index(b"\xff\xda")]
    with pytest.raises(RejectedImage):
        damage(header + b"\xff\xda" + struct.pack(">H", length) + bytes(length - 2))


def test_metadata_of_any_size_is_passed_over() -> None:
    metadata = (b"\xff\xe2" + struct.pack(">H", 65_002) + bytes(65_000)) * 300
    assert damage(SMALL[:2] + metadata + SMALL[2:]) == ()
