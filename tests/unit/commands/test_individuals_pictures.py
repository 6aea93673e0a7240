"""`uncia individuals import FOLDER`: a folder of pictures per individual."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.unit.commands.test_individuals_command import Log, log, run
from tests.unit.processors.identify.builders import TAXON, coat
from uncia.camtrap.individuals import Individual
from uncia.commands import individuals_pictures
from uncia.errors import UnciaError
from uncia.storage.object_keys import is_derived_key

__all__ = ["log"]

Write = Callable[..., None]


class Store:
    """Keeps what is stored."""

    objects: ClassVar[dict[str, bytes]] = {}

    def __init__(self, _: Any) -> None:
        Store.objects = {}

    def put(self, _: str, key: str, data: bytes, *, content_type: str) -> str:
        assert content_type == "image/jpeg"
        Store.objects[key] = data
        return "etag"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes pictures by path and number of the coat."""
    monkeypatch.setattr(individuals_pictures, "ObjectStore", Store)

    def pictures(**coats: int) -> None:
        for path, seed in coats.items():
            file = tmp_path / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".jpg").write_bytes(coat(seed))

    return pictures


def imported(log: Log, folder: Path) -> dict[str, Individual]:
    run("import", str(folder), "--taxon", TAXON)
    return {each.label: each for each in log.state.current()}


def test_each_folder_is_an_individual_and_its_pictures_are_stored(log: Log, write: Write, tmp_path: Path) -> None:
    write(F07__a=1, F07__b=2, F08__a=3)
    found = imported(log, tmp_path)
    assert {name: len(each.sightings) for name, each in found.items()} == {"F07": 2, "F08": 1}
    assert {each.taxon for each in found.values()} == {TAXON}
    keys = {crop.key for each in found.values() for crop in each.crops}
    assert keys == set(Store.objects)
    assert all(is_derived_key(key) for key in keys)


def test_folders_below_say_the_side(log: Log, write: Write, tmp_path: Path) -> None:
    write(F07__left__a=1, F07__Right__b=2)
    assert imported(log, tmp_path)["F07"].sides == {"left", "right"}


def test_a_second_import_changes_nothing(log: Log, write: Write, tmp_path: Path) -> None:
    write(F07__a=1, F07__b=2)
    assert imported(log, tmp_path) == imported(log, tmp_path)


def test_the_same_picture_under_two_names_is_refused(log: Log, write: Write, tmp_path: Path) -> None:
    write(F07__a=1, F08__a=1)
    with pytest.raises(UnciaError, match=r"F07/a.jpg and F08/a.jpg are the same picture under two names"):
        imported(log, tmp_path)
    assert not log.decisions


def test_what_is_no_picture_of_an_individual_is_left_out(log: Log, write: Write, tmp_path: Path) -> None:
    write(F07__a=1, F07__b=1, loose=2)
    (tmp_path / "F07" / "notes.txt").write_text("seen often")
    (tmp_path / "F07" / "broken.jpg").write_bytes(b"nothing")
    assert "1 pictures of 1 individuals; 4 files left out" in run("import", str(tmp_path), "--taxon", TAXON)


@pytest.mark.parametrize("options", [[], ["--taxon", TAXON, "--format", "wildbook"]])
def test_a_folder_needs_a_taxon_alone(log: Log, tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(UnciaError, match="needs --taxon"):
        run("import", str(tmp_path), *options)


def test_an_empty_folder_is_refused(log: Log, tmp_path: Path) -> None:
    with pytest.raises(UnciaError, match="has no pictures"):
        run("import", str(tmp_path), "--taxon", TAXON)
