"""Films, sidecars and text files are frames of no burst."""

import pytest

from tests.unit.processors.bursts.builders import Camera, Photo, images
from uncia.storage.photograph_names import is_unreadable_photograph


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RCNX0003.MP4", "video-not-analysed"),
        ("RCNX0003.JPG", "video-not-analysed"),
        ("RCNX0003.MP4", "image-not-jpeg"),
        ("RCNX0003.AVI", "image-too-large"),
        ("MVI_0001.MOV", "image-truncated"),
        ("Thumbs.db", "image-not-jpeg"),
        ("Thumbs.db", "image-empty"),
        (".DS_Store", "image-not-jpeg"),
        ("._RCNX0001.JPG", "image-not-jpeg"),
        ("._RCNX0001.JPG", "image-truncated"),
        ("._RCNX0001.JPG", "image-corrupt"),
        (".IMG_0001.JPG.x7Qa", "image-truncated"),
        ("notes.txt", "image-not-jpeg"),
        ("notes.jpg", "image-not-jpeg"),
        ("IMG_0001.JPG.xmp", "image-empty"),
        ("IMG_0001.JPG.part", "image-truncated"),
        ("IMG_0001.HEIC", "image-not-jpeg"),
        ("", "image-empty"),
        ("folder", "image-empty"),
        ("IMG_0001.JPG", "object-changed"),
    ],
)
def test_these_are_no_photographs(name: str, reason: str) -> None:
    assert not is_unreadable_photograph(f"ridge/north/{name}", reason)
    camera = Camera()
    camera.apply(Photo("a", 0, 1, 3), 0)
    camera.apply(Photo("x", 1, file=name, rejected=True, reason=f"{reason}"), 0) if name else None
    camera.apply(Photo("b", 1, 2, 3), 0)
    (burst,) = camera.settled().values()
    assert (images(burst), burst.closed_at, burst.unreadable) == (["a", "b"], None, 0)
    camera.apply(Photo("c", 2, 3, 3), 0)
    (burst,) = camera.settled().values()
    assert images(burst) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RCNX0003.JPG", "image-truncated"),
        ("RCNX0003.jpeg", "image-corrupt"),
        ("RCNX0003.JPE", "image-too-large"),
        ("RCNX0003.JPG", "image-empty"),
        ("RCNX0003.JPG", "object-missing"),
        ("photograph-without-extension", "image-truncated"),
    ],
)
def test_these_are_photographs_that_could_not_be_read(name: str, reason: str) -> None:
    assert is_unreadable_photograph(f"ridge/north/{name}", reason)
    camera = Camera()
    camera.apply(Photo("a", 0, 1, 3), 0)
    camera.apply(Photo("x", 1, file=name, rejected=True, reason=reason), 0)
    camera.apply(Photo("b", 1, 2, 3), 0)
    (burst,) = camera.settled().values()
    assert len(burst.frames) == 3
    assert burst.unreadable == 1
    assert burst.closed_by == "sequence"


def test_a_readable_photograph_counts_whatever_its_name() -> None:
    camera = Camera()
    camera.apply(Photo("a", 0, file="._IMG_0001.MP4"), 0)
    (burst,) = camera.settled().values()
    assert images(burst) == ["a"]


def test_sidecars_alone_make_no_burst_but_show_that_time_has_passed() -> None:
    camera = Camera()
    camera.apply(Photo("a", 0), 0)
    events = camera.arrive(Photo("x", 0, file="Thumbs.db", rejected=True, reason="image-not-jpeg"), 40)
    assert [(event.status, event.closed_by) for event in events] == [("final", "idle")]
