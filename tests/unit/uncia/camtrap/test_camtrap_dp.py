"""The descriptor of a Camtrap DP package, and the timestamps in its tables."""

import json
from pathlib import Path

import pytest

from uncia.camtrap.camtrap_dp import CamtrapPackage, identify_table, parse_timestamp, unix_time
from uncia.errors import UnciaError


def package(folder: Path, **content: object) -> CamtrapPackage:
    (folder / "datapackage.json").write_text(json.dumps({"resources": [], **content}))
    return CamtrapPackage.open(folder)


def test_folder_and_descriptor_open_the_same_package(tmp_path: Path) -> None:
    opened = package(tmp_path, title="Ridge")
    assert CamtrapPackage.open(tmp_path / "datapackage.json") == opened
    assert opened.title == "Ridge"


def test_the_title_defaults_to_the_name_then_to_the_folder(tmp_path: Path) -> None:
    assert package(tmp_path, name="ridge-2026").title == "ridge-2026"
    assert package(tmp_path).title == tmp_path.name


@pytest.mark.parametrize("path", ["tables/media.csv", ["tables/media.csv"]])
def test_a_table_is_a_file_of_the_package(tmp_path: Path, path: object) -> None:
    opened = package(tmp_path, resources=[{"name": "media", "path": path}])
    assert opened.table("media") == tmp_path / "tables" / "media.csv"


@pytest.mark.parametrize("path", ["https://example.org/media.csv", ["a.csv", "b.csv"], None])
def test_a_table_that_is_not_one_local_file_is_refused(tmp_path: Path, path: object) -> None:
    opened = package(tmp_path, resources=[{"name": "media", "path": path}])
    with pytest.raises(UnciaError, match="not one local file"):
        opened.table("media")
    with pytest.raises(UnciaError, match="lists no table observations"):
        opened.table("observations")


@pytest.mark.parametrize("content", ["[]", "{", '{"resources": 1}', "[" * 100_000])
def test_a_file_that_is_no_descriptor_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "datapackage.json").write_text(content)
    with pytest.raises(UnciaError, match=r"datapackage\.json (is not JSON|does not describe)"):
        CamtrapPackage.open(tmp_path)


def test_english_names_of_the_taxa_that_have_one(tmp_path: Path) -> None:
    taxa = [
        {"scientificName": "Vulpes vulpes", "vernacularNames": {"eng": "red fox", "deu": "Rotfuchs"}},
        {"scientificName": "Bos mutus", "vernacularNames": {"deu": "Yak"}},
        {"scientificName": "Lynx lynx"},
        {"scientificName": "Panthera uncia", "vernacularNames": "snow leopard"},
        None,
    ]
    assert package(tmp_path, taxonomic=taxa).english_names() == {"Vulpes vulpes": "red fox"}


def test_tables_are_identified_by_their_columns() -> None:
    assert identify_table(["mediaID", "deploymentID", "filePath"]) == "a media.csv of Camtrap DP"
    assert identify_table(["path", "label"]) == ""


def test_a_time_without_offset_counts_as_utc() -> None:
    assert unix_time("2026-05-01T02:00:00+02:00") == unix_time("2026-05-01T00:00:00Z") == 1777593600
    assert unix_time("2026-05-01T00:00:00") == 1777593600
    assert unix_time("") is None


def test_another_way_of_writing_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is not a timestamp: write it like 2026-05-14T07:31:00\+02:00"):
        parse_timestamp("1st of March")
