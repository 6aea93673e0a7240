"""Folders, tables and archives as a source."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.unit.training.harvest.public_sources import picture
from uncia.training.harvest import HarvestError
from uncia.training.harvest.local_source import open_local_source, unpack_archive
from uncia.training.harvest.query import HarvestPlan, Query, QueryKind, TargetTaxon

LEOPARD = TargetTaxon("Panthera uncia", "leopard", ("Uncia uncia",))
QUERY = Query(QueryKind.POSITIVE, "local", "leopard", "Panthera uncia", 10, "Panthera uncia")


def plan(source: Path, licence: str = "") -> HarvestPlan:
    return HarvestPlan((LEOPARD,), ("local",), 10, 0, local=str(source), local_licence=licence)


def save(path: Path, seed: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(seed))


def test_a_folder_is_found_by_a_synonym(tmp_path: Path) -> None:
    save(tmp_path / "photographs" / "Uncia uncia" / "1.jpg")
    save(tmp_path / "photographs" / "fox" / "2.jpg")
    records = open_local_source(plan(tmp_path / "photographs", "cc-by-4.0"), tmp_path).records(QUERY)
    assert [(record.url, record.licence and record.licence.name) for record in records] == [
        ("Uncia uncia/1.jpg", "CC BY 4.0")
    ]


def test_a_table_states_licence_and_author_of_each_picture(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    save(tmp_path / "b.jpg", 2)
    (tmp_path / "pictures.csv").write_text("path,label,licence,author\na.jpg,leopard,CC BY 4.0,Ada\nb.jpg,leopard,,\n")
    records = open_local_source(plan(tmp_path), tmp_path / "harvest").records(QUERY)
    assert {record.source_id: (record.licence_text, record.author) for record in records} == {
        "a.jpg": ("CC BY 4.0", "Ada"),
        "b.jpg": ("", ""),
    }


def test_pictures_of_an_archive_are_unpacked_and_what_leads_outside_is_not(tmp_path: Path) -> None:
    archive = tmp_path / "photographs.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name in (
            "leopard/1.jpg",
            "../evil.jpg",
            "/evil.jpg",
            "leopard/../../evil.jpg",
            "leopard/run.sh",
            "C:evil.jpg",
        ):
            out.writestr(name, picture(1))
    assert unpack_archive(archive, tmp_path / "local") == 1
    assert [path.name for path in (tmp_path / "local").rglob("*") if path.is_file()] == ["1.jpg"]
    assert list(tmp_path.glob("evil*")) == []


def test_links_in_an_archive_are_left_out(tmp_path: Path) -> None:
    archive = tmp_path / "photographs.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        link = tarfile.TarInfo("leopard/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
        entry = tarfile.TarInfo("leopard/1.jpg")
        entry.size = len(picture(1))
        out.addfile(entry, io.BytesIO(picture(1)))
    assert unpack_archive(archive, tmp_path / "local") == 1
    assert not (tmp_path / "local" / "leopard" / "link.jpg").is_symlink()


def test_an_archive_that_is_cut_off_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "photographs.zip"
    archive.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(HarvestError, match="cannot be unpacked"):
        unpack_archive(archive, tmp_path / "local")
    assert not (tmp_path / "local").exists()
