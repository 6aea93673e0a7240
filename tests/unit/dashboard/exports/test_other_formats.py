"""MegaDetector, COCO Camera Traps, Timelapse, CSV and Parquet."""

import csv
import json
import warnings
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageFile
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from tests.unit.dashboard.exports.records_data import DEPLOYMENT, IBEX, a_burst, a_frame, reviewed
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.exports.coco import write_coco
from uncia.dashboard.exports.formats import ExportFormat, export_catalogue
from uncia.dashboard.exports.megadetector import write_megadetector
from uncia.dashboard.exports.records import BoxRecord, BurstRecord, ObservationRecord, Verdict
from uncia.dashboard.exports.tables import TABLES, csv_tables, parquet_tables, write_tables
from uncia.dashboard.exports.timelapse import write_timelapse
from uncia.events import Sensitivity

TAXA = ["Capra sibirica", "Vulpes vulpes"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return sqlite_catalogue(tmp_path_factory.mktemp("catalogue"), 120)


def _validate(path: Path) -> dict[str, Any]:
    pytest.importorskip("cv2", exc_type=ImportError, reason="OpenCV, which megadetector-utils imports, needs libGL")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        # Its import lets Pillow read truncated files, in the whole process.
        patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
        from megadetector.postprocessing.validate_batch_results import validate_batch_results
    found: dict[str, Any] = validate_batch_results(str(path))["validation_results"]
    return found


def _megadetector(folder: Path, bursts: Iterable[BurstRecord]) -> dict[str, Any]:
    write_megadetector(folder / "md.json", bursts, TAXA)
    found = _validate(folder / "md.json")
    assert (found["errors"], found["warnings"]) == ([], [])
    content: dict[str, Any] = json.loads((folder / "md.json").read_text("utf-8"))
    return content


def _coco(folder: Path, bursts: Iterable[BurstRecord]) -> dict[str, Any]:
    write_coco(folder / "coco.json", bursts, TAXA)
    assert [each.name for each in folder.iterdir()] == ["coco.json"]
    content: dict[str, Any] = json.loads((folder / "coco.json").read_text("utf-8"))
    return content


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", [ExportFormat.MEGADETECTOR, ExportFormat.TIMELAPSE])
def test_results_of_a_whole_catalogue_pass_megadetectors_validator(
    engine: Engine, tmp_path: Path, kind: ExportFormat
) -> None:
    summary = export_catalogue(engine, kind, tmp_path / "out")
    path = tmp_path / "out"
    found = _validate(path / "recognition.json" if path.is_dir() else path)
    assert (found["errors"], found["warnings"]) == ([], [])
    assert sum(found["detection_category_id_to_count"].values()) == summary.boxes > 100


def test_a_score_of_one_is_a_float_and_the_taxon_is_a_classification(tmp_path: Path) -> None:
    content = _megadetector(tmp_path, [a_burst()])
    (image,) = content["images"]
    assert image["detections"] == [
        {"category": "1", "conf": 1.0, "bbox": [0.25, 0.5, 0.25, 0.25], "classifications": [["1", 0.875]]}
    ]
    assert isinstance(image["detections"][0]["conf"], float)
    assert content["classification_categories"] == {"1": "Capra sibirica", "2": "Vulpes vulpes"}
    assert content["info"]["format_version"] == "1.6"
    assert image["file"] == "ridge/cam-1/1.JPG"


def test_photographs_without_a_box_are_empty_and_unreadable_ones_are_failures(tmp_path: Path) -> None:
    frames = (
        a_frame("1", boxes=()),
        a_frame("2", boxes=None, rejection_reason="image-truncated"),
        a_frame("3", boxes=None),
    )
    images = _megadetector(tmp_path, [a_burst(frames=frames)])["images"]
    assert [(image["detections"], image.get("failure")) for image in images] == [
        ([], None),
        (None, "image-truncated"),
        (None, "no detector was installed"),
    ]


def test_an_empty_selection_is_an_empty_list_of_images(engine: Engine, tmp_path: Path) -> None:
    export_catalogue(engine, ExportFormat.MEGADETECTOR, tmp_path / "md.json", BurstFilter(taxon="Pan troglodytes"))
    assert _validate(tmp_path / "md.json")["errors"] == []
    assert json.loads((tmp_path / "md.json").read_text())["images"] == []
    export_catalogue(engine, ExportFormat.COCO, tmp_path / "coco.json", BurstFilter(taxon="Pan troglodytes"))
    assert json.loads((tmp_path / "coco.json").read_text())["annotations"] == []


def test_coco_has_boxes_in_pixels_of_the_taxon_and_sequences_from_zero(tmp_path: Path) -> None:
    burst = a_burst(frames=(a_frame("1"), a_frame("2", boxes=())), frame_count=2)
    content = _coco(tmp_path, [burst])
    numbers = {each["name"]: each["id"] for each in content["categories"]}
    assert numbers["empty"] == 0
    first, second = content["images"]
    assert (first["seq_id"], first["seq_num_frames"], first["frame_num"], second["frame_num"]) == ("bst-1", 2, 0, 1)
    assert first["location"] == "ridge/cam-1"
    box, whole = content["annotations"]
    assert box["bbox"] == [500.0, 500.0, 500.0, 250.0]
    assert box["category_id"] == whole["category_id"] == numbers["Capra sibirica"]
    assert (box["sequence_level_annotation"], whole["sequence_level_annotation"]) == (False, True)
    assert "bbox" not in whole


def test_coco_of_a_reviewed_blank_has_no_box(tmp_path: Path) -> None:
    burst = a_burst()
    blank = ObservationRecord("human", 0, Verdict("blank"))
    content = _coco(tmp_path, [replace(burst, **reviewed(burst, blank))])  # type: ignore[arg-type]
    assert [(each["category_id"], "bbox" in each) for each in content["annotations"]] == [(0, False)]


def test_coco_prefers_the_boxes_of_the_reviewer(tmp_path: Path) -> None:
    burst = a_burst()
    fox = ObservationRecord("human", 0, Verdict("animal", "Vulpes vulpes"), boxes=(("img-1", (0.0, 0.0, 0.5, 0.5)),))
    content = _coco(tmp_path, [replace(burst, **reviewed(burst, fox))])  # type: ignore[arg-type]
    (annotation,) = content["annotations"]
    assert annotation["bbox"] == [0.0, 0.0, 1000.0, 500.0]


def test_every_coco_annotation_has_its_image_and_category(engine: Engine, tmp_path: Path) -> None:
    export_catalogue(engine, ExportFormat.COCO, tmp_path / "coco.json")
    content = json.loads((tmp_path / "coco.json").read_text("utf-8"))
    images = [each["id"] for each in content["images"]]
    assert len(images) == len(set(images))
    assert {each["image_id"] for each in content["annotations"]} == set(images)
    assert {each["category_id"] for each in content["annotations"]} <= {each["id"] for each in content["categories"]}
    ids = [each["id"] for each in content["annotations"]]
    assert len(ids) == len(set(ids))


def test_timelapse_finds_each_photograph_by_file_and_folder(tmp_path: Path) -> None:
    write_timelapse(tmp_path, [a_burst()], TAXA)
    (row,) = _csv(tmp_path / "timelapse.csv")
    assert (row["File"], row["RelativePath"], row["DateTime"]) == ("1.JPG", "ridge\\cam-1", "2026-05-14 21:36:05")
    assert (row["Species"], row["Count"], row["Reviewed"]) == ("Capra sibirica", "2", "false")
    assert json.loads((tmp_path / "recognition.json").read_text())["images"][0]["file"] == "ridge/cam-1/1.JPG"


FORMULA = '=HYPERLINK("http://x","y")'


def test_formulas_are_text_in_tables_for_spreadsheets(tmp_path: Path) -> None:
    burst = a_burst(shown=replace(IBEX, label=FORMULA), station="+x", camera="@x/-y")
    write_timelapse(tmp_path, [burst], TAXA)
    write_tables(tmp_path, [burst], [DEPLOYMENT], csv_tables)
    row = _csv(tmp_path / "timelapse.csv")[0]
    assert (row["CommonName"], row["Station"], row["Camera"]) == (f"'{FORMULA}", "'+x", "'@x/-y")
    row = _csv(tmp_path / "bursts.csv")[0]
    assert (row["label"], row["station"], row["camera"]) == (f"'{FORMULA}", "'+x", "'@x/-y")


def test_numbers_below_zero_stay_numbers(tmp_path: Path) -> None:
    south = replace(DEPLOYMENT, latitude=-33.5, longitude=-70.25, sensitivity=Sensitivity.NONE)
    write_tables(tmp_path, [a_burst(frames=(a_frame(temperature_c=-12.5),))], [south], csv_tables)
    assert _csv(tmp_path / "deployments.csv")[0]["latitude"] == "-33.5"
    assert _csv(tmp_path / "photographs.csv")[0]["temperature_c"] == "-12.5"


def test_times_are_by_the_cameras_clock_and_in_utc(tmp_path: Path) -> None:
    write_tables(tmp_path, [a_burst("1"), a_burst("2", deployment=None)], [DEPLOYMENT], csv_tables)
    rows = _csv(tmp_path / "bursts.csv")
    assert rows[0]["started_at"] == "2026-05-14T21:36:05.250000"
    assert [row["started_at_utc"] for row in rows] == ["2026-05-14T15:51:05.250000Z", ""]


def test_positions_in_tables_are_rounded_too(tmp_path: Path) -> None:
    write_tables(tmp_path, [], [DEPLOYMENT], csv_tables)
    assert "42.12" not in (tmp_path / "deployments.csv").read_text("utf-8")


def test_parquet_holds_the_same_rows_as_csv_with_types(engine: Engine, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for kind in (ExportFormat.CSV, ExportFormat.PARQUET):
        export_catalogue(engine, kind, tmp_path / kind.value)
    for name, columns in TABLES.items():
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet")
        assert table.column_names == list(columns)
        assert table.num_rows == len(_csv(tmp_path / "csv" / f"{name}.csv"))
    bursts = pq.read_table(tmp_path / "parquet" / "bursts.parquet")
    assert str(bursts.schema.field("started_at").type) == "timestamp[ms]"
    assert str(bursts.schema.field("started_at_utc").type) == "timestamp[ms, tz=UTC]"
    assert str(bursts.schema.field("count").type) == "int64"


def test_parquet_keeps_text_as_it_is(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    burst = a_burst(shown=replace(IBEX, label=FORMULA), started_at=datetime(2026, 5, 1, 0, 0, 0, 123_456))
    write_tables(tmp_path, [burst], [DEPLOYMENT], parquet_tables)
    row = pq.read_table(tmp_path / "bursts.parquet").to_pylist()[0]
    assert row["label"] == FORMULA
    assert row["started_at"] == datetime(2026, 5, 1, 0, 0, 0, 123_000)
    assert row["started_at_utc"].astimezone(UTC) == datetime(2026, 4, 30, 18, 15, 0, 123_000, UTC)


def test_static_objects_are_no_detections(tmp_path: Path) -> None:
    static = a_burst(frames=(a_frame(boxes=(BoxRecord("animal", 0.9, (0, 0, 0.1, 0.1), static=True),)),))
    assert _megadetector(tmp_path, [static])["images"][0]["detections"] == []
