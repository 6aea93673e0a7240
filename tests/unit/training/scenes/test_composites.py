"""Data sets that are drawn: the truth is known, and the same recipe draws the same files."""

import csv
import errno
import hashlib
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from uncia.commands.data import app
from uncia.imaging.exif import read_exif
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame
from uncia.training.datasets import DataError
from uncia.training.datasets.readers.burst_grouping import assign_bursts
from uncia.training.datasets.reading import read_dataset
from uncia.training.scenes import cut_outs
from uncia.training.scenes.plan import CompositeRecipe, plan
from uncia.training.scenes.rendering import render_dataset

TINY = CompositeRecipe(bursts=14, cameras=3, width=128, height=96, classes=("cat", "person"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composites") / "data"
    render_dataset(folder, TINY, stamps=None, root=None)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_table_tells_all_and_is_read(drawn: Path) -> None:
    data = read_dataset(drawn)
    assert data.labels == ("cat", "nothing", "person")
    assert len({one.camera for one in data.samples}) == 3
    assert len({one.burst for one in data.samples}) == 14
    assert {one.path for one in data.samples} == set(drawn.rglob("*.JPG"))


def test_an_animal_has_a_box_of_the_asked_size_and_nothing_has_none(drawn: Path) -> None:
    for one in read_dataset(drawn).samples:
        assert (one.box is None) == (one.label == "nothing")
        if one.box:
            x, y, width, height = one.box
            assert 0 <= x < x + width <= 1.001
            assert 0 <= y < y + height <= 1.001
            # A share of it may be hidden by grass and trunks, and a smear adds some.
            assert 0.005 < width * height < 0.25


def test_the_difference_to_an_empty_frame_is_where_the_box_is(tmp_path: Path) -> None:
    """A day burst against the mean of the same burst's other frames: what moved is the animal."""
    recipe = CompositeRecipe(
        bursts=6, cameras=1, width=128, height=96, classes=("cat",), empty=0, night=0, frames=(1, 1)
    )
    render_dataset(tmp_path / "with", recipe, stamps=None, root=None)
    pictures = read_dataset(tmp_path / "with").samples
    frames = np.stack([np.asarray(Image.open(one.path).convert("L"), float) for one in pictures])
    usual = np.median(frames, axis=0)
    for one, frame in zip(pictures, frames, strict=True):
        assert one.box is not None
        x, y, width, height = one.box
        change = np.abs((frame - frame.mean()) - (usual - usual.mean()))[8:88]
        inside = np.zeros((96, 128), bool)
        inside[int(y * 96) : int((y + height) * 96), int(x * 128) : int((x + width) * 128)] = True
        assert change[inside[8:88]].mean() > 1.3 * change[~inside[8:88]].mean()


def test_the_animal_moves_through_a_burst() -> None:
    moved = [
        abs(earlier.x - later.x)
        for burst in plan(CompositeRecipe(bursts=40), ("cat",), "nothing")
        for earlier, later in pairwise(burst.poses)
        if earlier and later
    ]
    assert np.mean(np.array(moved) > 0.01) > 0.4


def test_exif_tells_the_time_and_camera_of_the_table(drawn: Path) -> None:
    for one in read_dataset(drawn).samples[:6]:
        exif = read_exif(one.path.read_bytes())
        assert exif.time == one.taken
        assert exif.serial == one.camera.replace("/", "-").upper()
        assert exif.warnings == ()


def test_the_stream_reads_the_files(drawn: Path) -> None:
    path = next(drawn.rglob("*.JPG"))
    assert decode_frame(path.read_bytes(), FrameSpec(), max_pixels=10**6).photo_width == 128


def test_bursts_are_found_again_by_exif_alone(drawn: Path) -> None:
    told = read_dataset(drawn).samples
    blind = [type(one)(one.path, one.label, "", "") for one in told]
    found: dict[str, set[str]] = defaultdict(set)
    for one, other in zip(told, assign_bursts(blind), strict=True):
        found[one.burst].add(other.burst)
    assert all(len(names) == 1 for names in found.values())
    assert len(set.union(*found.values())) == 14


def test_the_same_recipe_draws_the_same_files(drawn: Path, tmp_path: Path) -> None:
    render_dataset(tmp_path / "again", TINY, stamps=None, root=None)
    assert contents(tmp_path / "again") == contents(drawn)


def test_what_was_drawn_before_is_left_as_it_is(drawn: Path) -> None:
    before = contents(drawn)
    assert render_dataset(drawn, TINY, stamps=None, root=None).fresh is False
    assert contents(drawn) == before


def test_a_folder_with_anything_else_is_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name another folder"):
        render_dataset(drawn, CompositeRecipe(bursts=3, width=64, height=48), stamps=None, root=None)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="name another folder"):
        render_dataset(tmp_path, TINY, stamps=None, root=None)


def test_a_drawing_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_dataset(tmp_path / "data", TINY, stamps=None, root=None, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match="cannot be written: No space left"):
        render_dataset(tmp_path / "data", TINY, stamps=None, root=None, progress=full)
    assert list(tmp_path.iterdir()) == []


def test_whoever_reads_it_is_told_that_it_was_drawn(drawn: Path) -> None:
    assert "no photographs from the field" in read_dataset(drawn).source


def test_the_command_draws_and_tells_what(tmp_path: Path) -> None:
    arguments = ["draw", str(tmp_path / "data"), "--bursts", "2", "--cameras", "1", "--size", "64x48", "--json"]
    told = json.loads(CliRunner().invoke(app, [*arguments, "--classes", "nothing"]).stdout)
    assert (told["bursts"], told["labels"], told["fresh"]) == (2, ["nothing"], True)


def test_stamps_that_are_not_there_are_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["draw", str(tmp_path / "data"), "--stamps", str(tmp_path)])
    assert "no folder `animals`" in str(done.exception)


