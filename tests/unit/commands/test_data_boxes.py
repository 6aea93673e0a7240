"""`uncia data boxes` and `uncia train detector`: errors are reported before anything long begins."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from uncia.commands.data import app as data
from uncia.commands.train import app as train
from uncia.training import TrainingError

run = CliRunner()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A burst in which a square walks, and three blanks, as class folders."""
    random = np.random.default_rng(2)
    scene = random.integers(40, 120, (120, 160, 3)).astype(np.uint8)
    rows = ["path,label,burst"]
    for number in range(7):
        pixels = scene.copy()
        if number < 4:
            pixels[40:70, 10 + 35 * number : 40 + 35 * number] = 220
        Image.fromarray(pixels).save(tmp_path / f"{number}.jpg", quality=95)
        rows.append(f"{number}.jpg,{'deer' if number < 4 else 'empty'},b{number // 4}")
    (tmp_path / "pictures.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_boxes_by_movement_are_written_and_the_journal_is_removed(photographs: Path) -> None:
    out = photographs / "boxes.json"
    done = run.invoke(data, ["boxes", str(photographs), "--out", str(out), "--sources", "movement", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["boxes"] == 4 and facts["blank"] == 3 and facts["overlap"] == {}
    assert not (photographs / ".boxes.json.journal").exists()
    first = out.read_bytes()
    run.invoke(data, ["boxes", str(photographs), "--out", str(out), "--sources", "movement", "--json"])
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sources", "tea leaves"], "no source 'tea leaves'; choose from lime, windows, movement, detector"),
        (["--sources", ","], "no source"),
        (["--sources", "detector", "--detector", "nowhere"], "nowhere is not a detector's package"),
        (["--sources", "lime", "--package", "nowhere"], "nowhere is not a model package"),
        (["--kind", "folders"], "no labelled images"),
    ],
)
def test_wrong_options_are_refused(photographs: Path, options: list[str], message: str) -> None:
    done = run.invoke(data, ["boxes", str(photographs), "--out", str(photographs / "boxes.json"), *options])
    assert done.exit_code != 0
    assert message in str(done.exception)


def test_photographs_without_boxes_cannot_train_a_detector(photographs: Path) -> None:
    done = run.invoke(train, ["detector", str(photographs), "--out", str(photographs / "package"), "--json"])
    assert isinstance(done.exception, TrainingError)
    assert "uncia data boxes" in str(done.exception)


def test_missing_weights_name_the_remedy(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = photographs / "boxes.json"
    run.invoke(data, ["boxes", str(photographs), "--out", str(boxes), "--sources", "movement", "--json"])
    weights = str(photographs / "none.pth")
    done = run.invoke(
        train, ["detector", str(boxes), "--out", str(photographs / "package"), "--weights", weights, "--json"]
    )
    assert isinstance(done.exception, TrainingError)
    assert "make setup" in str(done.exception)
