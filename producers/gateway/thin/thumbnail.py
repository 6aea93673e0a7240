"""Thumbnails of photographs that the bursts worker recognises as a smaller size of the whole photograph."""

import io

from uncia.errors import SettingsError, how_to_install
from uncia.imaging.capture_time import EMBEDDED_ORIGINS, CaptureTime, find_capture_time
from uncia.imaging.exif import Exif, read_exif_file
from uncia.imaging.maker_notes import read_maker_note

_QUALITY = 40
"""JPEG quality: 512 × 384 pixels of a night photograph have 10 to 25 KB."""

_MAX_EXIF_BYTES = 60_000
"""A JPEG segment holds no more."""


class NoThumbnail(Exception):
    """No thumbnail of this photograph would be linked to it; the text says why."""


def check_pillow() -> None:
    """Raise `SettingsError` where Pillow, which scales photographs, is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"UNCIA_THIN_DAILY_KB needs Pillow for thumbnails: {how_to_install('thin')}, or pip install pillow"
        ) from error


def make_thumbnail(data: bytes, side: int) -> bytes:
    """A JPEG of the same view, at most `side` pixels wide and high, with the EXIF of the photograph.

    Without the thumbnail in the EXIF. The same bytes give the same thumbnail. Raises `NoThumbnail` where the photograph
    cannot be decoded, is not larger than that, or has no capture time by which the two would be linked.
    """
    from PIL import Image

    exif = read_exif_file(io.BytesIO(data))
    taken = _capture_time(exif)
    if taken is None:
        raise NoThumbnail("it holds no capture time")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            width, height = image.size
            if max(width, height) <= side:
                raise NoThumbnail(f"it has {width} × {height} pixels only")
            blocks = [image.getexif().tobytes(), image.info.get("exif", b"")]
            scale = side / max(width, height)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image.draft("RGB", (2 * size[0], 2 * size[1]))
            small = image.convert("RGB").resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    except NoThumbnail:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise NoThumbnail(f"it cannot be decoded ({type(error).__name__})") from error
    for block in blocks:
        if not block or len(block) > _MAX_EXIF_BYTES:
            continue
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=_QUALITY, optimize=True, exif=block)
        if _same_capture(read_exif_file(io.BytesIO(buffer.getvalue())), exif, taken):
            return buffer.getvalue()
    raise NoThumbnail("its EXIF cannot be copied")


def _capture_time(exif: Exif) -> CaptureTime | None:
    found = find_capture_time(exif, read_maker_note(exif.maker_note), "")
    return found if found is not None and found.origin in EMBEDDED_ORIGINS else None


def _same_capture(copy: Exif, original: Exif, taken: CaptureTime) -> bool:
    """Whether all by which the bursts worker links and groups photographs is the same."""
    mine, other = read_maker_note(copy.maker_note), read_maker_note(original.maker_note)
    return (
        _capture_time(copy) == taken
        and (copy.make, copy.model, copy.serial) == (original.make, original.model, original.serial)
        and mine == other
    )
