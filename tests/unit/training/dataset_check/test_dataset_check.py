"""The check of a data set, on data whose faults are known."""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from uncia.commands.data import app
from uncia.training import TrainingError
from uncia.training.dataset_check.classes import ClassCount, class_warnings
from uncia.training.dataset_check.contents import read_contents
from uncia.training.dataset_check.duplicates import DuplicateGroup, find_duplicates
from uncia.training.dataset_check.embeddings import embed_images
from uncia.training.dataset_check.findings import check_dataset
from uncia.training.dataset_check.html_report import render_report
from uncia.training.dataset_check.labels import find_label_issues
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import Split
from uncia.training.progress import ProgressCallback


def shot(path: Path, seed: int, *, noise: int = 0, quality: int = 92, size: tuple[int, int] = (160, 120)) -> Path:
    """A blotchy picture; another `noise` is another shot of the same scene."""
    rng = np.random.default_rng(seed)
    blotches = Image.fromarray(rng.integers(30, 220, (6, 8), np.uint8)).resize((160, 120), Image.Resampling.BICUBIC)
    grain = np.random.default_rng([seed, noise]).normal(0, 26, (120, 160))
    grey = np.clip(np.asarray(blotches, float) + np.kron(grain[:15, :20], np.ones((8, 8))), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).resize(size).save(path, "JPEG", quality=quality)
    return path


def duplicates(data: Dataset, split: Split | None = None) -> list[DuplicateGroup]:
    contents, broken = read_contents([picture.path for picture in data.samples])
    assert broken == []
    return find_duplicates(data.samples, contents, split)


def test_files_that_cannot_be_read_are_told_with_their_reason(tmp_path: Path) -> None:
    shot(tmp_path / "fox" / "1.jpg", 1)
    (tmp_path / "fox" / "2.jpg").write_bytes(b"")
    (tmp_path / "yak").mkdir()
    (tmp_path / "yak" / "3.jpg").write_bytes(shot(tmp_path / "fox" / "1.jpg", 1).read_bytes()[:900])
    found = check_dataset(read_dataset(tmp_path), None)
    assert {one.path.name: one.reason for one in found.unreadable} == {
        "2.jpg": "image-empty",
        "3.jpg": "image-truncated",
    }
    assert found.must_be_mended


def test_exact_copies_are_found_and_a_contradiction_is_told(tmp_path: Path) -> None:
    data = shot(tmp_path / "fox" / "1.jpg", 1).read_bytes()
    (tmp_path / "yak").mkdir()
    (tmp_path / "yak" / "copy.jpg").write_bytes(data)
    shot(tmp_path / "yak" / "other.jpg", 2)
    (group,) = duplicates(read_dataset(tmp_path))
    assert (group.kind, [path.name for path in group.paths]) == ("exact", ["1.jpg", "copy.jpg"])
    assert group.labels == ("fox", "yak")
    assert group.contradict


@pytest.mark.parametrize("other", [{"quality": 60}, {"size": (80, 60)}])
def test_a_shot_that_was_saved_again_is_a_near_copy(tmp_path: Path, other: dict[str, int]) -> None:
    shot(tmp_path / "fox" / "1.jpg", 1)
    shot(tmp_path / "fox" / "again.jpg", 1, **other)  # type: ignore[arg-type]
    shot(tmp_path / "fox" / "else.jpg", 2)
    (group,) = duplicates(read_dataset(tmp_path))
    assert (group.kind, [path.name for path in group.paths]) == ("near", ["1.jpg", "again.jpg"])
    assert not group.contradict


def test_another_shot_of_the_same_scene_is_no_copy(tmp_path: Path) -> None:
    for noise in range(4):
        shot(tmp_path / "nothing" / f"{noise}.jpg", 1, noise=noise)
    assert duplicates(read_dataset(tmp_path)) == []


def test_a_step_of_the_animal_makes_another_shot(tmp_path: Path) -> None:
    for number in range(2):
        path = shot(tmp_path / "fox" / f"{number}.jpg", 1)
        with Image.open(path) as scene:
            scene.paste(20, (60 + 8 * number, 60, 76 + 8 * number, 72))
            scene.save(path, quality=92)
    assert duplicates(read_dataset(tmp_path)) == []


def test_frames_of_one_burst_are_no_copies(tmp_path: Path) -> None:
    paths = [shot(tmp_path / f"{number}.jpg", 1, quality=90 + number) for number in range(2)]
    assert duplicates(Dataset(tuple(Sample(path, "fox", "b1", "c1") for path in paths), "test")) == []


def test_black_frames_are_no_copies(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (160, 120), number).save(tmp_path / f"{number}.png")
    pictures = tuple(Sample(path, "nothing", path.name, "c1") for path in sorted(tmp_path.iterdir()))
    assert duplicates(Dataset(pictures, "test")) == []


def test_copies_on_two_sides_of_a_split_are_told(tmp_path: Path) -> None:
    first, second = (Sample(shot(tmp_path / f"{number}.jpg", 1), "fox", f"b{number}", "c1") for number in range(2))
    (group,) = duplicates(Dataset((first, second), "test"), Split((first,), (), (second,)))
    assert group.sides == ("train", "test")


