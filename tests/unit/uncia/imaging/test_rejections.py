"""What is no whole, reasonable JPEG is refused with a stable reason and a sentence that names the cause."""

import struct
import tracemalloc

import pytest

from tests.unit.uncia.imaging.jpeg_builders import claiming, noise, photograph
from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame

GOOD = noise()


def rejection(data: bytes, max_pixels: int = 50_000_000) -> RejectedImage:
    with pytest.raises(RejectedImage) as caught:
        decode_frame(data, FrameSpec(), max_pixels=max_pixels)
    return caught.value


def test_an_empty_file() -> None:
    assert rejection(b"").reason == "image-empty"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"GIF89a\1\0\1\0", "GIF"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"this is no picture\n", "text"),
        ("Снежный барс ".encode() * 80, "text"),
        (b"<html><body>502 Bad Gateway", "HTML"),
        (bytes(range(128, 160)), "unknown"),
    ],
)
def test_another_kind_of_file_is_named(data: bytes, kind: str) -> None:
    error = rejection(data)

    assert error.reason == "image-not-jpeg"
    assert kind in str(error)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", "MP4"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "QuickTime"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
        (b"\x1aE\xdf\xa3", "Matroska"),
    ],
)
def test_a_video_under_the_name_of_a_photograph_is_rejected_as_not_analysed(data: bytes, kind: str) -> None:
    error = rejection(data)

    assert error.reason == "video-not-analysed"
    assert kind in str(error)
    assert "not analysed" in str(error)


@pytest.mark.parametrize("lost", [2, 200, 0.5, 0.99, 0.9999])
@pytest.mark.parametrize("data", [GOOD, noise(progressive=True)], ids=["baseline", "progressive"])
def test_a_file_that_breaks_off(data: bytes, lost: float) -> None:
    kept = len(data) - int(lost if lost >= 1 else lost * len(data))

    assert rejection(data[:kept]).reason == "image-truncated"


def test_a_file_whose_rest_is_zeros_as_failing_cards_write_it() -> None:
    half = len(GOOD) // 2

    assert rejection(GOOD[:half] + bytes(len(GOOD) - half)).reason == "image-truncated"


def test_nothing_but_zeros() -> None:
    error = rejection(bytes(5000))

    assert error.reason == "image-corrupt"
    assert "zero bytes" in str(error)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_decompression_bomb_is_refused_before_anything_is_allocated(progressive: bool) -> None:
    bomb = claiming(photograph(progressive=progressive), 20_000, 20_000)
    tracemalloc.start()
    error = rejection(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert error.reason == "image-too-large"
    assert "20,000 x 20,000" in str(error)
    assert peak < 5_000_000


def test_the_limit_on_pixels_is_the_callers() -> None:
    assert rejection(photograph(1000, 800), max_pixels=799_999).reason == "image-too-large"
    assert decode_frame(photograph(1000, 800), FrameSpec(), max_pixels=800_000).photo_width == 1000


def test_a_progressive_file_is_allowed_a_quarter_because_it_is_held_whole() -> None:
    assert rejection(photograph(1000, 800, progressive=True), max_pixels=3_199_999).reason == "image-too-large"


def test_thousands_of_scans_are_an_attack_on_the_clock() -> None:
    data = photograph(progressive=True)
    scan = data.find(b"\xff\xda")

    assert (
        rejection(data[:scan] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" * 1000 + data[scan:]).reason
        == "image-too-large"
    )


@pytest.mark.parametrize(("width", "height"), [(0, 600), (800, 0)])
def test_no_pixels_at_all(width: int, height: int) -> None:
    assert rejection(claiming(photograph(), width, height)).reason == "image-corrupt"


@pytest.mark.parametrize("bits", [12, 16])
def test_more_than_eight_bits_a_sample(bits: int) -> None:
    data = bytearray(photograph())
    data[data.find(b"\xff\xc0") + 4] = bits

    error = rejection(bytes(data))

    assert error.reason == "image-corrupt"
    assert f"{bits} bits" in str(error)


def test_a_lossless_jpeg_is_named() -> None:
    data = bytearray(photograph())
    data[data.find(b"\xff\xc0") + 1] = 0xC3

    assert "no camera writes" in str(rejection(bytes(data)))


def test_a_header_without_a_picture() -> None:
    assert rejection(b"\xff\xd8\xff\xd9").reason == "image-corrupt"


def test_a_scan_without_a_frame() -> None:
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\x00\x00\x3f\x00"

    assert rejection(b"\xff\xd8" + scan + bytes(100)).reason == "image-corrupt"
