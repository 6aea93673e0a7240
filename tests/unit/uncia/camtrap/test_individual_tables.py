"""Individuals in tables of other programs."""

from datetime import datetime

import pytest

from uncia.camtrap.individual_tables import ImportedSighting, IndividualTable, as_decisions, sightings_of
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


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (IndividualTable.WILDBOOK, "a,b\n1,2\n", "no table of wildbook"),
        (IndividualTable.CAMTRAP_DP, "a,b\n1,2\n", "no table of camtrap-dp"),
        (IndividualTable.WILDBOOK, WILDBOOK.replace("2024,5,3", "2024,15,3"), "line 2: 2024-15-3 21:40 is no time"),
        (IndividualTable.CAMTRAP_DP, CAMTRAP_DP.replace("2024-05-05T", "soon "), "line 3: eventStart"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(kind: IndividualTable, text: str, message: str) -> None:
    with pytest.raises(UnciaError, match=message):
        read(kind, text)
