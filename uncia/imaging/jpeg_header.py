"""Reads and checks a JPEG's header before a decoder reads the file: file type, size in pixels, structure."""

from dataclasses import dataclass

from uncia.errors import RejectedImage
from uncia.events.images import VIDEO_NOT_ANALYSED
from uncia.imaging.jpeg_scan import Scan, ScanLayout, read_scan
from uncia.imaging.jpeg_segments import (
    END_OF_IMAGE,
    MARKER,
    MAX_SEGMENTS,
    MAX_STRAY,
    START_OF_SCAN,
    WITHOUT_LENGTH,
)

_RESTART_INTERVAL = 0xDD
_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
# JFIF and Adobe segments determine the colour space. All other application segments are metadata, which the decoder
# does not receive.
_COLOUR_SEGMENTS = {0xE0, 0xEE}
_METADATA = {*range(0xE0, 0xF0), 0xFE}

_MAX_TABLE_BYTES = 256 * 1024
"""Limit for tables, frame header and colour segments, which have a few kilobytes in real files."""

# Decoding a progressive file needs all coefficients in memory (up to 6 bytes per pixel), a baseline file a few rows.
_PROGRESSIVE_SHARE = 4
_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF or raw"),
    (0, b"MM\0*", "TIFF or raw"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL", "JPEG XL"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (8, b"AVI ", "AVI"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (4, b"moov", "MP4 or QuickTime"),
    (4, b"mdat", "MP4 or QuickTime"),
)
_VIDEOS = frozenset({"AVI", "Matroska or WebM", "MP4 or QuickTime"})
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1")


@dataclass(frozen=True)
class JpegHeader:
    """The parsed header, and its bytes without metadata."""

    width: int
    height: int
    process: str
    """baseline, extended or progressive."""
    bare: bytes
    """Tables and frame header only, so that the decoder never reads invalid EXIF."""
    layout: ScanLayout
    """How the image is divided into blocks."""
    scan: Scan
    """Position of the image data in the file, and damage in it."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_jpeg_header(data: bytes, *, max_pixels: int) -> JpegHeader:
    """Read the segments up to the first scan. Raises `RejectedImage`, as `uncia.imaging.frames.decode_frame` does."""
    if not data:
        raise RejectedImage("image-empty", "the file has no bytes")
    if not data.startswith(b"\xff\xd8\xff"):
        if not data.strip(b"\0"):
            raise RejectedImage(
                "image-corrupt", f"the file consists of {len(data):,} zero bytes, as a failing card writes them"
            )
        kind = _describe_file_kind(data)
        if kind in _VIDEOS:
            raise RejectedImage(VIDEO_NOT_ANALYSED, f"not analysed: a video ({kind}); no model reads videos yet")
        raise RejectedImage("image-not-jpeg", f"only JPEG is supported; this is {kind}")
    bare, at = bytearray(b"\xff\xd8"), 2
    frame: tuple[str, bytes] | None = None
    restart_interval = 0
    for _ in range(MAX_SEGMENTS):
        marker, at = _next_marker(data, at)
        if marker in WITHOUT_LENGTH:
            continue
        if marker == END_OF_IMAGE:
            raise RejectedImage("image-corrupt", "the JPEG contains no image")
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end < at + 2 or end > len(data):
            raise _breaks_off(data)
        if marker in _OTHER_FRAMES:
            raise RejectedImage(
                "image-corrupt", f"unsupported type of JPEG, which no camera writes (frame type {marker:#04x})"
            )
        if marker in _FRAMES:
            frame = _FRAMES[marker], data[at:end]
            _check_frame(*frame, max_pixels)
        if marker == _RESTART_INTERVAL:
            restart_interval = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == START_OF_SCAN:
            break
        if marker not in _METADATA or marker in _COLOUR_SEGMENTS:
            bare += data[at - 2 : end]
            if len(bare) > _MAX_TABLE_BYTES:
                raise RejectedImage("image-corrupt", f"the JPEG's tables have more than {_MAX_TABLE_BYTES:,} bytes")
        at = end
    else:
        raise RejectedImage("image-corrupt", f"the JPEG has more than {MAX_SEGMENTS:,} segments before the image data")
    if frame is None:
        raise RejectedImage("image-corrupt", "the JPEG has a scan but no frame header")
    process, segment = frame
    height, width = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    layout = ScanLayout.of(
        segment, process, scanned=data[at + 2] if end > at + 2 else 0, restart_interval=restart_interval
    )
    scan = read_scan(data, at - 2, end, layout, bytes(bare))
    return JpegHeader(width, height, process, bytes(bare), layout, scan)


def _describe_file_kind(data: bytes) -> str:
    """Describe the type of a file that is not a JPEG, by its first bytes."""
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in _HEIC_BRANDS:
            return "HEIC"
        return "AVIF" if brand in (b"avif", b"avis") else "MP4 or QuickTime"
    for offset, magic, name in _KINDS:
        if data.startswith(magic, offset):
            return name
    head = data[:512]
    try:
        text = head.decode("utf-8", errors="strict" if len(data) <= len(head) else "ignore")
    except UnicodeDecodeError:
        text = ""
    if text and all(character.isprintable() or character in "\t\r\n\ufeff" for character in text):
        return "XML or HTML" if text.lstrip("\ufeff \t\r\n").startswith("<") else "text"
    return f"something unknown (it begins {data[:8].hex(' ')})"


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the next marker's code and the start of its segment; stray bytes are skipped, as libjpeg does."""
    found = MARKER.search(data, at, at + MAX_STRAY)
    if found is not None:
        return data[found.end() - 1], found.end()
    if at + MAX_STRAY < len(data):
        raise RejectedImage("image-corrupt", f"the JPEG's header has more than {MAX_STRAY:,} bytes outside segments")
    raise _breaks_off(data)


def _check_frame(process: str, segment: bytes, max_pixels: int) -> None:
    if len(segment) < 8:
        raise RejectedImage("image-corrupt", "the JPEG's frame header is too short")
    bits = segment[2]
    height, width = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    if bits != 8:
        raise RejectedImage("image-corrupt", f"the JPEG has {bits} bits per sample; only 8 are supported")
    if not width or not height:
        raise RejectedImage("image-corrupt", f"the JPEG claims {width} x {height} pixels")
    limit = max_pixels // _PROGRESSIVE_SHARE if process == "progressive" else max_pixels
    if width * height > limit:
        raise RejectedImage(
            "image-too-large", f"{width:,} x {height:,} pixels; the limit for a {process} JPEG is {limit:,}"
        )


def _breaks_off(data: bytes) -> RejectedImage:
    return RejectedImage("image-truncated", f"the JPEG breaks off in its header, after {len(data):,} bytes")
