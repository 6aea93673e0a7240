"""Exports appear when they are complete, in bounded memory, and not at all when something fails."""

import errno
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from tests.unit.dashboard.exports.records_data import DEPLOYMENT, a_burst, many_bursts
from uncia.dashboard.exports.camtrap_dp import CamtrapOptions, write_camtrap_dp
from uncia.dashboard.exports.coco import write_coco
from uncia.dashboard.exports.formats import ExportFormat, ExportOptions, export_catalogue
from uncia.dashboard.exports.megadetector import write_megadetector
from uncia.dashboard.exports.output import ExportFailed, output_directory, output_file
from uncia.dashboard.exports.reading import ExportSource
from uncia.dashboard.exports.records import BurstRecord
from uncia.dashboard.exports.tables import csv_tables, parquet_tables, write_tables
from uncia.dashboard.exports.timelapse import write_timelapse

Write = Callable[[Path, Iterator[BurstRecord]], Any]

WRITERS: dict[str, Write] = {
    "camtrap-dp": lambda folder, bursts: write_camtrap_dp(folder, bursts, [DEPLOYMENT], CamtrapOptions()),
    "megadetector": lambda folder, bursts: write_megadetector(folder / "md.json", bursts, ["Capra sibirica"]),
    "coco": lambda folder, bursts: write_coco(folder / "coco.json", bursts, ["Capra sibirica"]),
    "timelapse": lambda folder, bursts: write_timelapse(folder, bursts, ["Capra sibirica"]),
    "csv": lambda folder, bursts: write_tables(folder, bursts, [DEPLOYMENT], csv_tables),
}


def _peak(write: Write, folder: Path, count: int) -> int:
    folder.mkdir()
    tracemalloc.start()
    write(folder, many_bursts(count))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", WRITERS)
def test_memory_does_not_grow_with_the_number_of_bursts(tmp_path: Path, name: str) -> None:
    _peak(WRITERS[name], tmp_path / "warm", 10)
    few, many = _peak(WRITERS[name], tmp_path / "few", 100), _peak(WRITERS[name], tmp_path / "many", 1500)
    # A burst takes more than 2 KB; Camtrap DP remembers the ids of photographs, and files have buffers.
    assert many < few + 1500 * 300


def test_parquet_holds_no_more_than_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uncia.dashboard.exports.tables._ParquetSink._GROUP", 100)

    def write(folder: Path, bursts: Iterator[BurstRecord]) -> None:
        write_tables(folder, bursts, [DEPLOYMENT], parquet_tables)

    _peak(write, tmp_path / "warm", 10)
    assert _peak(write, tmp_path / "many", 1000) < _peak(write, tmp_path / "few", 200) + 300_000


@pytest.mark.parametrize("kind", [each for each in ExportFormat if each is not ExportFormat.PARQUET])
def test_a_full_disk_leaves_no_half_file_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: ExportFormat
) -> None:
    engine = sqlite_catalogue(tmp_path / "catalogue", 20)
    (tmp_path / "out").mkdir()

    def full(self: ExportSource) -> Iterator[BurstRecord]:
        yield a_burst()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ExportSource, "bursts", full)
    with pytest.raises(ExportFailed, match="the disk is full"):
        export_catalogue(engine, kind, tmp_path / "out" / "export")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failure_leaves_the_old_export_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "export"
    with output_directory(place, "a") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(ExportFailed), output_directory(place, "a", overwrite=True) as folder:
        (folder / "a").write_text("new")
        raise OSError(errno.EIO, "Input/output error")
    assert (place / "a").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["export"]


def test_leftovers_of_a_killed_run_are_removed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".writing-export.json-abc").mkdir()
    (tmp_path / ".writing-export.json-abc" / "made").write_text("half")
    with output_file(tmp_path / "export.json") as file:
        file.write_text("{}")
    assert [each.name for each in tmp_path.iterdir()] == ["export.json"]


def test_an_existing_export_is_replaced_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(ExportFailed, match="--overwrite"), output_file(tmp_path / "a.json"):
        pass
    with output_file(tmp_path / "a.json", overwrite=True) as file:
        file.write_text("new")
    assert (tmp_path / "a.json").read_text() == "new"


def test_a_folder_with_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("mine")
    with pytest.raises(ExportFailed, match="not replaced"), output_directory(tmp_path / "home", "a", overwrite=True):
        pass
    assert (tmp_path / "home" / "thesis.tex").read_text() == "mine"


def test_photographs_are_copied_into_camtrap_dp_only(tmp_path: Path) -> None:
    engine = sqlite_catalogue(tmp_path, 1)
    options = ExportOptions(fetch=lambda frame: b"")
    with pytest.raises(ExportFailed, match="Camtrap DP only"):
        export_catalogue(engine, ExportFormat.COCO, tmp_path / "coco.json", options=options)


def test_progress_counts_bursts_up_to_their_number(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    engine = sqlite_catalogue(tmp_path, 30)
    export_catalogue(
        engine, ExportFormat.CSV, tmp_path / "csv", progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(number, 30) for number in range(1, 31)]
