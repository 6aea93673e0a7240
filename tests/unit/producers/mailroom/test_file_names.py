"""The names of received files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.producers.gateway.file_kinds import is_photograph, is_system_file
from uncia.producers.mailroom.file_names import JPEG_START, final_name, is_provisional


@pytest.mark.parametrize(
    ("name", "start", "final"),
    [
        ("IMG_0001.JPG", JPEG_START, "IMG_0001.JPG"),
        ("IMG_0001.JPG.tmp", JPEG_START, "IMG_0001.JPG"),
        ("IMG_0001.JPG.part.tmp", JPEG_START, "IMG_0001.JPG"),
        ("upload", JPEG_START, "upload.jpg"),
        ("IMG.jpe", JPEG_START, "IMG.jpe.jpg"),
        ("film.mp4", b"\0\0\0 ftyp", "film.mp4"),
        ("film.MP4.tmp", b"\0\0\0 ftypisom", "film.MP4"),
        ("upload", b"\0\0\0 ftypmp42", "upload.mp4"),
        ("upload.tmp", b"\0\0\0 ftypqt  ", "upload.tmp.mp4"),
        ("upload", b"RIFF\0\0\0\0AVI LIST", "upload.avi"),
        ("1.heic", b"\0\0\0 ftypheic", "1.heic"),
        ("1.m4a", b"\0\0\0 ftypmp42", "1.m4a"),
        (".hidden.jpg", JPEG_START, "hidden.jpg"),
        ("..\\..\\evil.jpg", JPEG_START, "evil.jpg"),
        ("a/b/c.jpg", JPEG_START, "c.jpg"),
        ("...", b"", "unnamed"),
        ("Thumbs.db", b"", "unnamed-Thumbs.db"),
        ("a\n\x1bb.jpg", JPEG_START, "a__b.jpg"),
        ("é" * 200 + ".jpg", JPEG_START, "é" * 98 + ".jpg"),
        ("x." + "j" * 300, b"", "unnamed"),
    ],
)
def test_names_are_safe_and_those_of_photographs(name: str, start: bytes, final: str) -> None:
    assert final_name(name, start) == final


@given(st.text())
def test_any_name_becomes_one_that_the_gateway_finds(name: str) -> None:
    final = final_name(name, JPEG_START)
    assert is_photograph(final)
    assert not is_system_file(final)
    assert not set(final) & set("/\\\0\n")
    assert len(final.encode()) <= 210


@pytest.mark.parametrize("name", ["a.tmp", "a.JPG.part", ".a.jpg", "~a.jpg", "upload", "a.filepart", "a.part.JPG"])
def test_names_that_cameras_rename_later(name: str) -> None:
    assert is_provisional(name)


@pytest.mark.parametrize("name", ["a.jpg", "IMG_0001.JPG", "film.MP4", "status.txt"])
def test_names_that_cameras_keep(name: str) -> None:
    assert not is_provisional(name)
