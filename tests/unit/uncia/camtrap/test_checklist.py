"""The taxa that can occur: from text files and Camtrap DP packages, by station and camera."""

import json
from pathlib import Path
from typing import Any

import pytest

from uncia.camtrap.checklist import Checklists, read_checklist
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError

TAXONOMY = Taxonomy.load()


def text_file(folder: Path, text: str, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def package(folder: Path, taxonomic: Any) -> Path:
    return text_file(folder, json.dumps({"resources": [], "taxonomic": taxonomic}), "datapackage.json")


def test_a_text_file_has_one_taxon_a_line_and_comments(tmp_path: Path) -> None:
    allowed = read_checklist(text_file(tmp_path, "# mammals\nPanthera  uncia # rare\n\nCanidae\n"), TAXONOMY)
    assert allowed.listed == {"Panthera uncia", "Canidae"}
    permitted = ["Panthera uncia", "Felidae", "Animalia", "Vulpes vulpes", "Lynx", "Panthera onca"]
    assert [TAXONOMY.permits(allowed, taxon) for taxon in permitted] == [True, True, True, True, False, False]


def test_the_scope_of_a_camtrap_dp_package_is_a_list(tmp_path: Path) -> None:
    scope = [
        {"scientificName": "Panthera uncia", "taxonRank": "species", "vernacularNames": {"eng": "snow leopard"}},
        {"scientificName": "Moschus leucogaster", "family": "Moschidae", "order": "Artiodactyla"},
        "odd",
        {"taxonID": "1"},
    ]
    allowed = read_checklist(package(tmp_path, scope), TAXONOMY)
    assert allowed.listed == {"Panthera uncia", "Moschus leucogaster"}
    assert TAXONOMY.permits(allowed, "Moschidae")
    assert not TAXONOMY.permits(allowed, "Cervidae")


def test_names_that_are_unknown_do_no_harm_among_known_ones(tmp_path: Path) -> None:
    allowed = read_checklist(text_file(tmp_path, "Lynx lynx\nSnarkus boojum\n"), TAXONOMY)
    assert TAXONOMY.permits(allowed, "Lynx lynx")


@pytest.mark.parametrize("text", ["", "# nothing\n", "wolf\nbear\n"])
def test_a_list_without_a_known_taxon_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="taxon"):
        read_checklist(text_file(tmp_path, text), TAXONOMY)


@pytest.mark.parametrize("scope", [None, [], {}, "all"])
def test_a_package_without_a_scope_is_refused(tmp_path: Path, scope: Any) -> None:
    with pytest.raises(SettingsError, match="empty"):
        read_checklist(package(tmp_path, scope), TAXONOMY)


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_checklist(tmp_path / "none.txt", TAXONOMY)
    (tmp_path / "latin.txt").write_bytes(b"Lynx lynx # f\xe9lin\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_checklist(tmp_path / "latin.txt", TAXONOMY)
    with pytest.raises(SettingsError, match="not JSON"):
        read_checklist(text_file(tmp_path, "{", "datapackage.json"), TAXONOMY)


def test_the_list_of_a_camera_goes_before_that_of_its_station_before_the_general_one(tmp_path: Path) -> None:
    places = {name: text_file(tmp_path, f"{taxon}\n", f"{taxon}.txt") for name, taxon in PLACES.items()}
    lists = Checklists(TAXONOMY, text_file(tmp_path, "Canidae\n"), places)
    found = [lists.of(camera) for camera in ("ridge/north", "ridge/south", "hut/yard")]
    assert [set(allowed.listed) for allowed in found if allowed] == [{"Felidae"}, {"Ursidae"}, {"Canidae"}]
    assert Checklists(TAXONOMY).of("ridge/north") is None


PLACES = {"ridge/north": "Felidae", "ridge": "Ursidae"}
