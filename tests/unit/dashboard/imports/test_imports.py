"""Imports of Camtrap DP by others, Wildlife Insights, Timelapse and MegaDetector."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, select

from tests.paths import SHARED
from tests.unit.dashboard.catalogue.contents import contents
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.dashboard.catalogue.tables import METADATA
from uncia.dashboard.imports.importing import ImportFormat, ImportOptions, import_data, recognise
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(make_url(f"sqlite:///{tmp_path}/catalogue.sqlite"))
    migrate(engine)
    yield engine
    engine.dispose()


def _rows(engine: Engine, name: str, *columns: str) -> list[tuple[Any, ...]]:
    table = METADATA.tables[name]
    with engine.begin() as connection:
        return [
            tuple(row) for row in connection.execute(select(*(table.c[each] for each in columns)).order_by(*columns))
        ]


def _camtrap(folder: Path, media: str, observations: str, deployments: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    resources = [{"name": name, "path": f"{name}.csv"} for name in ("deployments", "media", "observations")]
    taxa = [{"scientificName": "Vulpes vulpes", "taxonRank": "species", "vernacularNames": {"eng": "fox"}}]
    descriptor = {"name": "past", "resources": resources, "taxonomic": taxa}
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    (folder / "deployments.csv").write_text(
        "deploymentID,locationID,cameraID,latitude,longitude,deploymentStart,deploymentEnd\n"
        + (deployments or "d1,ridge,c1,42.5,75.5,2020-01-01T00:00:00+02:00,2020-12-31T00:00:00+02:00\n")
    )
    (folder / "media.csv").write_text("mediaID,deploymentID,timestamp,filePath\n" + media)
    (folder / "observations.csv").write_text(
        "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,"
        "scientificName,count,classificationMethod,classifiedBy,classificationTimestamp,classificationProbability\n"
        + observations
    )
    return folder


MEDIA = "m1,d1,2020-05-01T10:00:00+02:00,a/1.jpg\nm2,d1,2020-05-01T10:00:03+02:00,a/2.jpg\n"
FOX = (
    "o1,d1,,e1,2020-05-01T08:00:00Z,2020-05-01T08:00:03Z,event,animal,Vulpes vulpes,2,human,Aigul,"
    "2020-06-01T00:00:00Z,\n"
)


def test_an_event_of_another_program_is_a_reviewed_burst_with_the_photographs_of_its_time(
    engine: Engine, tmp_path: Path
) -> None:
    report = import_data(engine, _camtrap(tmp_path / "package", MEDIA, FOX))
    assert (report.deployments, report.photographs, report.bursts, report.reviews) == (1, 2, 1, 1)
    columns = ("camera", "started_at", "taxon", "label", "rank", "count", "reviewed", "reviewer", "frame_count", "rule")
    assert _rows(engine, "bursts", *columns) == [
        ("ridge/c1", datetime(2020, 5, 1, 10), "Vulpes vulpes", "fox", "species", 2, True, "Aigul", 2, "import/1")
    ]
    assert _rows(engine, "bursts", "settings") == [("camtrap-dp:past",)]
    assert _rows(engine, "bursts", "deployment_id") == [("d1",)]


def test_media_observations_without_events_make_bursts_by_time(engine: Engine, tmp_path: Path) -> None:
    media = MEDIA + "m3,d1,2020-05-01T11:00:00+02:00,a/3.jpg\n"
    seen = "".join(
        f"o{n},d1,m{n},,{at},{at},media,{kind},{name},,machine,A model,,0.{n}\n"
        for n, at, kind, name in (
            (1, "2020-05-01T10:00:00+02:00", "animal", "Vulpes vulpes"),
            (2, "2020-05-01T10:00:03+02:00", "blank", ""),
            (3, "2020-05-01T11:00:00+02:00", "blank", ""),
        )
    )
    import_data(engine, _camtrap(tmp_path / "package", media, seen))
    assert _rows(engine, "bursts", "started_at", "category", "taxon", "reviewed", "frame_count") == [
        (datetime(2020, 5, 1, 10), "animal", "Vulpes vulpes", False, 2),
        (datetime(2020, 5, 1, 11), "blank", None, False, 1),
    ]


def test_invalid_rows_are_reported_with_their_lines_and_the_others_are_imported(engine: Engine, tmp_path: Path) -> None:
    media = MEDIA + "m3,nowhere,2020-05-01T10:00:00Z,a/3.jpg\nm4,d1,yesterday,a/4.jpg\nm1,d1,2020-05-01T10:00:00Z,x\n"
    seen = FOX + FOX.replace(",2,human", ",1.5,human").replace("o1", "o2")
    report = import_data(engine, _camtrap(tmp_path / "package", media, seen))
    assert [(each.file, each.line) for each in report.problems] == [
        ("media.csv", 4),
        ("media.csv", 5),
        ("media.csv", 6),
        ("observations.csv", 3),
    ]
    assert "nowhere" in report.problems[0].message
    assert report.bursts == 1


def test_no_message_repeats_a_position(engine: Engine, tmp_path: Path) -> None:
    place = "d1,ridge,c1,4212345.5,75.98765,2020-01-01T00:00:00Z,2020-12-31T00:00:00Z\n"
    report = import_data(engine, _camtrap(tmp_path / "package", "", "", place))
    assert report.problems
    assert not any("42123" in each.message or "98765" in each.message for each in report.problems)


def test_a_second_import_changes_nothing_and_a_corrected_file_replaces_the_old_one(
    engine: Engine, tmp_path: Path
) -> None:
    package = _camtrap(tmp_path / "package", MEDIA, FOX)
    import_data(engine, package)
    before = contents(engine)
    import_data(engine, package)
    assert contents(engine) == before
    _camtrap(package, MEDIA, FOX.replace("Vulpes vulpes,2", "Vulpes vulpes,3"))
    for file in package.iterdir():
        os.utime(file, (2_000_000_000, 2_000_000_000))
    import_data(engine, package)
    assert _rows(engine, "bursts", "taxon", "count") == [("Vulpes vulpes", 3)]
    assert len(_rows(engine, "captures", "upload_id")) == 2


def test_what_a_topic_says_of_a_deployment_counts_more_than_an_import(engine: Engine, tmp_path: Path) -> None:
    event = DeploymentChanged(
        deployment_id="d1",
        camera="ridge/c1",
        start=datetime(2020, 1, 1, tzinfo=UTC),
        utc_offset_minutes=0,
        latitude=1,
        longitude=2,
    )
    record = LogRecord(event.topic, 0, 0, 0, event.message_key, event.to_bytes())
    package = _camtrap(tmp_path / "package", MEDIA, FOX)
    import_data(engine, package)
    CatalogueStore(engine).apply([record])
    import_data(engine, package)
    assert _rows(engine, "deployments", "latitude") == [(1.0,)]


def test_check_reports_and_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    before = contents(engine)
    report = import_data(engine, _camtrap(tmp_path / "package", MEDIA, FOX), ImportOptions(check=True))
    assert report.bursts == 1
    assert contents(engine) == before


def test_wildlife_insights(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "wi").mkdir()
    (tmp_path / "wi" / "deployments.csv").write_text(
        "project_id,deployment_id,placename,longitude,latitude,start_date,end_date,camera_id\n"
        "1,dep,Ridge/North,75,42,2021-01-01 00:00:00,2021-12-31 00:00:00,77\n"
    )
    (tmp_path / "wi" / "images.csv").write_text(
        "deployment_id,image_id,filename,location,is_blank,identified_by,class,order,family,genus,species,"
        "common_name,timestamp,number_of_objects,cv_confidence\n"
        "dep,i1,1.jpg,gs://b/x/1.jpg,0,Aigul,Mammalia,Carnivora,Canidae,Vulpes,vulpes,Red Fox,2021-05-01 10:00:00,2,\n"
        "dep,i2,2.jpg,gs://b/x/2.jpg,0,Aigul,Mammalia,Carnivora,Canidae,Vulpes,vulpes,Red Fox,2021-05-01 10:00:02,1,\n"
        "dep,i3,3.jpg,gs://b/x/3.jpg,1,Computer vision,,,,,,Blank,2021-05-01 12:00:00,,0.9\n"
        "dep,i4,4.jpg,gs://b/x/4.jpg,0,Aigul,,,,,,,01/05/2021,,\n"
    )
    report = import_data(engine, tmp_path / "wi", ImportOptions(utc_offset_minutes=345))
    assert [(each.file, each.line) for each in report.problems] == [("images.csv", 5)]
    assert _rows(engine, "bursts", "started_at", "camera", "category", "taxon", "count", "reviewed") == [
        (datetime(2021, 5, 1, 10), "Ridge-North/77", "animal", "Vulpes vulpes", 2, True),
        (datetime(2021, 5, 1, 12), "Ridge-North/77", "blank", None, None, False),
    ]
    assert _rows(engine, "deployments", "utc_offset_minutes", "sensitivity") == [(345, "extreme")]


def test_timelapse(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "TimelapseData.csv").write_text(
        "File,RelativePath,DateTime,Species,Count,Analyst\n"
        "1.JPG,ridge\\cam-1\\100RECNX,2021-05-01 10:00:00,Vulpes vulpes,2,Aigul\n"
        "2.JPG,ridge\\cam-1\\100RECNX,01-May-2021 12:00:00,empty,,Aigul\n"
        "3.JPG,ridge\\cam-1\\100RECNX,2021-05-01 14:00:00,,,\n"
        "4.JPG,,2021-05-01 14:00:00,,,\n"
    )
    report = import_data(engine, tmp_path / "TimelapseData.csv")
    assert [(each.line, "--camera" in each.message) for each in report.problems] == [(5, True)]
    assert _rows(engine, "bursts", "started_at", "camera", "category", "taxon", "count", "reviewer") == [
        (datetime(2021, 5, 1, 10), "ridge/cam-1", "animal", "Vulpes vulpes", 2, "Aigul"),
        (datetime(2021, 5, 1, 12), "ridge/cam-1", "blank", None, None, "Aigul"),
        (datetime(2021, 5, 1, 14), "ridge/cam-1", None, None, None, None),
    ]


def test_megadetector(engine: Engine, tmp_path: Path) -> None:
    content = {
        "info": {"format_version": "1.6", "detector": "md_v5a", "detection_completion_time": "2021-06-01 00:00:00"},
        "detection_categories": {"1": "animal", "2": "person"},
        "images": [
            {
                "file": "ridge/cam-1/1.JPG",
                "datetime": "2021:05:01 10:00:00",
                "detections": [
                    {"category": "1", "conf": 0.875, "bbox": [0.1, 0.1, 0.5, 0.5]},
                    {"category": "2", "conf": 0.06, "bbox": [0.1, 0.1, 0.5, 0.5]},
                ],
            },
            {"file": "ridge/cam-1/2.JPG", "datetime": "2021:05:01 12:00:00", "detections": []},
            {"file": "ridge/cam-1/3.JPG", "detections": []},
            {"file": "ridge/cam-1/4.JPG", "datetime": "2021:05:01 14:00:00", "detections": None, "failure": "Failed"},
            "nonsense",
        ],
    }
    (tmp_path / "md.json").write_text(json.dumps(content))
    report = import_data(engine, tmp_path / "md.json")
    assert [each.line for each in report.problems] == [3, 5]
    assert "--include_image_timestamp" in report.problems[0].message
    assert _rows(engine, "bursts", "started_at", "category", "confidence", "reviewed") == [
        (datetime(2021, 5, 1, 10), "animal", 0.875, False),
        (datetime(2021, 5, 1, 12), "blank", None, False),
        (datetime(2021, 5, 1, 14), None, None, False),
    ]
    assert _rows(engine, "detections", "category", "score") == [("animal", 0.875), ("person", 0.06)]
    assert ("md_v5a@import",) in _rows(engine, "captures", "detector")


def test_formats_are_recognised_and_unknown_ones_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    for source, sentence in (("a.csv", "--format"), ("empty", "neither"), ("none", "does not exist")):
        with pytest.raises(UnciaError, match=sentence):
            recognise(tmp_path / source)
    assert recognise(_camtrap(tmp_path / "package", "", "")) is ImportFormat.CAMTRAP_DP


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared samples")
def test_the_published_example_of_camtrap_dp_is_imported_whole(engine: Engine) -> None:
    report = import_data(engine, SHARED / "samples" / "camtrap_dp_example")
    assert report.problems == []
    assert (report.deployments, report.photographs, report.bursts, report.reviews) == (4, 423, 34, 31)
