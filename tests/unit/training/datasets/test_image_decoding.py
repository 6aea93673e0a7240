"""Whatever kind of file the user has, the model sees what it would see of a photograph."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame
from uncia.training.dataset_check.html_report import thumbnail
from uncia.training.datasets.image_decoding import load_frame

SPEC = FrameSpec(width=48, height=32, window=48)
LEFT, RIGHT = (200, 60, 20), (20, 60, 200)


def halves(mode: str = "RGB") -> Image.Image:
    """The left half reddish, the right half bluish."""
    image = Image.new("RGB", (120, 100), LEFT)
    image.paste(RIGHT, (60, 0, 120, 100))
    return image.quantize(4) if mode == "P" else image.convert(mode)


def saved(folder: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    path = folder / f"picture.{kind.lower()}"
    image.save(path, kind, **options)
    return path


def test_a_jpeg_is_read_as_the_stream_reads_it(tmp_path: Path) -> None:
    path = saved(tmp_path, halves(), "JPEG")
    assert np.array_equal(load_frame(path, SPEC), decode_frame(path.read_bytes(), SPEC, max_pixels=10**6).pixels)


def test_a_jpeg_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path, halves(), "JPEG").rename(tmp_path / "picture.png")
    assert np.array_equal(load_frame(path, SPEC), decode_frame(path.read_bytes(), SPEC, max_pixels=10**6).pixels)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("RGB", "TIFF"), ("CMYK", "TIFF"), ("RGB", "BMP"), ("P", "GIF")],
)
def test_colours_are_the_same_in_every_kind_of_file(tmp_path: Path, mode: str, kind: str) -> None:
    seen = load_frame(saved(tmp_path, halves(mode), kind), SPEC)
    assert seen.shape == (32, 48, 3)
    assert seen.dtype == np.uint8
    assert np.abs(seen[16, 10].astype(int) - LEFT).max() <= 2
    assert np.abs(seen[16, 40].astype(int) - RIGHT).max() <= 2


def test_a_cmyk_jpeg_has_its_colours(tmp_path: Path) -> None:
    seen = load_frame(saved(tmp_path, halves("CMYK"), "JPEG", quality=95), SPEC)
    assert np.abs(seen[16, 10].astype(int) - LEFT).max() <= 6


def test_grey_is_three_equal_channels(tmp_path: Path) -> None:
    seen = load_frame(saved(tmp_path, halves("L"), "PNG"), SPEC)
    assert np.ptp(seen, axis=2).max() == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_upper_8_bits(tmp_path: Path, kind: str) -> None:
    """Pillow's own conversion cuts at 255, and the picture would be white."""
    deep = Image.fromarray(np.full((100, 120), 0x8080, np.uint16))
    assert np.unique(load_frame(saved(tmp_path, deep, kind), SPEC)).tolist() == [0x80]


def test_what_is_transparent_is_grey(tmp_path: Path) -> None:
    seen = load_frame(saved(tmp_path, Image.new("RGBA", (120, 100), (255, 0, 0, 0)), "PNG"), SPEC)
    assert np.unique(seen).tolist() == [127]


def test_decimals_from_0_to_1_are_scaled(tmp_path: Path) -> None:
    seen = load_frame(saved(tmp_path, Image.fromarray(np.full((100, 120), 0.5, np.float32)), "TIFF"), SPEC)
    assert np.unique(seen).tolist() == [128]


def test_the_printed_strips_are_cut_off(tmp_path: Path) -> None:
    image = Image.new("RGB", (120, 100), "white")
    image.paste((0, 0, 0), (0, 0, 120, 4))
    image.paste((0, 0, 0), (0, 93, 120, 100))
    assert load_frame(saved(tmp_path, image, "PNG"), SPEC).min() == 255


def _png() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "image-empty"),
        (b"no picture at all", "image-unknown-kind"),
        (_png()[:600], "image-truncated"),
        (b"\xff\xd8\xff\xe0 and nothing", "image-truncated"),
        (_png()[:60] + bytes(len(_png()) - 60), "image-corrupt"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    with pytest.raises(RejectedImage) as refused:
        load_frame(path, SPEC)
    assert refused.value.reason == reason


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedImage) as refused:
        load_frame(tmp_path / "gone.jpg", SPEC)
    assert refused.value.reason == "image-missing"


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(RejectedImage) as refused:
        load_frame(saved(tmp_path, halves(), "PNG"), SPEC, max_pixels=1000)
    assert refused.value.reason == "image-too-large"


def test_pixels_outside_the_known_ranges_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedImage) as refused:
        load_frame(saved(tmp_path, Image.fromarray(np.full((100, 120), 900.0, np.float32)), "TIFF"), SPEC)
    assert refused.value.reason == "image-unknown-kind"


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.eps"])
def test_a_kind_that_starts_a_program_is_refused_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", never)
    path = tmp_path / name
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n")
    with pytest.raises(RejectedImage) as caught:
        load_frame(path, SPEC)
    assert caught.value.reason == "image-unknown-kind"
    assert thumbnail(path) == ""
