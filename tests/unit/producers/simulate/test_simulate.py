"""The simulator's plan, its photographs, and the truth beside them."""

import hashlib
import io
import json
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.paths import SHARED
from uncia.commands.simulate import simulate
from uncia.imaging.exif import read_exif
from uncia.producers.simulate.exif import MAKER_NOTE
from uncia.producers.simulate.photograph import Darkroom
from uncia.producers.simulate.plan import Frame, plan


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "photographs"
    _play(folder, "--bursts", "2", "--stations", "2")
    return folder


def _play(folder: Path, *options: str) -> str:
    app = typer.Typer()
    app.command()(simulate)
    told = CliRunner().invoke(app, [str(folder), *options], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.output


@pytest.fixture(scope="module")
def first() -> tuple[Frame, bytes]:
    frame = plan(seed=1, stations=1, bursts=1)[0][0]
    return frame, Darkroom(1).make(frame)[0]


def test_the_same_seed_plans_the_same_bursts() -> None:
    assert plan(seed=3, stations=3, bursts=9) == plan(seed=3, stations=3, bursts=9)
    assert plan(seed=3, stations=3, bursts=9) != plan(seed=4, stations=3, bursts=9)


def test_there_are_blank_bursts_and_cats_by_day_and_in_infrared() -> None:
    frames = [frame for camera in plan(seed=1, stations=3, bursts=9) for frame in camera]
    kinds = {(frame.pose is not None, frame.light.infrared) for frame in frames}
    assert {(True, True), (True, False)} < kinds
    assert {cat for cat, _ in kinds} == {True, False}


def test_frames_of_a_burst_are_close_and_bursts_far_apart() -> None:
    for frames in plan(seed=1, stations=3, bursts=9):
        for before, after in pairwise(frames):
            apart = (after.time - before.time).total_seconds()
            assert 0 < apart < 1 if before.burst == after.burst else apart > 3600


def test_the_same_frame_is_the_same_file(first: tuple[Frame, bytes]) -> None:
    assert Darkroom(1).make(first[0])[0] == first[1]


def test_a_photograph_has_a_cameras_size(first: tuple[Frame, bytes]) -> None:
    assert Image.open(io.BytesIO(first[1])).size == (2048, 1440)
    assert 200_000 < len(first[1]) < 400_000


def test_exif_has_the_time_to_the_millisecond(first: tuple[Frame, bytes]) -> None:
    frame, data = first
    exif = read_exif(data)
    expected = frame.time.replace(microsecond=frame.time.microsecond // 1000 * 1000)
    assert (exif.time, exif.make, exif.warnings) == (expected, "RECONYX", ())


def test_the_maker_note_has_the_genuine_layout(first: tuple[Frame, bytes]) -> None:
    sample = SHARED / "samples" / "heron_burst" / "20210531082538-RCNX0031.JPG"
    if not sample.exists():
        pytest.skip("the genuine burst is not beside this checkout")
    genuine, made = (read_exif(data).maker_note for data in (sample.read_bytes(), first[1]))
    assert genuine
    assert made
    assert made[:10] == genuine[:10] == b"RECONYXH2\0"
    assert made[0x34:0x3A] == genuine[0x34:0x36] + b"\1\0\5\0"
    assert genuine[0x50:0x52] == b"\2\0"  # degrees, which stand where ours stand
    assert int.from_bytes(made[0x50:0x52], "little", signed=True) == first[0].temperature_c


def test_only_the_reconyx_writes_maker_notes(played: Path) -> None:
    notes = {path.parts[-3]: read_exif(path.read_bytes()).maker_note for path in played.glob("*/*/*0001.JPG")}
    assert notes["ridge"]
    assert notes["river"] is None
    assert MAKER_NOTE == 0x927C


def test_every_file_stands_in_the_truth(played: Path) -> None:
    truth = json.loads((played / "truth.json").read_text())
    files = {path.relative_to(played).as_posix() for path in played.glob("*/*/*")}
    assert {entry["path"] for entry in truth["photographs"]} == files


def test_the_truth_tells_where_the_cat_is(played: Path) -> None:
    truth = json.loads((played / "truth.json").read_text())
    for entry in truth["photographs"]:
        if entry["label"] == "cat":
            x, y, width, height = entry["box"]
            assert 0 <= x < x + width <= 1
            assert 0 <= y < y + height <= 1
        else:
            assert entry["box"] is None


def test_the_broken_files_are_what_the_truth_says(played: Path) -> None:
    truth = {entry["path"]: entry for entry in json.loads((played / "truth.json").read_text())["photographs"]}
    by_reason = {entry["rejected"]: played / path for path, entry in truth.items() if entry["rejected"]}
    assert set(by_reason) == {"image-truncated", "image-not-jpeg"}
    with Image.open(by_reason["image-truncated"]) as image, pytest.raises(OSError, match="truncated"):
        image.load()
    copy = next(entry for entry in truth.values() if entry["duplicate_of"])
    digests = {hashlib.sha256((played / copy[name]).read_bytes()).digest() for name in ("path", "duplicate_of")}
    assert len(digests) == 1


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(Exception, match="another folder"):
        _play(tmp_path)
