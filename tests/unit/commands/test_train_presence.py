"""`uncia train presence`: from photographs and a detector to a file of weights."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.unit.training.presence.tiny_detector import write_detector
from uncia.camtrap.presence import load_presence_model
from uncia.commands.train import app
from uncia.training import TrainingError

run = CliRunner()


def write_photographs(folder: Path, seed: int) -> Path:
    """Six bursts of three bright frames with an animal and six of dark blank ones."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    rows = ["path,label,burst"]
    for number in range(36):
        animal = number % 6 < 3
        grey = int(random.integers(90, 200) if animal else random.integers(5, 60))
        noise = random.integers(0, 20, (96, 128, 3)).astype(np.uint8)
        Image.fromarray(noise + np.uint8(grey)).save(folder / f"{number}.jpg", quality=95)
        rows.append(f"{number}.jpg,{'deer' if animal else 'empty'},b{number // 3}")
    (folder / "pictures.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    return write_detector(tmp_path / "detector")


def test_weights_are_written_and_reported_on_data_sets_that_were_left_out(tmp_path: Path, detector: Path) -> None:
    sources = [str(write_photographs(tmp_path / name, seed)) for seed, name in enumerate(("hill", "wood"))]
    out, cache = tmp_path / "presence.json", tmp_path / "cache"
    options = ["presence", *sources, "--detector", str(detector), "--out", str(out), "--cache", str(cache), "--json"]
    done = run.invoke(app, options)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["left_out"] == "dataset" and facts["unreadable"] == 0
    assert set(facts["figures"]) == {"hill", "wood"}
    assert facts["figures"]["wood"]["burst_auc"]["value"] == 1.0
    model = load_presence_model(out)
    assert model.id == facts["id"] and model.split_by_camera
    assert len(list(cache.iterdir())) == 72
    assert json.loads(run.invoke(app, options).stdout)["id"] == model.id


def test_the_table_names_each_data_set(tmp_path: Path, detector: Path) -> None:
    source = write_photographs(tmp_path / "hill", 1)
    done = run.invoke(
        app, ["presence", str(source / "pictures.csv"), "--detector", str(detector), "--out", str(tmp_path / "p.json")]
    )
    assert done.exit_code == 0, done.output
    assert "hill" in done.stdout
    assert "not split by camera" in done.stdout


def test_errors_are_reported_before_anything_long_begins(tmp_path: Path, detector: Path) -> None:
    source = str(write_photographs(tmp_path / "hill", 1))
    for options, message in (
        (["--out", str(tmp_path / "none" / "presence.json")], "there is no folder"),
        (["--out", str(tmp_path / "p.json"), "--detector", str(tmp_path / "none")], "is not a detector"),
    ):
        done = run.invoke(app, ["presence", source, "--detector", str(detector), *options])
        assert isinstance(done.exception, TrainingError)
        assert message in str(done.exception)
