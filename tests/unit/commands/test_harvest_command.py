"""`uncia harvest`: what it refuses before anything is asked, and a local harvest from plan to dataset."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.training.harvest.public_sources import picture
from uncia.commands.harvest import app
from uncia.training.harvest import HarvestError


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def photographs(folder: Path) -> Path:
    for number, label in enumerate(("fox", "fox", "blank", "blank")):
        path = folder / label / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "no source"),
        (("--source", "flickr"), "unknown source"),
        (("--source", "gbif"), "--contact"),
        (("--source", "gbif", "--contact", "a\nb"), "--contact"),
        (("--local", "/nowhere"), "does not exist"),
        (("--source", "gbif", "--contact", "a@b.c", "--offline-names", "--licence", "gpl"), "unknown licence"),
        (("--source", "gbif", "--contact", "a@b.c", "--endpoint", "gbif=file:///etc"), "not an address"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(HarvestError, match=message):
        invoke("plan", str(tmp_path / "harvest"), "--taxon", "Vulpes vulpes", *options)
    assert not (tmp_path / "harvest").exists()


def test_a_local_folder_becomes_a_dataset(tmp_path: Path) -> None:
    source, folder = photographs(tmp_path / "photographs"), str(tmp_path / "harvest")
    invoke(
        *("plan", folder, "--taxon", "Vulpes vulpes=fox", "--local", str(source), "--local-licence", "own"),
        *("--habitat", "meadow", "--random-words", "0"),
    )
    result = json.loads(invoke("run", folder, "--quick", "--json"))
    assert result["pictures"] == 4
    status = json.loads(invoke("status", folder, "--json"))
    assert {(row["label"], row["state"], row["count"]) for row in status["pictures"]} == {
        ("fox", "stored", 2),
        ("blank", "stored", 2),
    }


def test_local_pictures_without_a_licence_are_refused_and_counted(tmp_path: Path) -> None:
    source, folder = photographs(tmp_path / "photographs"), str(tmp_path / "harvest")
    invoke("plan", folder, "--taxon", "Vulpes vulpes=fox", "--local", str(source), "--negatives", "0")
    result = json.loads(invoke("run", folder, "--quick", "--json"))
    assert [(row["reason"], row["count"]) for row in _pictures(folder)] == [("licence-missing", 2)]
    assert result["stored"] == 0


def _pictures(folder: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(invoke("status", folder, "--json"))["pictures"]
    return found


def test_a_folder_without_a_plan_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HarvestError, match="uncia harvest plan"):
        invoke("run", str(tmp_path))
