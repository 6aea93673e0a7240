"""`uncia individuals`: decisions go to the topic, and what it prints comes from it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.processors.identify.builders import NOW, TAXON, burst, crop_of
from uncia.camtrap.individuals import Individual, IndividualUnknown, RegistryState, fold
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.taxonomy import Taxonomy
from uncia.commands import individuals, individuals_export
from uncia.commands.individuals import app
from uncia.errors import UnciaError
from uncia.events import (
    BurstResolved,
    CropPublished,
    DeploymentChanged,
    IndividualCrop,
    IndividualDecided,
    IndividualSighted,
    Sensitivity,
    SightingStatus,
)
from uncia.kafka.broker import Message
from uncia.processors.identify.sighting import SUPERSEDED
from uncia.topics import INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED, Topic

FIRST, SECOND = burst(1), burst(2)


class Log:
    """The two topics, as lists."""

    def __init__(self) -> None:
        self.values: dict[Topic, list[bytes]] = {INDIVIDUAL_DECIDED: [], INDIVIDUAL_SIGHTED: []}

    def read(self, _: Any, topics: tuple[Topic, ...], **options: bool) -> Iterable[Message]:
        assert options == {"from_beginning": True, "until_end": True}
        for topic in topics:
            for offset, value in enumerate(self.values[topic]):
                yield Message(topic.name, 0, offset, 0, b"key", value, [])

    def send(self, _: Any, topic: Topic, messages: Iterable[tuple[str, bytes, bytes]]) -> None:
        self.values[topic] += [value for _, _, value in messages]

    def match_again(self, burst: BurstResolved, *best: CropPublished) -> None:
        """As the worker `identify` does when a burst has better crops."""
        crops = tuple(IndividualCrop(crop_id=crop.crop_id, bucket=crop.bucket, key=crop.key) for crop in best)
        self._revise(burst, crops=crops)

    def withdraw(self, burst: BurstResolved, reason: str) -> None:
        """As the worker `identify` does."""
        self._revise(burst, status=SightingStatus.WITHDRAWN, crops=(), reason=reason)

    def _revise(self, burst: BurstResolved, **update: Any) -> None:
        events = (IndividualSighted.from_bytes(value) for value in self.values[INDIVIDUAL_SIGHTED])
        known = next(event for event in events if event.burst_id == burst.burst_id)
        self.values[INDIVIDUAL_SIGHTED].append(known.model_copy(update={"revision": 2, **update}).to_bytes())

    @property
    def decisions(self) -> list[IndividualDecided]:
        return [IndividualDecided.from_bytes(value) for value in self.values[INDIVIDUAL_DECIDED]]

    @property
    def state(self) -> RegistryState:
        return fold(self.decisions)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    found = Log()
    for each in (FIRST, SECOND):
        crop = crop_of(each)
        sighted = IndividualSighted(
            burst_id=each.burst_id,
            revision=1,
            station=each.station,
            camera=each.camera,
            started_at=each.started_at,
            taxon=TAXON,
            status=SightingStatus.PROPOSED,
            crops=(IndividualCrop(crop_id=crop.crop_id, bucket=crop.bucket, key=crop.key),),
            sighted_at=NOW,
        )
        found.values[INDIVIDUAL_SIGHTED].append(sighted.to_bytes())
    monkeypatch.setattr(individuals, "read_topics", found.read)
    monkeypatch.setattr(individuals, "send_to_cameras", found.send)
    return found


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).output


def test_a_new_individual_has_the_crops_of_its_burst(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07", "--side", "left")
    (found,) = log.state.current()
    assert (found.code, found.taxon) == ("F07", TAXON)
    assert [crop.crop_id for crop in found.crops] == [crop_of(FIRST).crop_id]
    assert found.sides == {"left"}


def test_a_decision_on_a_burst_names_crops_that_were_decided_and_are_no_longer_among_the_best(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    log.match_again(FIRST, crop_of(FIRST, 2))
    run("decide", FIRST.burst_id, "--new", "--code", "F08")
    assert [each.code for each in log.state.current() if each.sightings] == ["F08"]


def test_the_side_of_a_burst_is_not_that_of_crops_that_are_no_longer_among_the_best(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07", "--side", "left")
    log.match_again(FIRST, crop_of(FIRST, 2))
    run("decide", FIRST.burst_id, "--same", "F07", "--side", "right")
    assert log.state.find("F07").sides == {"left", "right"}


def test_a_known_individual_is_named_by_its_code(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    run("decide", SECOND.burst_id, "--same", "f07")
    assert len(log.state.find("F07").sightings) == 2


@pytest.mark.parametrize("options", [[], ["--new", "--unsure"]])
def test_exactly_one_thing_is_decided(log: Log, options: list[str]) -> None:
    with pytest.raises(UnciaError, match="decide one thing"):
        run("decide", FIRST.burst_id, *options)


def test_a_code_is_not_given_twice(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    with pytest.raises(UnciaError, match="already"):
        run("decide", SECOND.burst_id, "--new", "--code", "f07")


def test_an_individual_that_does_not_exist_is_refused(log: Log) -> None:
    with pytest.raises(IndividualUnknown, match="no individual 'F99'"):
        run("decide", FIRST.burst_id, "--same", "F99")


def test_a_burst_without_a_sighting_is_refused(log: Log) -> None:
    with pytest.raises(UnciaError, match="published nothing about 'bst-unknown'"):
        run("decide", "bst-unknown", "--unsure")


def test_a_merger_and_its_undo(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    run("decide", SECOND.burst_id, "--new", "--code", "F08")
    before = log.state
    run("merge", "F08", "F07")
    assert [each.code for each in log.state.current()] == ["F07"]
    run("undo", log.decisions[-1].decision_id)
    assert log.state == before


def test_a_split_takes_bursts_that_the_individual_has(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    run("decide", SECOND.burst_id, "--same", "F07")
    with pytest.raises(UnciaError, match="shows no F07"):
        run("split", "F07", "bst-unknown", "--code", "F08")
    run("split", "F07", SECOND.burst_id, "--code", "F08")
    assert [each.burst_id for each in log.state.find("F08").sightings] == [SECOND.burst_id]


def test_a_name_is_changed_and_an_undo_of_an_unknown_decision_refused(log: Log) -> None:
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    run("rename", "F07", "--name", "Dagina")
    assert log.state.find("Dagina").code == "F07"
    with pytest.raises(UnciaError, match="no decision"):
        run("undo", "idn-unknown")


def test_individuals_and_what_waits_are_listed(log: Log) -> None:
    assert [each["burst_id"] for each in json.loads(run("list", "--proposed", "--json"))] == [
        FIRST.burst_id,
        SECOND.burst_id,
    ]
    assert "no individuals" in run("list")
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    (found,) = json.loads(run("list", "--json"))["individuals"]
    assert (found["code"], len(found["sightings"])) == ("F07", 1)
    assert FIRST.burst_id in run("show", "F07")


def test_a_table_of_another_program_becomes_decisions(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uncia.producers.deployments.topic.known_deployments", lambda _: {})
    file = tmp_path / "observations.csv"
    file.write_text(
        f"individualID,eventID,eventStart,scientificName\nF07,{FIRST.burst_id},2026-05-02T10:00:00,{TAXON}\n",
        encoding="utf-8",
    )
    for _ in range(2):
        assert "1 sightings of 1 individuals" in run("import", str(file), "--format", "camtrap-dp")
    assert [each.burst_id for each in log.state.find("F07").sightings] == [FIRST.burst_id]
    with pytest.raises(UnciaError, match=r"observations\.csv: the table has no columns"):
        run("import", str(file), "--format", "wildbook")


def deployment(level: Sensitivity) -> DeploymentChanged:
    return DeploymentChanged(
        deployment_id="dep-1",
        camera=FIRST.camera,
        start=datetime(2026, 4, 1, tzinfo=UTC),
        utc_offset_minutes=360,
        latitude=42.123456,
        longitude=77.654321,
        coordinate_sensitivity=level,
    )


@pytest.mark.parametrize(
    ("level", "taxa", "exact", "latitude"),
    [
        (Sensitivity.NONE, Sensitivity.NONE, False, 42.123456),
        (Sensitivity.NONE, Sensitivity.HIGH, False, 42.1),
        (Sensitivity.EXTREME, Sensitivity.NONE, False, 42.0),
        (Sensitivity.EXTREME, Sensitivity.EXTREME, True, 42.123456),
    ],
)
def test_positions_are_as_exact_as_deployment_and_taxon_allow(
    level: Sensitivity, taxa: Sensitivity, exact: bool, latitude: float
) -> None:
    (detector,) = individuals_export.detectors_of([deployment(level)], taxa, exact=exact)
    assert detector.latitude == latitude


def test_a_station_on_both_sides_of_180_degrees_is_in_their_middle() -> None:
    one = deployment(Sensitivity.NONE)
    both = [one.model_copy(update={"longitude": longitude}) for longitude in (179.0, -178.0)]
    (detector,) = individuals_export.detectors_of(both, Sensitivity.NONE, exact=False)
    assert detector.longitude == -179.5


@pytest.mark.parametrize(
    ("taxa", "level"),
    [
        ((), Sensitivity.EXTREME),
        ((None,), Sensitivity.EXTREME),
        (("Vulpes vulpes", None), Sensitivity.EXTREME),
        (("Vulpes vulpes",), Sensitivity.NONE),
        (("Vulpes vulpes", TAXON), Sensitivity.HIGH),
    ],
)
def test_positions_are_as_coarse_as_any_taxon_demands_where_a_taxon_is_unknown(
    taxa: tuple[str | None, ...], level: Sensitivity
) -> None:
    listed = SensitiveTaxa({TAXON: Sensitivity.HIGH, "Saiga tatarica": Sensitivity.EXTREME}, Taxonomy.load())
    found = [Individual(f"ind-{number}", taxon=taxon) for number, taxon in enumerate(taxa)]
    assert individuals_export.level_of(found, listed) == level


def test_an_export_without_individuals_has_no_exact_position(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(individuals_export, "known_deployments", lambda _: {b"key": deployment(Sensitivity.NONE)})
    exported = []
    for options in ([], ["--exact-positions"]):
        folder = tmp_path / f"survey{len(options)}"
        run("export", "secr", str(folder), "--since", "2026-05-01", "--until", "2026-05-10", *options)
        exported.append((folder / "traps.txt").read_text(encoding="utf-8"))
    assert exported[0] != exported[1]


def test_a_superseded_burst_is_left_out_of_an_export(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(individuals_export, "known_deployments", lambda _: {b"key": deployment(Sensitivity.NONE)})
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    run("decide", SECOND.burst_id, "--same", "F07")
    log.withdraw(FIRST, SUPERSEDED)
    arguments = ("export", "secr", str(tmp_path / "survey"), "--since", "2026-05-01", "--until", "2026-05-10")
    assert "left out: 1 sightings of bursts that were superseded" in run(*arguments)
    rows = (tmp_path / "survey" / "captures.txt").read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if not row.startswith("#")] == ["1 F07 3 ridge"]


def test_an_export_writes_its_files_and_refuses_a_folder_that_exists(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {b"key": deployment(Sensitivity.NONE)}
    monkeypatch.setattr(individuals_export, "known_deployments", lambda _: known)
    run("decide", FIRST.burst_id, "--new", "--code", "F07")
    arguments = ("export", "secr", str(tmp_path / "survey"), "--since", "2026-05-01", "--until", "2026-05-10")
    assert "1 individuals" in run(*arguments)
    assert "1 F07 2 ridge" in (tmp_path / "survey" / "captures.txt").read_text(encoding="utf-8")
    with pytest.raises(UnciaError, match="exists"):
        run(*arguments)
