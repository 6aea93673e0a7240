"""Packages of Camtrap DP."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.paths import SHARED
from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from tests.unit.dashboard.exports.camtrap_profile import descriptor_errors, frictionless_errors
from tests.unit.dashboard.exports.records_data import DEPLOYMENT, IBEX, a_burst, a_frame, reviewed
from tests.unit.uncia.imaging.metadata_builders import PLAIN_JPEG as JPEG
from uncia.dashboard.exports.camtrap_dp import CamtrapOptions, write_camtrap_dp
from uncia.dashboard.exports.formats import ExportFormat, export_catalogue
from uncia.dashboard.exports.media import MediaPaths
from uncia.dashboard.exports.output import ExportFailed, ExportSummary
from uncia.dashboard.exports.records import (
    BoxRecord,
    BurstRecord,
    DeploymentRecord,
    FrameRecord,
    ObservationRecord,
    Verdict,
)
from uncia.errors import PermanentError
from uncia.events import Sensitivity

Rows = list[dict[str, str]]


def _package(
    folder: Path,
    bursts: Sequence[BurstRecord],
    options: CamtrapOptions | None = None,
    deployments: Sequence[DeploymentRecord] = (DEPLOYMENT,),
    media: MediaPaths | None = None,
) -> ExportSummary:
    return write_camtrap_dp(folder, bursts, deployments, options or CamtrapOptions(), media=media)


def _rows(folder: Path, table: str) -> Rows:
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camtrap")
    export_catalogue(sqlite_catalogue(folder, 150), ExportFormat.CAMTRAP_DP, folder / "package")
    return folder / "package"


def test_a_package_of_a_whole_catalogue_is_valid(package: Path) -> None:
    assert frictionless_errors(package) == []
    descriptor = json.loads((package / "datapackage.json").read_text("utf-8"))
    assert descriptor_errors(descriptor) == []
    assert set(descriptor["project"]["observationLevel"]) == {"event", "media"}


def test_the_validation_finds_a_count_that_is_no_integer(package: Path, tmp_path: Path) -> None:
    for file in package.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b",Capra sibirica,2,", b",Capra sibirica,2.0,"))
    assert any("integer" in error for error in frictionless_errors(tmp_path))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared samples")
def test_the_published_example_passes_the_same_validation() -> None:
    example = SHARED / "samples" / "camtrap_dp_example"
    assert descriptor_errors(json.loads((example / "datapackage.json").read_text("utf-8"))) == []
    assert [error for error in frictionless_errors(example) if "exifData" not in error] == []


BROKEN: dict[str, Any] = {
    "profile": "https://raw.githubusercontent.com/tdwg/camtrap-dp/0.6/camtrap-dp-profile.json",
    "name": "With Blanks",
    "created": "yesterday",
    "contributors": [{"role": "contact"}],
    "licenses": [{"name": "CC0-1.0", "scope": "data"}],
    "sources": [{"version": 1}],
    "project": {"title": "t"},
    "spatial": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 95], [0, 0]]]},
    "temporal": {"start": "2026-05-01"},
    "taxonomic": [{"taxonRank": "species"}],
    "resources": [],
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_validation_finds_a_property_that_the_profile_refuses(package: Path, name: str) -> None:
    descriptor = json.loads((package / "datapackage.json").read_text("utf-8"))
    assert descriptor_errors({**descriptor, name: BROKEN[name]}) != []
    assert name in ("name", "licenses", "sources") or descriptor_errors(
        {other: value for other, value in descriptor.items() if other != name}
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {
            "contributors": [{"title": "Aigul", "role": "contact", "email": "aigul@example.org"}],
            "licenses": [{"name": "CC-BY-4.0", "scope": "data"}, {"name": "CC-BY-NC-4.0", "scope": "media"}],
            "project": {"samplingDesign": "systematicRandom"},
        },
        {"title": "Ünïcode / 2026", "keywords": ["snow leopard"], "homepage": "https://example.org"},
    ],
)
def test_a_descriptor_with_the_metadata_of_the_documentation_is_valid(tmp_path: Path, metadata: dict[str, Any]) -> None:
    _package(tmp_path, [a_burst()], CamtrapOptions(metadata=metadata))
    assert descriptor_errors(json.loads((tmp_path / "datapackage.json").read_text("utf-8"))) == []


@pytest.mark.parametrize("title", ["Ridge 2026", "雪豹", " ", "a" * 200])
def test_any_title_gives_a_valid_name(tmp_path: Path, title: str) -> None:
    _package(tmp_path, [a_burst()], CamtrapOptions(title=title))
    assert descriptor_errors(json.loads((tmp_path / "datapackage.json").read_text("utf-8"))) == []


def test_no_file_begins_with_a_byte_order_mark(package: Path) -> None:
    for file in package.iterdir():
        assert not file.read_bytes().startswith(b"\xef\xbb\xbf")


def test_every_burst_is_one_event_and_every_photograph_has_a_media_observation(package: Path) -> None:
    observations, media = _rows(package, "observations"), _rows(package, "media")
    events = [row for row in observations if row["observationLevel"] == "event"]
    assert len(events) == len({row["eventID"] for row in events}) == 150
    assert {row["mediaID"] for row in media} == {row["mediaID"] for row in observations} - {""}
    assert "eventID" not in media[0]


def test_timestamps_have_the_offset_of_the_cameras_clock_and_no_fraction(tmp_path: Path) -> None:
    _package(tmp_path, [a_burst()])
    assert _rows(tmp_path, "media")[0]["timestamp"] == "2026-05-14T21:36:05+05:45"
    event = _rows(tmp_path, "observations")[0]
    assert (event["eventStart"], event["eventEnd"]) == ("2026-05-14T21:36:05+05:45", "2026-05-14T21:36:07+05:45")
    assert event["classificationTimestamp"] == "2026-05-14T00:00:00Z"


def test_a_clock_that_shows_the_year_1970_or_2_is_exported(tmp_path: Path) -> None:
    for number, year in enumerate((1970, 2)):
        at = datetime(year, 1, 1)
        burst = a_burst(started_at=at, ended_at=at, frames=(a_frame(captured_at=at),))
        (tmp_path / str(number)).mkdir()
        _package(tmp_path / str(number), [burst])
        assert _rows(tmp_path / str(number), "media")[0]["timestamp"] == f"{year:04d}-01-01T00:00:00+05:45"


def test_boxes_are_media_observations_and_static_or_weak_ones_are_left_out(tmp_path: Path) -> None:
    boxes = (
        BoxRecord("animal", 0.9, (-0.01, 0.1, 0.2, 0.3)),
        BoxRecord("animal", 0.8, (0.1, 0.1, 0.2, 0.3), static=True),
        BoxRecord("animal", 0.1, (0.1, 0.1, 0.2, 0.3)),
        BoxRecord("animal", 0.9, (0.1, 0.1, 0.0, 0.3)),
    )
    summary = _package(tmp_path, [a_burst(frames=(a_frame(boxes=boxes),))])
    rows = [row for row in _rows(tmp_path, "observations") if row["bboxX"]]
    assert [(row["bboxX"], row["bboxWidth"], row["classificationProbability"]) for row in rows] == [
        ("0.0", "0.2", "0.9")
    ]
    assert rows[0]["classifiedBy"] == "animal_detector@1"
    assert summary.boxes == 1
    assert frictionless_errors(tmp_path) == []


def test_a_review_decides_the_event_and_the_models_verdict_becomes_a_media_observation(tmp_path: Path) -> None:
    fox = ObservationRecord("human", 0, Verdict("animal", "Vulpes vulpes", count=1), observed_by="aigul")
    bird = ObservationRecord("human", 1, Verdict("animal", "Aves", count=3), observed_by="aigul")
    burst = a_burst()
    _package(tmp_path, [replace(burst, **reviewed(burst, fox, bird))])  # type: ignore[arg-type]
    rows = _rows(tmp_path, "observations")
    events = [row for row in rows if row["observationLevel"] == "event"]
    assert [(row["scientificName"], row["count"], row["classificationMethod"]) for row in events] == [
        ("Vulpes vulpes", "1", "human"),
        ("Aves", "3", "human"),
    ]
    (model,) = [row for row in rows if "about:burst" in row["observationTags"]]
    assert (model["scientificName"], model["classificationMethod"]) == ("Capra sibirica", "machine")
    assert frictionless_errors(tmp_path) == []


def test_what_nobody_can_tell_is_unknown_and_what_nobody_classified_is_unclassified(tmp_path: Path) -> None:
    unread = a_burst("1", shown=Verdict(None), model=Verdict(None), observations=(), frames=(a_frame(boxes=None),))
    unknown = a_burst("2", frames=(a_frame("2"),))
    row = ObservationRecord("human", 0, Verdict(None), observed_by="aigul")
    _package(tmp_path, [unread, replace(unknown, **reviewed(unknown, row))])  # type: ignore[arg-type]
    events = [row["observationType"] for row in _rows(tmp_path, "observations") if row["observationLevel"] == "event"]
    assert events == ["unclassified", "unknown"]


def test_positions_are_rounded_by_sensitivity_with_a_circle_that_contains_the_camera(tmp_path: Path) -> None:
    for level, expected in (
        ("none", ("42.12345", "75.98765", "10")),
        ("low", ("42.123", "75.988", "89")),
        ("medium", ("42.12", "75.99", "800")),
        ("high", ("42.1", "76.0", "7909")),
        ("extreme", ("42.0", "76.0", "78994")),
    ):
        (tmp_path / level).mkdir()
        _package(tmp_path / level, [], deployments=[replace(DEPLOYMENT, sensitivity=Sensitivity(level))])
        row = _rows(tmp_path / level, "deployments")[0]
        assert (row["latitude"], row["longitude"], row["coordinateUncertainty"]) == expected


def test_exact_positions_need_the_option(tmp_path: Path) -> None:
    _package(tmp_path, [], CamtrapOptions(exact_positions=True))
    row = _rows(tmp_path, "deployments")[0]
    assert (row["latitude"], row["longitude"], row["coordinateUncertainty"]) == ("42.12345", "75.98765", "10")
    assert "coordinatePrecision" not in json.loads((tmp_path / "datapackage.json").read_text("utf-8"))


def test_no_file_holds_a_rounded_digit_more(tmp_path: Path) -> None:
    _package(tmp_path, [a_burst()])
    for file in tmp_path.iterdir():
        assert "42.12" not in file.read_text("utf-8")
        assert "75.98" not in file.read_text("utf-8")


def test_the_period_of_a_running_camera_ends_with_its_last_photograph(tmp_path: Path) -> None:
    running = replace(DEPLOYMENT, last_capture=datetime(2026, 5, 20, 8, 0, 0, 5), active_days=7)
    silent = replace(DEPLOYMENT, deployment_id="dep-2")
    ended = replace(DEPLOYMENT, deployment_id="dep-3", ends_at=datetime(2026, 6, 1, tzinfo=UTC))
    _package(tmp_path, [], deployments=[running, silent, ended])
    rows = _rows(tmp_path, "deployments")
    assert [row["deploymentEnd"] for row in rows] == [
        "2026-05-20T08:00:00+05:45",
        "2026-05-01T05:45:00+05:45",
        "2026-06-01T05:45:00+05:45",
    ]
    assert ["end:open" in row["deploymentTags"] for row in rows] == [True, True, False]
    assert "activeDays:7" in rows[0]["deploymentTags"]


def test_deployments_without_a_burst_are_exported_since_they_are_effort(tmp_path: Path) -> None:
    engine = sqlite_catalogue(tmp_path, 5, camera_count=8)
    export_catalogue(engine, ExportFormat.CAMTRAP_DP, tmp_path / "package")
    assert len(_rows(tmp_path / "package", "deployments")) == 8


def test_bursts_without_a_deployment_are_left_out_and_counted(tmp_path: Path) -> None:
    summary = _package(tmp_path, [a_burst("1"), a_burst("2", deployment=None)])
    assert summary.left_out == {"bursts without a deployment": 1}
    assert summary.bursts == 1


def test_a_package_without_any_deployment_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="uncia deployments load"):
        _package(tmp_path, [a_burst()], deployments=[])


def test_deployments_of_two_cameras_with_one_id_are_told_apart(tmp_path: Path) -> None:
    here = replace(DEPLOYMENT, shared_id=True)
    there = replace(here, camera="pass/cam-1", station="pass")
    _package(tmp_path, [a_burst(deployment=here)], deployments=[here, there])
    assert [row["deploymentID"] for row in _rows(tmp_path, "deployments")] == [
        "dep-1 @ ridge/cam-1",
        "dep-1 @ pass/cam-1",
    ]
    assert frictionless_errors(tmp_path) == []


@pytest.mark.parametrize(
    "key",
    ["../../etc/passwd", "/absolute.JPG", "~/home.JPG", ".hidden/a.JPG", "a/b..c.JPG", "a//b.JPG", "a/..", "C:\\a.JPG"],
)
def test_paths_that_the_format_forbids_are_replaced_and_lead_nowhere_else(tmp_path: Path, key: str) -> None:
    copied = MediaPaths(fetch=lambda frame: JPEG)
    (tmp_path / "package").mkdir()
    _package(tmp_path / "package", [a_burst(frames=(a_frame(key=key),))], media=copied)
    path = _rows(tmp_path / "package", "media")[0]["filePath"]
    assert (tmp_path / "package" / path).read_bytes() == JPEG
    assert (tmp_path / "package" / "media") in (tmp_path / "package" / path).resolve().parents
    assert frictionless_errors(tmp_path / "package") == []


def test_photographs_of_people_are_not_copied_unless_asked_for(tmp_path: Path) -> None:
    person = a_burst("2", shown=Verdict("person"), frames=(a_frame("2"),))
    for name, media, copies in (
        ("default", MediaPaths(fetch=lambda frame: JPEG), 1),
        ("people", MediaPaths(fetch=lambda frame: JPEG, with_people=True), 2),
    ):
        (tmp_path / name).mkdir()
        _package(tmp_path / name, [a_burst("1"), person], media=media)
        assert len(list((tmp_path / name / "media").rglob("*.JPG"))) == copies


def test_a_photograph_that_is_gone_is_counted_and_the_package_is_written(tmp_path: Path) -> None:
    def fetch(frame: FrameRecord) -> bytes:
        raise PermanentError("object-missing", "gone")

    summary = _package(tmp_path, [a_burst()], media=MediaPaths(fetch=fetch))
    assert summary.left_out == {"photographs that are gone from the store": 1}


def test_only_photographs_with_an_address_and_without_people_are_public(tmp_path: Path) -> None:
    person = a_burst("2", shown=Verdict("person"), frames=(a_frame("a b#2"),))
    _package(tmp_path, [a_burst("1"), person], media=MediaPaths(base_url="https://photos.example/"))
    rows = _rows(tmp_path, "media")
    assert [row["filePublic"] for row in rows] == ["true", "false"]
    assert rows[1]["filePath"] == "https://photos.example/ridge/cam-1/a%20b%232.JPG"


def test_hostile_names_stay_what_they_are_in_one_cell(tmp_path: Path) -> None:
    name = '=cmd|"x"!A1,\n<script>'
    burst = a_burst(flags=(name,), shown=replace(IBEX, label=name), model=replace(IBEX, label=name))
    place = replace(DEPLOYMENT, deployment_id=name)
    _package(tmp_path, [replace(burst, deployment=place)], deployments=[place])
    assert _rows(tmp_path, "deployments")[0]["deploymentID"] == name
    assert frictionless_errors(tmp_path) == []


def test_metadata_replaces_properties_but_neither_tables_nor_profile(tmp_path: Path) -> None:
    given = {
        "licenses": [{"name": "CC0-1.0", "scope": "data"}, {"name": "CC-BY-4.0", "scope": "media"}],
        "project": {"samplingDesign": "targeted"},
        "resources": [],
        "profile": "mine",
    }
    _package(tmp_path, [a_burst()], CamtrapOptions(title="Ala-Too 2026", metadata=given))
    descriptor = json.loads((tmp_path / "datapackage.json").read_text("utf-8"))
    assert descriptor_errors(descriptor) == []
    assert descriptor["licenses"] == given["licenses"]
    assert descriptor["project"]["samplingDesign"] == "targeted"
    assert descriptor["project"]["title"] == descriptor["title"] == "Ala-Too 2026"
    assert descriptor["name"] == "ala-too-2026"


def test_taxa_are_listed_with_rank_and_higher_taxa(package: Path) -> None:
    taxa = {
        each["scientificName"]: each for each in json.loads((package / "datapackage.json").read_text())["taxonomic"]
    }
    assert taxa["Panthera uncia"]["taxonRank"] == "species"
    assert taxa["Panthera uncia"]["family"] == "Felidae"
    assert taxa["Panthera uncia"]["vernacularNames"] == {"eng": "snow leopard"}


def test_exports_take_the_filter_of_browse_and_the_stations_of_the_caller(tmp_path: Path) -> None:
    engine = sqlite_catalogue(tmp_path, 100)
    export_catalogue(engine, ExportFormat.CAMTRAP_DP, tmp_path / "one", stations=["ridge"])
    for table in ("deployments", "media", "observations"):
        text = (tmp_path / "one" / f"{table}.csv").read_text("utf-8")
        assert "Kök-Suu" not in text
        assert "gorge" not in text
    with pytest.raises(ExportFailed, match="deployments"):
        export_catalogue(engine, ExportFormat.CAMTRAP_DP, tmp_path / "none", stations=[])
    assert not (tmp_path / "none").exists()


def test_the_stricter_of_deployment_and_taxa_rounds_the_position(tmp_path: Path) -> None:
    seen = replace(DEPLOYMENT, sensitivity=Sensitivity.LOW, taxa_sensitivity=Sensitivity.EXTREME)
    _package(tmp_path, [], deployments=[seen])
    row = _rows(tmp_path, "deployments")[0]
    assert (row["latitude"], row["longitude"]) == ("42.0", "76.0")
    assert "coordinateSensitivity:extreme" in row["deploymentTags"]
