"""Pictures full of metadata: each planted text must be in no byte of what leaves the private tier."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from tests.unit.uncia.imaging.exif_builders import (
    ASCII,
    BODY_SERIAL,
    GPS_DIRECTORY,
    LONG,
    MAKE,
    MAKER_NOTE,
    RATIONAL,
    UNDEFINED,
    Entry,
    directory,
    entries,
    segment,
)
from uncia.imaging.metadata_removal import without_metadata

LATITUDE, LONGITUDE = (41, 30, 1517), (76, 15, 2741)
"""Degrees, minutes and hundredths of seconds, as cameras write them."""
ORIENTATION, EXIF_POINTER, SHORT = 0x0112, 0x8769, 3


def rationals(values: tuple[int, int, int]) -> bytes:
    """Three rational numbers, little-endian."""
    return struct.pack("<6I", values[0], 1, values[1], 1, values[2], 100)


SECRETS = {
    "GPS latitude in EXIF": rationals(LATITUDE),
    "GPS longitude in EXIF": rationals(LONGITUDE),
    "GPS in XMP": b"41,30.2528N",
    "place in IPTC": b"SECRET-IPTC-VALLEY",
    "serial number": b"SERIAL-H2RX0815",
    "maker note": b"SECRET-MAKER-NOTE",
    "EXIF thumbnail": b"SECRET-THUMBNAIL",
    "JFIF extension": b"SECRET-JFXX",
    "comment": b"SECRET-COMMENT",
    "colour profile": b"SECRET-ICC-PROFILE",
    "index of a multi-picture file": b"MPF\0SECRET-INDEX",
    "second picture": b"SECRET-SECOND-PICTURE",
    "bytes behind the end": b"SECRET-TRAILER",
    "comment between scans": b"SECRET-BETWEEN-SCANS",
    "Adobe segment": b"SECRET-ADOBE",
    "unknown application segment": b"SECRET-APP12",
}


def _pixels(width: int = 96, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(7).integers(60, 180, (height, width, 3), dtype=np.uint8))


def tiff_with_position(*, orientation: int | None = None, order: str = "<") -> bytes:
    """A TIFF structure with a GPS directory, a serial number, a maker note and a thumbnail."""
    gps: list[Entry] = [
        (1, ASCII, 2, b"N\0"),
        (2, RATIONAL, 3, rationals(LATITUDE)),
        (3, ASCII, 2, b"E\0"),
        (4, RATIONAL, 3, rationals(LONGITUDE)),
        (6, RATIONAL, 1, struct.pack("<2I", 345_678, 100)),
        (0x1B, UNDEFINED, 20, b"ASCII\0\0\0SECRET-GPS\0\0"),
    ]
    turned: list[Entry] = [(ORIENTATION, SHORT, 1, struct.pack("<H", orientation))] if orientation else []
    inner = entries({BODY_SERIAL: SECRETS["serial number"].decode(), MAKER_NOTE: SECRETS["maker note"]})

    def first(inner_at: int, gps_at: int) -> bytes:
        pointers = [(EXIF_POINTER, LONG, 1, struct.pack("<I", inner_at)), (GPS_DIRECTORY, LONG, 1, _long(gps_at))]
        return directory(sorted([*entries({MAKE: "RECONYX"}), *turned, *pointers]), 8, order)

    inner_at = 8 + len(first(0, 0))
    gps_at = inner_at + len(directory(inner, inner_at, order))
    thumbnail = b"\xff\xd8\xff\xe1" + SECRETS["EXIF thumbnail"] + b"\xff\xd9"
    return (
        b"II*\0\x08\0\0\0"
        + first(inner_at, gps_at)
        + directory(inner, inner_at, order)
        + directory(gps, gps_at, order)
        + thumbnail
    )


def _long(value: int) -> bytes:
    return struct.pack("<I", value)


def xmp() -> bytes:
    """A packet of XMP with a position as attributes and as elements."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description exif:GPSLatitude="41,30.2528N" '
        b"exif:GPSLongitude='76,15.4568E' xmp:CreatorTool=\"trap\"><exif:GPSAltitude>345678/100</exif:GPSAltitude>"
        b'<drone-dji:GpsLatitude>+41.504213</drone-dji:GpsLatitude><drone-dji:GpsLongtitude v="76.257613"/>'
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def loaded_jpeg(*, orientation: int | None = None, progressive: bool = True) -> bytes:
    """A JPEG with every kind of metadata."""
    file = io.BytesIO()
    _pixels().save(file, "JPEG", quality=85, progressive=progressive)
    plain = file.getvalue()
    end = plain.rindex(b"\xff\xd9")
    head = b"".join(
        (
            segment(0xE1, b"Exif\0\0" + tiff_with_position(orientation=orientation)),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()),
            segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x1e\x1c\x02\x5a\0\x12" + SECRETS["place in IPTC"]),
            segment(0xE0, b"JFXX\0\x10" + SECRETS["JFIF extension"]),
            segment(0xE2, b"ICC_PROFILE\0\x01\x01" + SECRETS["colour profile"]),
            segment(0xE2, SECRETS["index of a multi-picture file"]),
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SECRETS["Adobe segment"]),
            segment(0xEC, SECRETS["unknown application segment"]),
            segment(0xFE, SECRETS["comment"]),
        )
    )
    scan = plain.index(b"\xff\xda")
    between = plain.find(b"\xff\xc4", scan)
    body = plain[2:end]
    if between > 0:
        body = plain[2:between] + segment(0xFE, SECRETS["comment between scans"]) + plain[between:end]
    second = b"\xff\xd8" + segment(0xE1, SECRETS["second picture"]) + plain[2:]
    return plain[:2] + head + body + b"\xff\xd9" + second + SECRETS["bytes behind the end"]


def loaded_png() -> bytes:
    """A PNG with text, EXIF, XMP, a profile and trailing bytes."""
    file = io.BytesIO()
    _pixels().save(file, "PNG")
    plain = file.getvalue()
    chunks = b"".join(
        _chunk(kind, payload)
        for kind, payload in (
            (b"tEXt", b"Comment\0" + SECRETS["comment"]),
            (b"eXIf", tiff_with_position()),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp()),
            (b"iCCP", b"p\0\0" + SECRETS["colour profile"]),
            (b"zzZz", SECRETS["maker note"]),
        )
    )
    return plain[:33] + chunks + plain[33:] + SECRETS["bytes behind the end"]


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def loaded_webp() -> bytes:
    """A WebP with EXIF, XMP, a profile and trailing bytes."""
    file = io.BytesIO()
    _pixels().save(
        file, "WEBP", exif=tiff_with_position(), xmp=xmp(), icc_profile=SECRETS["colour profile"], lossless=True
    )
    return file.getvalue() + SECRETS["bytes behind the end"]


def secrets_in(data: bytes) -> list[str]:
    """The names of planted texts that are in these bytes."""
    return [name for name, secret in SECRETS.items() if secret in data]


def opened(data: bytes) -> Image.Image:
    """The picture; of a multi-picture JPEG, whose index is invalid here, the first one."""
    if data.startswith(b"\xff\xd8"):
        return JpegImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data))


def pixels_of(data: bytes) -> bytes:
    """The decoded pixels, not turned."""
    with opened(data) as image:
        return image.convert("RGB").tobytes()


def _plain_jpeg() -> bytes:
    file = io.BytesIO()
    _pixels().save(file, "JPEG", quality=85)
    return without_metadata(file.getvalue())


PLAIN_JPEG = _plain_jpeg()
"""A JPEG without anything to remove."""
