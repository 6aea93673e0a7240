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
def photograph_folder(tmp_path: Path) -> Path:
    pytest.importorskip("torch")
    return write_table(tmp_path / "photographs", bursts=6)


def test_train_small_turns_a_table_into_a_package(photograph_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "models" / "tiny"
    sizes = ["--width", "32", "--height", "24", "--epochs", "1"]
    completed = CliRunner().invoke(app, ["small", str(photograph_folder), "--out", str(out), *sizes, "--json"])
    assert completed.exit_code == 0, completed.output
    result = json.loads(completed.stdout)

    assert result["classes"] == ["bar", "disc", "empty"]
    assert result["label_set"] == read_model_card(out).label_set
    assert {path.name for path in out.iterdir()} == {"model.onnx", "model.json", "labels.json", "card.html"}
    assert [path.name for path in out.parent.iterdir()] == ["tiny"], "no checkpoint is left behind"


def test_the_model_name_is_a_valid_form_of_the_output_folders_name(photograph_folder: Path, tmp_path: Path) -> None:
    sizes = ["--width", "32", "--height", "24", "--epochs", "1"]
    completed = CliRunner().invoke(app, ["small", str(photograph_folder), "--out", str(tmp_path / "Ridge-2"), *sizes])

    assert completed.exit_code == 0, completed.output
    assert read_model_card(tmp_path / "Ridge-2").model == "ridge_2"


def test_an_output_folder_that_is_not_writable_is_refused_before_the_dataset_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    completed = CliRunner().invoke(app, ["small", str(tmp_path / "gone"), "--out", str(tmp_path / "file" / "tiny")])

    assert isinstance(completed.exception, TrainingError)
    assert str(completed.exception) == f"{tmp_path / 'file'} is not writable: choose another folder with --out"


def test_an_output_folder_that_is_not_a_package_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("x")
    completed = CliRunner().invoke(app, ["small", str(tmp_path), "--out", str(tmp_path / "thesis")])

    assert isinstance(completed.exception, TrainingError) and "is not a model package" in str(completed.exception)


def test_an_unknown_input_mode_of_the_ablation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no 'sideways': use whole, windows, crops"):
        ablate_command([tmp_path], look="whole,sideways", augment="none")


def test_the_commands_can_be_imported_without_torch() -> None:
    program = "import sys, uncia.commands.train, uncia.commands.models; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
