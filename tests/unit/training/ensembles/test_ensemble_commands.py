"""`uncia models ensemble | join | stack-bursts | calibrate`, from packages and a folder of photographs to files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.unit.training.ensembles.tiny_packages import tiny_package
from uncia.commands.models import app
from uncia.errors import SettingsError
from uncia.processors.bursts.stacked_ensemble import load_stacked_model
from uncia.triton_models.packages.loading import open_package

RED, GREEN, GREY = (230, 30, 30), (30, 220, 30), (90, 90, 90)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two packages, and a table of thirty bursts: red ones are foxes, green ones lynxes, grey ones empty."""
    folder = tmp_path_factory.mktemp("home")
    tiny_package(folder / "one", 1)
    tiny_package(folder / "two", 2)
    lines = ["path,label,burst,camera"]
    chance = np.random.default_rng(5)
    for burst in range(30):
        label, colour = (("fox", RED), ("lynx", GREEN), ("empty", GREY))[burst % 3]
        for frame in range(2):
            pixels = np.clip(np.array(colour) + chance.normal(0, 12, (108, 128, 3)), 0, 255).astype(np.uint8)
            name = f"{burst:02}-{frame}.jpg"
            Image.fromarray(pixels).save(folder / name)
            lines.append(f"{name},{label},b{burst},c{burst % 4}")
    (folder / "pictures.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run_json(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_an_ensemble_is_a_package(home: Path, tmp_path: Path) -> None:
    facts = run_json(
        "ensemble", home / "one", home / "two", "--views", "mirror", "--rule", "mean", "--out", tmp_path / "made"
    )
    assert facts["parts"] == ["one: plain", "one: plain, mirrored", "two: plain", "two: plain, mirrored"]
    assert open_package(tmp_path / "made").card.model == "made"


def test_the_command_compares_the_parts(home: Path, tmp_path: Path) -> None:
    rule = ("--rule", "stacked", "--learn-on", home / "pictures.csv")
    facts = run_json("ensemble", home / "one", home / "two", *rule, "--out", tmp_path / "made")
    assert [line["what"] for line in facts["lines"]] == ["all 2, stacked", "one alone", "two alone"]


def test_a_rule_that_there_is_not_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="log-odds"):
        run_json("ensemble", home / "one", "--rule", "median", "--out", tmp_path / "made")


def test_models_are_joined(home: Path, tmp_path: Path) -> None:
    tiny_package(tmp_path / "groups", 3, labels=("animal", "nothing"))
    run_json("join", home / "one", tmp_path / "groups", "--out", tmp_path / "made")
    assert len(open_package(tmp_path / "made").card.labels.classes) == 5


def test_what_is_learnt_over_bursts_is_what_the_worker_reads(home: Path, tmp_path: Path) -> None:
    run_json("stack-bursts", home / "one", home / "pictures.csv", "--all", "--out", tmp_path / "weights.json")
    labels = open_package(home / "one").card.labels
    model = load_stacked_model(tmp_path / "weights.json", {labels.id: labels}.get)
    assert [entry.label for entry in model.classes] == ["fox", "lynx", "empty"]


def test_a_package_is_calibrated_on_the_held_out_bursts(home: Path, tmp_path: Path) -> None:
    facts = run_json("calibrate", home / "one", home / "pictures.csv", "--all", "--out", tmp_path / "made")
    labels = open_package(tmp_path / "made").card.labels
    assert facts["label_set"] == labels.id != open_package(home / "one").card.label_set
    assert "30 held-out bursts" in labels.source


def test_two_promises_at_once_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not both"):
        run_json(
            "calibrate", home / "one", home, "--precision", "0.9", "--false-alarms", "1", "--out", tmp_path / "made"
        )