def test_labels_cameras_and_nights_are_dealt_evenly() -> None:
    bursts = plan(CompositeRecipe(bursts=120, cameras=4), ("cat", "person", "vehicle"), "nothing")
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for burst in bursts:
        counts[burst.label][burst.infrared] += 1
    assert {label: sum(both) for label, both in counts.items()} == dict.fromkeys(counts, 30)
    assert all(min(both) >= 5 for both in counts.values())


def test_no_two_bursts_of_any_camera_are_within_the_gap() -> None:
    bursts = sorted(plan(CompositeRecipe(bursts=200, cameras=2), ("cat",), "nothing"), key=lambda burst: burst.taken)
    ends = [burst.time(len(burst.poses) - 1) for burst in bursts]
    assert min((later.taken - end).total_seconds() for end, later in zip(ends, bursts[1:], strict=False)) > 60


@pytest.mark.parametrize(
    "wrong", [{"bursts": 0}, {"things": 1.1}, {"area": (0.2, 0.1)}, {"width": 3}, {"frames": (4, 2)}]
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError, match="nothing can be drawn"):
        CompositeRecipe(**wrong)  # type: ignore[arg-type]


def test_an_unknown_class_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(DataError, match="there are cat, horse, person, vehicle, nothing"):
        cut_outs.load_cut_outs(("unicorn",), stamps=None)


def test_without_the_stamps_there_are_four_cut_outs() -> None:
    assert sorted(cut_outs.load_cut_outs(stamps=None).by_label) == ["cat", "horse", "person", "vehicle"]


def test_the_usual_classes_are_in_the_stamps_table() -> None:
    with (Path(cut_outs.__file__).parent / "stamps.csv").open(newline="") as file:
        assert set(cut_outs.DEFAULT_CLASSES) <= {row["label"] for row in csv.DictReader(file)}


def test_every_line_of_the_stamps_table_has_a_group_and_a_path() -> None:
    with (Path(cut_outs.__file__).parent / "stamps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {"animal", "person", "vehicle"}
    assert len({row["file"] for row in rows}) == len(rows)
    assert all(row["taxon"] or row["group"] == "vehicle" for row in rows)
    assert not any("cartoon" in row["file"] for row in rows)
