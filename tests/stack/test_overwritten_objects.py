"""Overwritten objects, and objects that are not photographs, from the store to the burst."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.stack.photographs import iso_media, photograph
from tests.stack.result_consumer import ResultConsumer
from uncia.events import BurstResolved, BurstStatus, ImagePredicted

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]
Settled = Callable[..., list[BurstResolved]]


def reconyx_photograph(seed: int, number: int, of: int, event: int, taken: datetime) -> bytes:
    """A photograph with a Reconyx HyperFire 2 note (ExifTool's `Reconyx::Type3`): `number` of `of`."""
    note = bytearray(0xA0)
    note[0:10] = b"RECONYXH2\0"
    note[0x34:0x36] = b"M\0"
    struct.pack_into("<4H", note, 0x36, number, of, event >> 16, event & 0xFFFF)
    struct.pack_into("<6H", note, 0x3E, taken.second, taken.minute, taken.hour, taken.day, taken.month, taken.year)
    note[0x7E : 0x7E + 24] = "HF2X00000001".encode("utf-16-le")
    return photograph(seed, f"{taken:%Y:%m:%d %H:%M:%S}", make="RECONYX", note=bytes(note))


@pytest.fixture
def taken() -> datetime:
    """The current time of a camera whose clock is on UTC."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def test_a_partial_object_overwritten_by_the_complete_file_is_one_readable_frame(
    station: str, upload: Upload, predicted: Predicted, settled: Settled, results: ResultConsumer, taken: datetime
) -> None:
    camera = f"{station}/cam"
    photographs = [reconyx_photograph(710 + n, n, 3, 500, taken + timedelta(seconds=n)) for n in (1, 2, 3)]
    upload(f"{camera}/RCNX0001.JPG", photographs[0])
    upload(f"{camera}/RCNX0002.JPG", photographs[1][: len(photographs[1]) * 6 // 10])
    assert predicted(f"{camera}/RCNX0002.JPG").rejection is not None
    upload(f"{camera}/RCNX0002.JPG", photographs[1])
    results.wait_for(
        lambda: len(results.predictions(f"{camera}/RCNX0002.JPG")) == 2, 30, "the prediction of the complete file"
    )
    upload(f"{camera}/RCNX0003.JPG", photographs[2])
    (burst,) = settled(camera)
    assert (len(burst.frames), burst.expected_frames, burst.unreadable) == (3, 3, 0)


def test_an_empty_object_overwritten_by_a_photograph_leaves_no_empty_burst(
    station: str, upload: Upload, settled: Settled, results: ResultConsumer, taken: datetime
) -> None:
    camera = f"{station}/cam"
    upload(f"{camera}/IMG_0009.JPG", b"")
    empty = results.wait_for(
        lambda: [b for b in results.bursts(camera) if b.status is BurstStatus.FINAL],
        45,
        "the burst of the empty object",
    )[0]
    upload(f"{camera}/IMG_0009.JPG", photograph(720, f"{taken - timedelta(hours=3):%Y:%m:%d %H:%M:%S}"))
    results.wait_for(
        lambda: results.revisions(empty.burst_id)[-1].status is BurstStatus.SUPERSEDED, 45, "its withdrawal"
    )
    (burst,) = settled(camera)
    assert (len(burst.frames), burst.unreadable) == (1, 0)


def test_another_photograph_under_the_same_key_replaces_the_frame(
    station: str, upload: Upload, predicted: Predicted, settled: Settled, results: ResultConsumer, taken: datetime
) -> None:
    camera, key = f"{station}/cam", f"{station}/cam/IMG_0001.JPG"
    upload(key, photograph(730, f"{taken:%Y:%m:%d %H:%M:%S}"))
    predicted(key)
    upload(key, photograph(731, f"{taken - timedelta(hours=1):%Y:%m:%d %H:%M:%S}"))
    newer = results.wait_for(lambda: results.predictions(key)[1:], 30, "the second prediction")[0]
    results.wait_for(
        lambda: [b for b in results.bursts(camera) if newer.upload_id in {f.upload_id for f in b.frames}],
        45,
        "its burst",
    )
    (burst,) = settled(camera)
    assert [frame.upload_id for frame in burst.frames] == [newer.upload_id]


def test_videos_and_sidecar_files_are_rejected_and_are_frames_of_no_burst(
    station: str, upload: Upload, predicted: Predicted, settled: Settled, taken: datetime
) -> None:
    camera = f"{station}/cam"
    photographs = [reconyx_photograph(740 + n, n, 3, 600, taken + timedelta(seconds=n)) for n in (1, 2, 3)]
    rejected_files = {
        "RCNX0003.MP4": iso_media(b"isom"),
        "Thumbs.db": b"\xd0\xcf\x11\xe0" + bytes(4000),
        ".DS_Store": b"\0\0\0\1Bud1" + bytes(3000),
        "._RCNX0001.JPG": b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(3000),
        "notes.txt": b"batteries changed\n",
    }
    upload(f"{camera}/RCNX0001.JPG", photographs[0])
    upload(f"{camera}/RCNX0002.JPG", photographs[1])
    for name, data in rejected_files.items():
        upload(f"{camera}/{name}", data)
        assert predicted(f"{camera}/{name}").rejection is not None
    upload(f"{camera}/RCNX0004.JPG", photographs[2])
    (burst,) = settled(camera)
    assert [frame.key.rpartition("/")[2] for frame in burst.frames] == [
        "RCNX0001.JPG", "RCNX0002.JPG", "RCNX0004.JPG"
    ]  # fmt: skip
    assert (burst.closed_by, burst.unreadable) == ("sequence", 0)
