"""A JPEG's header, read before any decoder sees the file: what kind of file it is, how large, whether it holds."""

from dataclasses import dataclass

from uncia.errors import RejectedImage
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
# JFIF and Adobe decide how colours are read; every other application segment is metadata and never reaches the decoder.
_COLOUR_SEGMENTS = {0xE0, 0xEE}
_METADATA = {*range(0xE0, 0xF0), 0xFE}

_MAX_TABLE_BYTES = 256 * 1024
"""Tables, frame header and colour segments take a few kilobytes in every genuine file."""

# A progressive file holds all coefficients in memory (6 bytes a pixel at worst), a baseline one a few rows.
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
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1")


@dataclass(frozen=True)
class JpegHeader:
    """What the header says, and the header itself without its metadata."""

    width: int
    height: int
    process: str
    """baseline, extended or progressive."""
    bare: bytes
    """Tables and frame header only: broken or lying EXIF cannot disturb the decoder."""
    layout: ScanLayout
    """How the picture is cut into blocks."""
    scan: Scan
    """Where the picture's data lie in the file, and what is wrong with them."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_jpeg_header(data: bytes, *, max_pixels: int) -> JpegHeader:
    """Walk the segments up to the first scan. Raises `RejectedImage`, as `uncia.imaging.frames.decode_frame` does."""
    if not data:
        raise RejectedImage("image-empty", "the file has no bytes")
    if not data.startswith(b"\xff\xd8\xff"):
        if not data.strip(b"\0"):
            raise RejectedImage("image-corrupt", f"the file is {len(data):,} zero bytes: a failing card writes such")
        raise RejectedImage("image-not-jpeg", f"only JPEG is read; this is {describe_file_kind(data)}")
    bare, at = bytearray(b"\xff\xd8"), 2
    frame: tuple[str, bytes] | None = None
    restart_interval = 0
    for _ in range(MAX_SEGMENTS):
        marker, at = _next_marker(data, at)
        if marker in WITHOUT_LENGTH:
            continue
        if marker == END_OF_IMAGE:
            raise RejectedImage("image-corrupt", "the JPEG ends without a picture")
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end < at + 2 or end > len(data):
            raise _breaks_off(data)
        if marker in _OTHER_FRAMES:
            raise RejectedImage("image-corrupt", f"a kind of JPEG that no camera writes (frame type {marker:#04x})")
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
                raise RejectedImage("image-corrupt", f"the JPEG's tables take more than {_MAX_TABLE_BYTES:,} bytes")
        at = end
    else:
        raise RejectedImage("image-corrupt", f"more than {MAX_SEGMENTS:,} segments stand before the picture")
    if frame is None:
        raise RejectedImage("image-corrupt", "the JPEG has a scan but no frame header")
    process, segment = frame
    height, width = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    layout = ScanLayout.of(
        segment, process, scanned=data[at + 2] if end > at + 2 else 0, restart_interval=restart_interval
    )
    scan = read_scan(data, at - 2, end, layout, bytes(bare))
    return JpegHeader(width, height, process, bytes(bare), layout, scan)


def describe_file_kind(data: bytes) -> str:
    """What a file is that is no JPEG, in words, by its first bytes."""
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
    """The next marker's code and where its segment begins; stray bytes are skipped, as libjpeg does."""
    found = MARKER.search(data, at, at + MAX_STRAY)
    if found is not None:
        return data[found.end() - 1], found.end()
    if at + MAX_STRAY < len(data):
        raise RejectedImage("image-corrupt", f"more than {MAX_STRAY:,} bytes in the JPEG's header belong to nothing")
    raise _breaks_off(data)


def _check_frame(process: str, segment: bytes, max_pixels: int) -> None:
    if len(segment) < 8:
        raise RejectedImage("image-corrupt", "the JPEG's frame header is too short")
    bits = segment[2]
    height, width = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    if bits != 8:
        raise RejectedImage("image-corrupt", f"a JPEG of {bits} bits a sample; cameras write 8")
    if not width or not height:
        raise RejectedImage("image-corrupt", f"the JPEG claims {width} x {height} pixels")
    limit = max_pixels // _PROGRESSIVE_SHARE if process == "progressive" else max_pixels
    if width * height > limit:
        raise RejectedImage(
            "image-too-large", f"{width:,} x {height:,} pixels; at most {limit:,} are decoded of a {process} JPEG"
        )


def _breaks_off(data: bytes) -> RejectedImage:
    return RejectedImage("image-truncated", f"the JPEG breaks off in its header, after {len(data):,} bytes")
