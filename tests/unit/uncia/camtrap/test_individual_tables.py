"""Individuals in tables of other programs."""

from datetime import datetime

import pytest

from uncia.camtrap.individual_tables import ImportedSighting, IndividualTable, as_decisions, of_one_taxon, sightings_of
from uncia.camtrap.individuals import Individual, fold
from uncia.camtrap.table_reader import table_of
from uncia.errors import UnciaError

COLUMNS = ("individualID", "genus", "specificEpithet", "year", "month", "day", "hour", "minutes", "locationID")
WILDBOOK = f"""{",".join(f"Encounter.{name}" for name in (*COLUMNS, "catalogNumber"))}
F07,Panthera,uncia,2024,5,3,21,40,ridge,enc-1
F07,Panthera,uncia,2023,6,,,,valley,enc-2
,Panthera,uncia,2024,5,4,1,0,ridge,enc-3
"""
CAMTRAP_DP = """observationID,deploymentID,eventID,eventStart,scientificName,individualID
obs-1,dep-1,bst-1,2024-05-03T21:40:00+06:00,Panthera uncia,F07
obs-2,dep-2,other,2024-05-05T21:40:00+06:00,Panthera uncia,F07
"""
TRAPTAGGER = """Site Name,Camera Name,Timestamp,Cluster ID,Species,Individuals
ridge,ridge-north,2024-05-03 21:40:09,7,Snow leopard,F07
ridge,ridge-north,2024-05-03 21:40:05,7,Snow leopard,F07|F08
valley,valley-A,2024-06-01 03:00:00,9,Snow leopard,F07
valley,valley-A,2024-06-02 03:00:00,10,Snow leopard,None
valley,valley-A,2024-06-03 03:00:00,11,Snow leopard,unidentifiable
"""


def read(kind: IndividualTable, text: str) -> tuple[list[ImportedSighting], int]:
    table = table_of(text.encode())
    return sightings_of(kind, table.header, table)


def individual(kind: IndividualTable, text: str, **cameras: str) -> Individual:
    named = {name.replace("_", "-"): camera for name, camera in cameras.items()}
    (found,) = fold(as_decisions(kind, read(kind, text)[0], "aigul", named)).current()
    return found


def test_a_wildbook_individual_has_its_encounters_in_order() -> None:
    found = individual(IndividualTable.WILDBOOK, WILDBOOK)
    assert (found.code, found.taxon) == ("F07", "Panthera uncia")
    assert [(each.captured_at, each.station) for each in found.sightings] == [
        (datetime(2023, 6, 1), "valley"),
        (datetime(2024, 5, 3, 21, 40), "ridge"),
    ]


def test_rows_without_an_individual_are_counted() -> None:
    assert read(IndividualTable.WILDBOOK, WILDBOOK)[1] == 1


def test_a_deployment_that_is_known_gives_the_camera_and_a_burst_keeps_its_id() -> None:
    first, second = individual(IndividualTable.CAMTRAP_DP, CAMTRAP_DP, dep_1="ridge/north").sightings
    assert (first.burst_id, first.station, first.camera) == ("bst-1", "ridge", "ridge/north")
    assert (second.station, second.camera) == (None, None)
    assert second.burst_id.startswith("bst-")


def test_two_individuals_of_one_event_are_two_sightings() -> None:
    rows = CAMTRAP_DP.replace("obs-2,dep-2,other", "obs-2,dep-1,bst-1").rstrip()[:-3] + "F08\n"
    found = fold(as_decisions(IndividualTable.CAMTRAP_DP, read(IndividualTable.CAMTRAP_DP, rows)[0], "aigul", {}))
    assert [(each.code, len(each.sightings)) for each in found.current()] == [("F07", 1), ("F08", 1)]
    assert "bst-1" not in found.bursts


def test_a_second_import_gives_the_same_decisions() -> None:
    found, _ = read(IndividualTable.WILDBOOK, WILDBOOK)
    once, again = (as_decisions(IndividualTable.WILDBOOK, rows, "aigul", {}) for rows in (found, found[::-1]))
    assert once == again
    assert fold([*once, *again]) == fold(once)


def test_an_individual_is_seen_once_in_a_cluster_of_traptagger_at_its_first_photograph() -> None:
    found = fold(as_decisions(IndividualTable.TRAPTAGGER, read(IndividualTable.TRAPTAGGER, TRAPTAGGER)[0], "aigul", {}))
    first, second = found.current()
    assert [(each.captured_at, each.station) for each in first.sightings] == [
        (datetime(2024, 5, 3, 21, 40, 5), "ridge"),
        (datetime(2024, 6, 1, 3), "valley"),
    ]
    assert (first.code, second.code, len(second.sightings)) == ("F07", "F08", 1)


def test_what_traptagger_could_not_identify_is_no_individual() -> None:
    assert read(IndividualTable.TRAPTAGGER, TRAPTAGGER)[1] == 2


def test_a_camera_of_traptagger_is_that_of_the_deployment_with_its_name() -> None:
    found, _ = read(IndividualTable.TRAPTAGGER, TRAPTAGGER)
    decisions = as_decisions(IndividualTable.TRAPTAGGER, found, "aigul", {"valley-A": "valley/a"})
    assert {each.camera for each in decisions} == {None, "valley/a"}


def test_a_table_without_clusters_has_a_sighting_for_each_time() -> None:
    rows = [line.split(",") for line in TRAPTAGGER.splitlines()]
    text = "\n".join(",".join([*row[:3], *row[4:]]) for row in rows)
    found = fold(as_decisions(IndividualTable.TRAPTAGGER, read(IndividualTable.TRAPTAGGER, text)[0], "aigul", {}))
    assert [len(each.sightings) for each in found.current()] == [3, 1]


def test_the_given_taxon_replaces_the_labels_of_one_species() -> None:
    found, _ = read(IndividualTable.TRAPTAGGER, TRAPTAGGER)
    assert {each.taxon for each in of_one_taxon(found, "Panthera uncia")} == {"Panthera uncia"}


def test_individuals_of_two_species_are_refused_under_one_taxon() -> None:
    found, _ = read(IndividualTable.TRAPTAGGER, TRAPTAGGER.replace("9,Snow leopard", "9,Lynx"))
    with pytest.raises(UnciaError, match="individuals of Lynx, Snow leopard"):
        of_one_taxon(found, "Panthera uncia")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (IndividualTable.WILDBOOK, "a,b\n1,2\n", "no table of wildbook"),
        (IndividualTable.CAMTRAP_DP, "a,b\n1,2\n", "no table of camtrap-dp"),
        (IndividualTable.WILDBOOK, WILDBOOK.replace("2024,5,3", "2024,15,3"), "line 2: 2024-15-3 21:40 is no time"),
        (IndividualTable.TRAPTAGGER, "a,b\n1,2\n", "no table of traptagger"),
        (IndividualTable.TRAPTAGGER, TRAPTAGGER.replace("2024-06-01", "June"), "line 4: Timestamp 'June 03:00:00'"),
        (IndividualTable.CAMTRAP_DP, CAMTRAP_DP.replace("2024-05-05T", "soon "), "line 3: eventStart"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(kind: IndividualTable, text: str, message: str) -> None:
    with pytest.raises(UnciaError, match=message):
        read(kind, text)
