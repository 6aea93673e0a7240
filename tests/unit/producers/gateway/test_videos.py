"""Videos are uploaded on request, once they are complete."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY

from tests.unit.producers.gateway.builders import FakeStore, RecordingReporter, rows, run
from tests.unit.producers.gateway.test_uploader import DATA, HEAD_RESPONSE, MD5, PUT_RESPONSE, SHA256, StubbedStore
from tests.waiting import SCALE
from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.file_kinds import PHOTOGRAPHS_AND_VIDEOS
from uncia.producers.gateway.incomplete_files import GracePeriod
from uncia.producers.gateway.uploader import Upload
from uncia.producers.gateway.video_completeness import video_completeness
from uncia.storage.video_names import content_type, is_video_name


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


PICTURES = bytes(6000) + b"pictures" * 500
MP4 = box(b"ftyp", b"isom\0\0\2\0") + box(b"mdat", PICTURES) + box(b"moov", b"index" * 20)
LARGE_MP4 = box(b"ftyp", b"qt  ") + struct.pack(">I4sQ", 1, b"mdat", 16 + 4000) + bytes(4000) + box(b"moov", b"index")
OPEN_ENDED_MP4 = box(b"moov", b"index") + struct.pack(">I4s", 0, b"mdat") + PICTURES
AVI = chunk(b"RIFF", b"AVI " + chunk(b"LIST", b"hdrl" + bytes(200)) + chunk(b"LIST", b"movi" + PICTURES))


def shape(path: Path, data: bytes) -> tuple[Shape, str] | None:
    path.write_bytes(data)
    with path.open("rb") as file:
        found = video_completeness(file, len(data))
    return None if found is None else (found.shape, found.reason)


@pytest.mark.parametrize(
    "data",
    [MP4, LARGE_MP4, OPEN_ENDED_MP4, AVI, MP4 + bytes(5000), AVI + chunk(b"RIFF", b"AVIX" + bytes(100))],
    ids=["MP4", "64-bit size", "open end", "AVI", "padded", "second RIFF"],
)
def test_a_complete_video_is_whole_with_any_zeros_in_it(tmp_path: Path, data: bytes) -> None:
    assert shape(tmp_path / "1", data) == (Shape.WHOLE, "")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (MP4[:-1], "no end"),
        (MP4[:3000], "no end"),
        (MP4[:3000] + bytes(len(MP4) - 3000), "no index"),
        (MP4.replace(b"moov", b"free"), "no index"),
        (AVI[:-1], "no end"),
        (AVI[:60] + bytes(len(AVI) - 60), "no index"),
        (AVI[:4] + bytes(4) + AVI[8:], "no index"),
    ],
)
def test_a_video_that_is_still_recorded_or_copied_is_partial(tmp_path: Path, data: bytes, reason: str) -> None:
    found = shape(tmp_path / "1", data)
    assert found is not None
    assert found[0] is Shape.PARTIAL
    assert reason in found[1]


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\x10\0\0\0WEBPVP8 ", b"\x1aE\xdf\xa3", b"text"])
def test_the_end_of_other_files_is_unknown(tmp_path: Path, data: bytes) -> None:
    assert shape(tmp_path / "1", data) is None


def test_videos_stay_in_the_folder_unless_requested(tmp_path: Path) -> None:
    card = tmp_path / "card"
    (card / "DCIM").mkdir(parents=True)
    (card / "DCIM" / "1.MP4").write_bytes(MP4)
    store, reporter = FakeStore(), RecordingReporter()
    assert run(card, tmp_path / "s", store, reporter, camera="c").left == {"film": 1}
    summary = run(card, tmp_path / "s", store, camera="c", extensions=PHOTOGRAPHS_AND_VIDEOS, copy=True)
    assert (summary.uploaded, summary.partial, summary.left) == (1, 0, {})
    ((key, data),) = store.objects.items()
    assert key.startswith("ridge/c/")
    assert key.endswith(".mp4")
    assert data == MP4
    assert is_video_name(key)


def command_line(folder: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """`uncia gateway card` while nothing listens at the address of the store: exit status and events."""
    command = [sys.executable, "-m", "uncia", "gateway", "card", str(folder), "--station", "ridge", "--camera", "c"]
    ended = subprocess.run(
        [*command, "--spool", str(folder.parent / "s"), "--give-up-after", "0.2", "--json", *options],
        env={"PATH": "/usr/bin:/bin", "UNCIA_S3_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SCALE * 30,
    )
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_command_line_takes_videos_on_request_and_names_them_otherwise(tmp_path: Path) -> None:
    card = tmp_path / "card"
    (card / "DCIM" / "100EK113").mkdir(parents=True)
    (card / "DCIM" / "100EK113" / "EK000002.MP4").write_bytes(MP4)
    status, (skipped, summary) = command_line(card)
    assert (status, summary["event"], summary["left"]) == (0, "summary", {"film": 1})
    assert (skipped["event"], skipped["paths"]) == ("skipped", ["DCIM/100EK113/EK000002.MP4"])
    status, events = command_line(card, "--videos")
    assert (status, events[-1]["remaining"], events[-1]["left"]) == (1, 1, {})


def test_a_video_is_waited_for_until_its_index_arrives(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    path = card / "1.AVI"
    path.write_bytes(AVI[:3000])
    store, reporter = FakeStore(), RecordingReporter()
    deeds = [(30, lambda: path.write_bytes(AVI))]
    run(card, tmp_path / "s", store, reporter, extensions=PHOTOGRAPHS_AND_VIDEOS, writer=deeds, grace=GracePeriod(60))
    assert (list(store.objects.values()), len(store.sent)) == ([AVI], 1)
    assert reporter.of("incomplete")[0]["error"] == "the video has no end yet"
    assert rows(tmp_path / "s")[-1]["partial"] is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("1.JPG", "image/jpeg"),
        ("1.MP4", "video/mp4"),
        ("1.mov", "video/quicktime"),
        ("1.AVI", "video/x-msvideo"),
        ("1.ogv", "application/octet-stream"),
        ("._1.MP4", "image/jpeg"),
        ("mp4", "image/jpeg"),
    ],
)
def test_the_media_type_follows_from_the_name(name: str, kind: str) -> None:
    assert content_type(name) == kind


def test_a_video_is_stored_as_one(tmp_path: Path) -> None:
    path = tmp_path / "1.AVI"
    path.write_bytes(DATA)
    stubbed = StubbedStore()
    expected = {
        "Bucket": "camera-uploads",
        "Key": "ridge/north/1.avi",
        "ContentType": "video/x-msvideo",
        **dict.fromkeys(("Body", "ContentMD5", "Metadata", "ChecksumSHA256"), ANY),
    }
    with stubbed.stubber:
        stubbed.respond("put_object", PUT_RESPONSE, expected)
        stubbed.respond("head_object", HEAD_RESPONSE)
        stubbed.destination.send(Upload(path, path.name, "ridge", "north", "ridge/north/1.avi", len(DATA), SHA256, MD5))
        stubbed.stubber.assert_no_pending_responses()