def counts(**bursts: int) -> list[ClassCount]:
    return [ClassCount(label, "nothing" if label == "empty" else "animal", n, n, 3) for label, n in bursts.items()]


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (counts(fox=20), "fox is the only class"),
        (counts(fox=20, empty=1), "empty has 1 burst (1 pictures): too few"),
        (counts(fox=2000, empty=10), "very unequal: fox has 2,000 bursts, empty 10"),
        (counts(fox=20, yak=20), "no empty frames"),
        ([*counts(empty=30), ClassCount("yak", "animal", 9, 9, 1)], "all of yak is from one camera"),
        ([*counts(empty=30), *counts(fox=20), *counts(Fox=20)], "Fox and fox look like one class"),
    ],
)
def test_classes_that_nothing_can_be_learnt_from_are_told(classes: list[ClassCount], sentence: str) -> None:
    assert any(sentence in said for said in class_warnings(classes, cameras=3))


def test_even_classes_are_not_blamed() -> None:
    assert class_warnings(counts(fox=20, yak=18, empty=30), cameras=3) == []


def clusters(bursts: int = 16, frames: int = 3) -> tuple[list[Sample], NDArray[np.float32]]:
    """Two classes that a line parts, in bursts."""
    rng = np.random.default_rng(1)
    labels = [("fox", "yak")[burst % 2] for burst in range(bursts) for _ in range(frames)]
    pictures = [Sample(Path(f"{n:03}.jpg"), label, f"b{n // frames}", "c1") for n, label in enumerate(labels)]
    side = np.array([1 if label == "fox" else -1 for label in labels])[:, None]
    return pictures, (rng.normal(0, 1, (len(labels), 8)) + 1.5 * side).astype(np.float32)


def test_a_mislabelled_burst_is_found_though_its_frames_agree() -> None:
    pictures, features = clusters()
    wrong = [one if one.burst != "b4" else Sample(one.path, "yak", one.burst, "c1") for one in pictures]
    doubts = find_label_issues(wrong, features)
    assert {doubt.path for doubt in doubts[:3]} == {one.path for one in pictures if one.burst == "b4"}
    assert all((doubt.label, doubt.rather) == ("yak", "fox") for doubt in doubts[:3])


def test_right_labels_are_hardly_doubted() -> None:
    pictures, features = clusters()
    assert len(find_label_issues(pictures, features)) <= 2


def test_doubts_are_the_same_every_time() -> None:
    pictures, features = clusters(8)
    assert find_label_issues(pictures, features) == find_label_issues(pictures, features)


def test_two_animals_on_one_picture_are_no_doubt() -> None:
    pictures, features = clusters()
    both = [*pictures, *(Sample(one.path, "yak", one.burst, "c1") for one in pictures if one.label == "fox")]
    rows = np.concatenate([np.arange(len(pictures)), [n for n, one in enumerate(pictures) if one.label == "fox"]])
    assert not {doubt.path for doubt in find_label_issues(both, features, rows)} & {
        one.path for one in pictures if one.label == "fox"
    }


def test_one_class_alone_is_not_judged() -> None:
    pictures, features = clusters(6)
    assert find_label_issues([Sample(one.path, "fox", one.burst, "c1") for one in pictures], features) == []


def seen_by_brightness(
    paths: Sequence[Path], progress: ProgressCallback | None = None
) -> tuple[list[Path], NDArray[np.float32]]:
    """Stands in for the network."""
    return list(paths), np.array([[np.asarray(Image.open(path)).mean()] for path in paths], np.float32)


def test_the_network_sees_each_picture_that_can_be_read(tmp_path: Path) -> None:
    paths = [shot(tmp_path / f"{number}.jpg", number) for number in range(2)]
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    found, features = embed_images([paths[0], tmp_path / "broken.jpg", paths[1]], tmp_path / "cache")
    again, kept = embed_images(paths, tmp_path / "cache")
    assert found == again == paths
    assert features.shape == (2, 1280)
    assert np.array_equal(features, kept)
    assert not np.array_equal(features[0], features[1])


def test_no_room_for_what_the_network_sees_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("uncia.training.dataset_check.embeddings.tempfile.TemporaryFile", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*: make room or name another folder"):
        embed_images([shot(tmp_path / "1.jpg", 1)], tmp_path / "cache")


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    for label, grey in (("day", 200), ("night", 40)):
        for number in range(12):
            path = tmp_path / "data" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (40, 30), grey + number).save(path)
    Image.new("L", (40, 30), 37).save(tmp_path / "data" / "day" / "wrong <i>.png")
    (tmp_path / "data" / "day" / "broken.jpg").write_bytes(b"nothing")
    return tmp_path / "data"


def test_the_page_shows_what_was_found_and_needs_nothing_else(faulty: Path) -> None:
    page = render_report(check_dataset(read_dataset(faulty), seen_by_brightness), faulty)
    assert "day/wrong &lt;i&gt;.png" in page
    assert "day/broken.jpg" in page
    assert page.count("data:image/jpeg;base64,") >= 1
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_the_command_tells_and_ends_with_1_where_something_must_be_mended(faulty: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["check", str(faulty), "--quick", "--json", "--output", str(page)])
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["must_be_mended"] is True
    assert [Path(one["path"]).name for one in told["unreadable"]] == ["broken.jpg"]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_command_ends_well_where_nothing_must_be_mended(faulty: Path, tmp_path: Path) -> None:
    (faulty / "day" / "broken.jpg").unlink()
    done = CliRunner().invoke(app, ["check", str(faulty), "--quick", "--output", str(tmp_path / "page.html")])
    assert done.exit_code == 0
    assert "12" in done.stdout
    assert io.StringIO(done.stdout).readline().startswith("class folders data")
