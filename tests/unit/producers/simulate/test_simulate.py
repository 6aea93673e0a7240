"""Simulated stations: the plan, the photographs, and `truth.json`."""

import dataclasses
import hashlib
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.paths import SHARED
from uncia.commands.simulate import SceneRenderer, simulate
from uncia.imaging.exif import read_exif
from uncia.producers.simulate.exif import MAKER_NOTE
from uncia.producers.simulate.photograph import Photographer
from uncia.producers.simulate.plan import HEIGHT, WIDTH, Frame, plan


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "photographs"
    _simulate(folder, "--bursts", "2", "--stations", "2")
    return folder


def _simulate(folder: Path, *options: str) -> str:
    app = typer.Typer()
    app.command()(simulate)
    result = CliRunner().invoke(app, [str(folder), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def first() -> tuple[Frame, bytes]:
    frame = plan(seed=1, stations=1, bursts=1)[0][0]
    return frame, _photograph(frame)


def _photograph(frame: Frame) -> bytes:
    return Photographer(SceneRenderer(1, 1)).take(frame)[0]


def test_the_same_seed_plans_the_same_bursts() -> None:
    assert plan(seed=3, stations=3, bursts=9) == plan(seed=3, stations=3, bursts=9)
    assert plan(seed=3, stations=3, bursts=9) != plan(seed=4, stations=3, bursts=9)


def test_bursts_are_blank_or_show_the_cat_by_day_and_in_infrared() -> None:
    frames = [frame for camera in plan(seed=1, stations=3, bursts=9) for frame in camera]
    kinds = {(frame.pose is not None, frame.light.infrared) for frame in frames}
    assert {(True, True), (True, False)} < kinds
    assert {cat for cat, _ in kinds} == {True, False}


def test_frames_of_a_burst_are_within_a_second_and_bursts_over_an_hour_apart() -> None:
    for frames in plan(seed=1, stations=3, bursts=9):
        for before, after in pairwise(frames):
            apart = (after.time - before.time).total_seconds()
            assert 0 < apart < 1 if before.burst == after.burst else apart > 3600


def test_rendering_a_frame_again_gives_the_same_file(first: tuple[Frame, bytes]) -> None:
    assert _photograph(first[0]) == first[1]


def test_a_photograph_has_the_size_of_a_camera_traps(first: tuple[Frame, bytes]) -> None:
    assert Image.open(io.BytesIO(first[1])).size == (2048, 1440)
    assert 200_000 < len(first[1]) < 400_000


def test_exif_states_the_time_to_the_millisecond(first: tuple[Frame, bytes]) -> None:
    frame, data = first
    exif = read_exif(data)
    expected = frame.time.replace(microsecond=frame.time.microsecond // 1000 * 1000)
    assert (exif.time, exif.make, exif.warnings) == (expected, "RECONYX", ())


def test_the_maker_note_has_the_genuine_layout(first: tuple[Frame, bytes]) -> None:
    sample = SHARED / "samples" / "heron_burst" / "20210531082538-RCNX0031.JPG"
    if not sample.exists():
        pytest.skip("the genuine burst is not available")
    genuine, made = (read_exif(data).maker_note for data in (sample.read_bytes(), first[1]))
    assert genuine
    assert made
    assert made[:10] == genuine[:10] == b"RECONYXH2\0"
    assert made[0x34:0x3A] == genuine[0x34:0x36] + b"\1\0\5\0"
    assert genuine[0x50:0x52] == b"\2\0"  # degrees Celsius, at the same offset as ours
    assert int.from_bytes(made[0x50:0x52], "little", signed=True) == first[0].temperature_c


def test_only_the_reconyx_camera_writes_maker_notes(simulated: Path) -> None:
    notes = {path.parts[-3]: read_exif(path.read_bytes()).maker_note for path in simulated.glob("*/*/*0001.JPG")}
    assert notes["ridge"]
    assert notes["river"] is None
    assert MAKER_NOTE == 0x927C


def test_the_truth_lists_every_file(simulated: Path) -> None:
    truth = json.loads((simulated / "truth.json").read_text())
    files = {path.relative_to(simulated).as_posix() for path in simulated.glob("*/*/*")}
    assert {entry["path"] for entry in truth["photographs"]} == files


def test_the_truth_has_a_box_for_every_cat(simulated: Path) -> None:
    truth = json.loads((simulated / "truth.json").read_text())
    for entry in truth["photographs"]:
        if entry["label"] == "cat":
            x, y, width, height = entry["box"]
            assert 0 <= x < x + width <= 1
            assert 0 <= y < y + height <= 1
        else:
            assert entry["box"] is None


def test_the_faulty_files_are_as_the_truth_states(simulated: Path) -> None:
    truth = {entry["path"]: entry for entry in json.loads((simulated / "truth.json").read_text())["photographs"]}
    by_reason = {entry["rejected"]: simulated / path for path, entry in truth.items() if entry["rejected"]}
    assert set(by_reason) == {"image-truncated", "image-not-jpeg"}
    with Image.open(by_reason["image-truncated"]) as image, pytest.raises(OSError, match="truncated"):
        image.load()
    copy = next(entry for entry in truth.values() if entry["duplicate_of"])
    digests = {hashlib.sha256((simulated / copy[name]).read_bytes()).digest() for name in ("path", "duplicate_of")}
    assert len(digests) == 1


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(Exception, match="another folder"):
        _simulate(tmp_path)


def test_all_frames_of_a_burst_have_the_same_jpeg_quality() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    flat = Image.new("RGB", (WIDTH, HEIGHT), "grey")
    images = iter([Image.fromarray(noise).resize((WIDTH, HEIGHT)), flat, flat])
    photographer = Photographer(lambda frame: (next(images), None))
    first, second = plan(seed=1, stations=1, bursts=1)[0][:2]
    taken = [photographer.take(frame)[0] for frame in (first, second, dataclasses.replace(first, burst=2))]
    tables = [Image.open(io.BytesIO(data)).quantization for data in taken]  # type: ignore[attr-defined]
    assert tables[0] == tables[1] != tables[2]
