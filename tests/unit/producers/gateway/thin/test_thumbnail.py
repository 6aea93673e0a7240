"""Thumbnails that must be small."""

import struct
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.producers.gateway.thin.builders import SIDE, exposure
from uncia.producers.gateway.thin.thumbnail import NoThumbnail, cut_thumbnail, make_thumbnail

TAKEN = datetime(2026, 3, 14, 7, 15, 30)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_the_thumbnail_in_an_exif_block_is_cut_off(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(order + "HHHII", 1, 0x0112, 3, 1, 0)  # an orientation
    second = struct.pack(order + "HHHIIHHII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, 5000)
    begin = mark + struct.pack(order + "I", 8) + first
    block = b"Exif\0\0" + begin + struct.pack(order + "I", 26) + second + bytes(4)
    assert cut_thumbnail(block + bytes(5000)) == b"Exif\0\0" + begin + bytes(4) + second + bytes(4)


@pytest.mark.parametrize("block", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0"])
def test_a_block_without_a_thumbnail_is_not_cut(block: bytes) -> None:
    assert cut_thumbnail(block) == b""


def test_a_thumbnail_has_at_most_the_bytes_that_are_permitted(tmp_path: Path) -> None:
    data = exposure(tmp_path / "IMG.JPG", TAKEN)
    whole = make_thumbnail(data, SIDE, 1_000_000)
    assert len(make_thumbnail(data, SIDE, len(whole) - 1)) < len(whole)
    with pytest.raises(NoThumbnail, match="its smallest thumbnail has"):
        make_thumbnail(data, SIDE, 200)
