"""Sound recordings are uploaded on request, once they are complete."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.producers.gateway.builders import FakeStore, RecordingReporter, rows, run
from tests.unit.uncia.sound.recordings import recorded, tone
from tests.waiting import SCALE
from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.file_kinds import PHOTOGRAPHS
from uncia.producers.gateway.incomplete_files import GracePeriod
from uncia.producers.gateway.recording_completeness import recording_completeness
from uncia.storage.recording_names import RECORDING_EXTENSIONS, is_recording_name
from uncia.storage.video_names import content_type

EXTENSIONS = PHOTOGRAPHS | RECORDING_EXTENSIONS
WAV = recorded(tone(1, 8_000), 8_000)
FLAC = recorded(tone(1, 8_000), 8_000, "FLAC")
SILENCE = recorded(np.zeros(80_000, np.float32), 8_000)


def shape(path: Path, data: bytes) -> Shape | None:
    path.write_bytes(data)
    with path.open("rb") as file:
        found = recording_completeness(file, len(data))
    return None if found is None else found.shape


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (WAV, Shape.WHOLE),
        (SILENCE, Shape.WHOLE),
        (WAV[:-1], Shape.PARTIAL),
        (WAV[:4] + b"\0\0\0\0" + WAV[8:], Shape.OTHER),
        (b"RF64\xff\xff\xff\xff" + WAV[8:], Shape.OTHER),
        (FLAC, Shape.OTHER),
        (b"", None),
        (b"RIFF\x10\0\0\0AVI ", None),
        (b"\xff\xd8\xff", None),
    ],
    ids=["WAV", "silence", "truncated", "size never written", "RF64", "FLAC", "empty", "AVI", "JPEG"],
)
def test_the_header_says_whether_a_recording_is_complete(tmp_path: Path, data: bytes, expected: Shape | None) -> None:
    assert shape(tmp_path / "1", data) is expected


@pytest.mark.parametrize(("name", "data"), [("20260314_051500.WAV", WAV), ("1.flac", FLAC), ("2.wav", SILENCE)])
def test_recordings_stay_in_the_folder_unless_requested(tmp_path: Path, name: str, data: bytes) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / name).write_bytes(data)
    store = FakeStore()
    assert run(card, tmp_path / "s", store, camera="c").left == {"recording": 1}
    summary = run(card, tmp_path / "s", store, camera="c", extensions=EXTENSIONS, copy=True)
    assert (summary.uploaded, summary.partial, summary.left) == (1, 0, {})
    ((key, stored),) = store.objects.items()
    assert key.startswith("ridge/c/")
    assert is_recording_name(key)
    assert stored == data


def test_the_time_in_the_name_of_a_recording_is_kept_in_its_key(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "20260314_051500.WAV").write_bytes(WAV)
    store = FakeStore()
    run(tmp_path / "card", tmp_path / "s", store, camera="c", extensions=EXTENSIONS)
    (key,) = store.objects
    assert "20260314T051500" in key


def test_a_recording_is_waited_for_until_it_has_its_stated_size(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    path = card / "1.WAV"
    path.write_bytes(WAV[:3000])
    store, reporter = FakeStore(), RecordingReporter()
    deeds = [(30, lambda: path.write_bytes(WAV))]
    run(card, tmp_path / "s", store, reporter, extensions=EXTENSIONS, writer=deeds, grace=GracePeriod(60))
    assert (list(store.objects.values()), len(store.sent)) == ([WAV], 1)
    assert reporter.of("incomplete")[0]["error"] == "the recording has no end yet"
    assert rows(tmp_path / "s")[-1]["partial"] is None


@pytest.mark.parametrize(("name", "expected"), [("1.WAV", "audio/wav"), ("1.flac", "audio/flac")])
def test_a_recording_is_stored_with_its_content_type(name: str, expected: str) -> None:
    assert content_type(name) == expected


def command_line(folder: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """`uncia gateway watch --once` while nothing listens at the address of the store: exit status and events."""
    command = [sys.executable, "-m", "uncia", "gateway", "watch", str(folder), "--station", "ridge", "--once"]
    ended = subprocess.run(
        [*command, "--spool", str(folder.parent / "s"), "--settle", "0", "--give-up-after", "0.2", "--json", *options],
        env={"PATH": "/usr/bin:/bin", "UNCIA_S3_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SCALE * 30,
    )
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_command_line_takes_recordings_on_request_and_counts_them_otherwise(tmp_path: Path) -> None:
    recorder = tmp_path / "recorders" / "audio-02"
    recorder.mkdir(parents=True)
    (recorder / "20260314_051500.WAV").write_bytes(WAV)
    status, events = command_line(recorder.parent)
    assert (status, events[-1]["left"]) == (0, {"recording": 1})
    status, events = command_line(recorder.parent, "--recordings")
    assert (status, events[-1]["remaining"], events[-1]["left"]) == (1, 1, {})
