"""Thumbnails of photographs that the bursts worker recognises as a smaller size of the whole photograph."""

import io
import struct
from typing import Any

from uncia.errors import SettingsError, how_to_install
from uncia.imaging.capture_time import EMBEDDED_ORIGINS, CaptureTime, find_capture_time
from uncia.imaging.exif import Exif, read_exif_file
from uncia.imaging.exif_blocks import TIFF_ORDERS
from uncia.imaging.maker_notes import read_maker_note

_STEPS = ((1.0, 40), (0.75, 30), (0.5, 20))
"""Share of the side, and JPEG quality: 512 × 384 pixels of a night photograph at 40 have 10 to 25 KB. The next step is
for a thumbnail that the link could never carry."""

_MAX_EXIF_BYTES = 60_000
"""A JPEG segment holds no more."""

_EXIF_MARK = b"Exif\0\0"
_EXIF_DIRECTORY, _MAKER_NOTE, _THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x8769, 0x927C, 0x0201, 0x0202


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


def make_thumbnail(data: bytes, side: int, max_bytes: int) -> bytes:
    """A JPEG of the same view, at most `side` pixels wide and high, with the EXIF of the photograph.

    Without the thumbnail in the EXIF. Where it would have more than `max_bytes` bytes, it has fewer pixels, and a maker
    note only if Uncia reads it. The same bytes give the same thumbnail. Raises `NoThumbnail` where the photograph
    cannot be decoded, is not larger than that, has no capture time by which the two would be linked, or no thumbnail
    that is small enough.
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
            blocks = _exif_copies(image)
            scale = side / max(width, height)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image.draft("RGB", (2 * size[0], 2 * size[1]))
            small = image.convert("RGB").resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    except NoThumbnail:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise NoThumbnail(f"it cannot be decoded ({type(error).__name__})") from error
    least: int | None = None
    for share, quality in _STEPS:
        scaled = small if share == 1 else small.resize([max(1, round(each * share)) for each in size])
        for block in blocks:
            buffer = io.BytesIO()
            scaled.save(buffer, "JPEG", quality=quality, optimize=True, exif=block)
            if not _same_capture(read_exif_file(io.BytesIO(buffer.getvalue())), exif, taken):
                continue
            found = buffer.getvalue()
            if len(found) <= max_bytes:
                return found
            least = min(len(found), least or len(found))
    if least is None:
        raise NoThumbnail("its EXIF cannot be copied")
    raise NoThumbnail(f"its smallest thumbnail has {least:,} bytes, and a day's budget is enough for {max_bytes:,}")


def _exif_copies(image: Any) -> list[bytes]:
    """The EXIF of a Pillow image, the best copy first; the later ones are smaller, or exact to the offset."""
    whole, original = image.getexif(), image.info.get("exif", b"")
    copies = [whole.tobytes(), original]
    whole.get_ifd(_EXIF_DIRECTORY).pop(_MAKER_NOTE, None)
    copies += [whole.tobytes(), cut_thumbnail(original)]
    return [copy for copy in dict.fromkeys(copies) if copy and len(copy) <= _MAX_EXIF_BYTES]


def cut_thumbnail(block: bytes) -> bytes:
    """The block cut where its thumbnail begins, if that is at its end; else nothing."""
    tiff = block.removeprefix(_EXIF_MARK)
    try:
        order = TIFF_ORDERS[tiff[:4]]
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, first)
        link = first + 2 + 12 * count
        (second,) = struct.unpack_from(order + "I", tiff, link)
        (count,) = struct.unpack_from(order + "H", tiff, second)
        entries = [struct.unpack_from(order + "HHII", tiff, second + 2 + 12 * at) for at in range(count)]
        values = {tag: value for tag, _, _, value in entries}
        begin, length = values[_THUMBNAIL_OFFSET], values[_THUMBNAIL_LENGTH]
    except (KeyError, struct.error):
        return b""
    if not link + 4 <= begin < len(tiff) or begin + length < 0.9 * len(tiff):
        return b""
    return _EXIF_MARK + tiff[:link] + bytes(4) + tiff[link + 4 : begin]


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
