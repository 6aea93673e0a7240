"""`uncia train` and `uncia models ablate`, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.recipes.training.synthetic_data import write_table
from uncia.commands.models_ablate import ablate_command
from uncia.commands.train import app
from uncia.serving.model_card import read_model_card
from uncia.training import TrainingError


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    pytest.importorskip("torch")
    return write_table(tmp_path / "photographs", bursts=6)


def test_a_small_network_from_a_table_to_a_package(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "models" / "tiny"
    sizes = ["--width", "32", "--height", "24", "--epochs", "1"]
    done = CliRunner().invoke(app, ["small", str(folders), "--out", str(out), *sizes, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)

    assert result["classes"] == ["bar", "disc", "empty"]
    assert result["label_set"] == read_model_card(out).label_set
    assert {path.name for path in out.iterdir()} == {"model.onnx", "model.json", "labels.json", "card.html"}
    assert [path.name for path in out.parent.iterdir()] == ["tiny"], "no checkpoint is left behind"


def test_a_folder_whose_name_cannot_be_a_models_gives_it_one_that_can(folders: Path, tmp_path: Path) -> None:
    sizes = ["--width", "32", "--height", "24", "--epochs", "1"]
    done = CliRunner().invoke(app, ["small", str(folders), "--out", str(tmp_path / "Ridge-2"), *sizes])

    assert done.exit_code == 0, done.output
    assert read_model_card(tmp_path / "Ridge-2").model == "ridge_2"


def test_a_place_where_nothing_can_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["small", str(tmp_path / "gone"), "--out", str(tmp_path / "file" / "tiny")])

    assert isinstance(done.exception, TrainingError)
    assert str(done.exception) == f"{tmp_path / 'file'} is not writable: choose another folder with --out"


def test_a_folder_that_is_no_package_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("x")
    done = CliRunner().invoke(app, ["small", str(tmp_path), "--out", str(tmp_path / "thesis")])

    assert isinstance(done.exception, TrainingError) and "is not a model package" in str(done.exception)


def test_what_the_ablation_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no 'sideways': use whole, windows, crops"):
        ablate_command(tmp_path, look="whole,sideways", augment="none")


def test_the_front_door_opens_without_torch() -> None:
    program = "import sys, uncia.commands.train, uncia.commands.models; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
