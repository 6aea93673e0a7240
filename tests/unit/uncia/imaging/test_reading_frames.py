"""Every JPEG that a camera may write becomes a frame of the model's shape, in the right colours and places."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.uncia.imaging.jpeg_builders import encoded, noise, photograph, with_segment
from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import DecodedFrame, decode_frame, decode_photograph, scale_to_frame, self_test_pattern

SPEC = FrameSpec()
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def read(data: bytes, spec: FrameSpec = SPEC) -> DecodedFrame:
    return decode_frame(data, spec, max_pixels=50_000_000)


def corners(frame: DecodedFrame) -> list[list[int]]:
    return [frame.pixels[y, x].tolist() for y in (20, 300) for x in (20, 428)]


def test_a_frame_is_uint8_of_the_models_shape_and_knows_the_photographs_size() -> None:
    frame = read(photograph(1600, 1200))

    assert frame.pixels.shape == (320, 448, 3)
    assert frame.pixels.dtype == np.uint8
    assert (frame.photo_width, frame.photo_height) == (1600, 1200)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 100, "optimize": True}])
@pytest.mark.parametrize("size", [(100, 80), (449, 361), (1046, 802), (2048, 1440), (3264, 2448)])
def test_any_size_and_coding_keeps_colours_and_places(size: tuple[int, int], options: dict[str, Any]) -> None:
    np.testing.assert_allclose(corners(read(photograph(*size, **options))), [RED, GREEN, BLUE, WHITE], atol=6)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_grey_and_cmyk_become_rgb(mode: str) -> None:
    assert read(photograph(mode=mode)).pixels.shape == (320, 448, 3)


def test_cmyk_keeps_its_colours() -> None:
    np.testing.assert_allclose(corners(read(photograph(mode="CMYK"))), [RED, GREEN, BLUE, WHITE], atol=12)


def test_a_classifiers_frame_is_the_same_with_a_detector_beside_it_and_without() -> None:
    classifier, detector = FrameSpec(width=320, height=240), FrameSpec(width=640, height=480)
    data = noise(2048, 1536)
    together = decode_photograph(data, (classifier, detector), max_pixels=10_000_000)
    alone = decode_frame(data, classifier, max_pixels=10_000_000)
    assert np.array_equal(scale_to_frame(together.image, classifier), alone.pixels)


def test_grey_has_three_equal_channels() -> None:
    pixels = read(photograph(mode="L")).pixels

    assert (pixels == pixels[..., :1]).all()


def test_pixels_are_taken_as_stored_whatever_exif_says_of_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    np.testing.assert_array_equal(read(photograph(exif=exif)).pixels, read(photograph()).pixels)


def test_the_printed_strips_are_cut_off() -> None:
    pixels = np.full((1000, 1400, 3), 128, dtype=np.uint8)
    pixels[:40] = pixels[930:] = 255

    frame = read(encoded(Image.fromarray(pixels), quality=95))

    # The first and last row may touch a block that holds both.
    assert abs(frame.pixels[3:-3].astype(int) - 128).max() < 10


@pytest.mark.parametrize(
    "payload", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0", b"\xff" * 900, b"MPF\0II*\0" + b"\1" * 50]
)
@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xFE])
def test_broken_metadata_never_disturbs_the_picture(marker: int, payload: bytes) -> None:
    np.testing.assert_array_equal(read(with_segment(photograph(), marker, payload)).pixels, read(photograph()).pixels)


def test_bytes_after_the_picture_are_nobodys_business() -> None:
    np.testing.assert_array_equal(read(photograph() + b"\0" * 5000).pixels, read(photograph()).pixels)


def test_a_very_wide_photograph_is_decoded_small() -> None:
    # 65,000 x 500 fills the frame only at full scale, which would take 130 MB.
    assert read(photograph(65_000, 500, mode="L", quality=20)).pixels.shape == (320, 448, 3)


@given(st.integers(0, 40_000), st.binary(min_size=1, max_size=30))
def test_damage_gives_a_frame_or_a_rejection_and_nothing_else(at: int, junk: bytes) -> None:
    damaged = bytearray(_GOOD)
    damaged[at : at + len(junk)] = junk
    try:
        assert read(bytes(damaged)).pixels.shape == (320, 448, 3)
    except RejectedImage as error:
        assert error.reason in {"image-corrupt", "image-truncated", "image-not-jpeg", "image-too-large"}


_GOOD = noise(256, 192, quality=60)


def test_the_self_test_pattern_is_the_same_on_every_machine() -> None:
    pattern = self_test_pattern(SPEC)

    assert pattern.shape == (320, 448, 3)
    assert int(pattern.astype(np.int64).sum()) == 50_019_120
