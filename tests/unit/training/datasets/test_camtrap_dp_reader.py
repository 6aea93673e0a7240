"""Camtrap DP: media and observations, joined."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import SHARED
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset
from uncia.training.datasets.reading import read_dataset

SAMPLE = SHARED / "samples" / "camtrap_dp_example"

MEDIA = "mediaID,deploymentID,timestamp,filePath,fileName,fileMediatype\n"
OBSERVATIONS = (
    "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,scientificName,"
    "bboxX,bboxY,bboxWidth,bboxHeight\n"
)


def package(folder: Path, media: str, observations: str) -> Path:
    resources = [{"name": name, "path": f"{name}.csv"} for name in ("deployments", "media", "observations")]
    taxa = [{"scientificName": "Vulpes vulpes", "vernacularNames": {"eng": "red fox"}}]
    folder.mkdir(exist_ok=True)
    (folder / "datapackage.json").write_text(json.dumps({"resources": resources, "taxonomic": taxa, "title": "Ridge"}))
    (folder / "media.csv").write_text(MEDIA + media)
    (folder / "observations.csv").write_text(OBSERVATIONS + observations)
    return folder


def medium(number: int, second: int = 0, path: str = "", kind: str = "image/jpeg") -> str:
    return f"m{number},d1,2026-05-01T06:30:{second:02}+02:00,{path or f'media/{number}.jpg'},{number}.jpg,{kind}\n"


def observation(
    media: str, kind: str = "animal", name: str = "Vulpes vulpes", box: str = ",,,", event: str = "e1"
) -> str:
    level = "media" if media else "event"
    return f"o,d1,{media},{event},2026-05-01T04:30:00Z,2026-05-01T04:30:10Z,{level},{kind},{name},{box}\n"


def test_a_medium_has_its_own_observation(tmp_path: Path) -> None:
    (one,) = read_dataset(package(tmp_path, medium(1), observation("m1", box="0.1,0.2,0.3,0.4"))).samples
    assert (one.label, one.taxon, one.group) == ("red fox", "Vulpes vulpes", "animal")
    assert (one.path, one.camera, one.burst) == (tmp_path / "media" / "1.jpg", "d1", "d1/e1")
    assert one.taken == datetime(2026, 5, 1, 6, 30)
    assert one.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_a_medium_without_one_has_that_of_its_event(tmp_path: Path) -> None:
    data = read_dataset(package(tmp_path, medium(1, 5) + medium(2, 30), observation("", event="e7")))
    assert [(one.path.name, one.burst) for one in data.samples] == [("1.jpg", "d1/e7")]
    assert "1 media without a classification left out" in data.source


@pytest.mark.parametrize(
    ("kind", "label", "group"),
    [("human", "person", "person"), ("vehicle", "vehicle", "vehicle"), ("blank", "nothing", "nothing")],
)
def test_other_observation_types_are_labels(tmp_path: Path, kind: str, label: str, group: str) -> None:
    (one,) = read_dataset(package(tmp_path, medium(1), observation("m1", kind, ""))).samples
    assert (one.label, one.group) == (label, group)


def test_two_animals_of_a_species_are_one_sample_with_the_larger_box(tmp_path: Path) -> None:
    boxes = observation("m1", box="0,0,0.1,0.1") + observation("m1", box="0.5,0.5,0.4,0.4")
    (one,) = read_dataset(package(tmp_path, medium(1), boxes)).samples
    assert one.box == pytest.approx((0.5, 0.5, 0.4, 0.4))


def test_two_species_in_one_medium_are_two_samples(tmp_path: Path) -> None:
    data = read_dataset(package(tmp_path, medium(1), observation("m1") + observation("m1", name="Bos mutus")))
    assert data.labels == ("Bos mutus", "red fox")


def test_videos_and_web_addresses_are_left_out_and_counted(tmp_path: Path) -> None:
    media = medium(1) + medium(2, kind="video/mp4") + medium(3, path="https://example.org/3.jpg")
    data = read_dataset(package(tmp_path, media, "".join(observation(f"m{n}") for n in (1, 2, 3))))
    assert len(data) == 1
    assert data.source == (
        "Camtrap DP Ridge; 1 media that are videos left out; 1 media that are web addresses left out"
    )


def timed(name: str, method: str, second: int, event: str = "") -> str:
    return f"{name},d1,{method},2026-05-01T06:30:{second:02}Z,media/{name}.jpg,image/jpeg,{event}\n"


def event(name: str, first: int, last: int, kind: str = "animal", taxon: str = "Vulpes vulpes") -> str:
    moments = ",".join(f"2026-05-01T06:30:{second:02}Z" for second in (first, last))
    return f"o,d1,NA,{name},{moments},event,{kind},{taxon if kind == 'animal' else 'NA'},NA,NA,NA,NA\n"


def labels(folder: Path, media: str, observations: str) -> dict[str, list[str]]:
    """The labels of each medium, by its file name."""
    package(folder, "", observations)
    heading = "mediaID,deploymentID,captureMethod,timestamp,filePath,fileMediatype,eventID\n"
    (folder / "media.csv").write_text(heading + media)
    found: dict[str, list[str]] = {}
    for one in read_dataset(folder).samples:
        found.setdefault(one.path.stem, []).append(one.label)
    return found


MOTION = "".join(timed(f"m{second}", "activityDetection", second) for second in (0, 4, 8))


def test_time_lapse_within_an_event_of_motion_does_not_belong_to_it(tmp_path: Path) -> None:
    media = MOTION + timed("t", "timeLapse", 6)
    motion = {f"m{second}": ["red fox"] for second in (0, 4, 8)}
    blank = event("b", 6, 6, "blank")
    assert labels(tmp_path, media, event("e", 0, 8) + blank) == {**motion, "t": ["nothing"]}
    assert labels(tmp_path, media, blank + event("e", 0, 8)) == {**motion, "t": ["nothing"]}
    assert labels(tmp_path, media, event("e", 0, 8)) == motion


@pytest.mark.parametrize("second", [0, 4, 8])
def test_time_lapse_at_the_moment_of_a_motion_image_changes_nothing(tmp_path: Path, second: int) -> None:
    media = MOTION + timed("t", "timeLapse", second)
    found = labels(tmp_path, media, event("e", 0, 8) + event("b", second, second, "blank"))
    assert found == {**{f"m{at}": ["red fox"] for at in (0, 4, 8)}, "t": ["nothing"]}


def test_a_medium_that_names_its_event_belongs_to_it(tmp_path: Path) -> None:
    media = timed("a", "activityDetection", 2, "e") + timed("b", "activityDetection", 2, "f")
    found = labels(tmp_path, media, event("e", 0, 8) + event("f", 1, 3, "blank"))
    assert found == {"a": ["red fox"], "b": ["nothing"]}


def test_the_shortest_of_several_events_applies_and_none_of_equally_short_ones(tmp_path: Path) -> None:
    media = timed("a", "", 2) + timed("z", "", 9)
    last = event("z", 9, 9)
    assert labels(tmp_path, media, event("e", 0, 8) + event("f", 1, 3, "blank") + last)["a"] == ["nothing"]
    assert "a" not in labels(tmp_path, media, event("e", 0, 3) + event("f", 1, 4, "blank") + last)
    assert "1 media in several events at once left out" in read_dataset(tmp_path).source


def test_an_event_of_days_is_found(tmp_path: Path) -> None:
    long = event("e", 0, 8).replace("2026-05-01T06:30:00Z", "2026-04-20T06:30:00Z")
    assert labels(tmp_path, timed("a", "", 2), long) == {"a": ["red fox"]}


def test_na_is_neither_a_taxon_nor_a_medium(tmp_path: Path) -> None:
    rows = observation("", box="NA,NA,NA,NA").replace("o,d1,,", "o,d1,NA,") + observation("m2", name="NA")
    data = read_dataset(package(tmp_path, medium(1, 5) + medium(2, 30), rows))
    assert [(one.path.name, one.label) for one in data.samples] == [("1.jpg", "red fox")]


@given(st.binary(max_size=200))
def test_an_invalid_descriptor_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "datapackage.json"
    path.write_bytes(data)
    with pytest.raises(DataError):
        read_dataset(path)


def test_a_deeply_nested_descriptor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "datapackage.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match="not JSON"):
        read_dataset(path)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample dataset is not available")
def test_the_genuine_example_is_read(tmp_path: Path) -> None:
    """Its media are web addresses, which this test replaces by paths."""
    for table in SAMPLE.glob("*.*"):
        text = table.read_text(encoding="utf-8").replace("https://multimedia.agouti.eu/assets/", "media/")
        (tmp_path / table.name).write_text(text, encoding="utf-8")
    data: Dataset = read_dataset(tmp_path)
    assert len(data) > 400
    assert "mallard" in data.labels
    assert all(one.burst and one.camera and one.taken for one in data.samples)
