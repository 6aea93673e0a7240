"""The files of capture histories, as the programs that read them expect."""

from datetime import date

import pytest

from tests.unit.uncia.camtrap.individual_decisions import new, same
from uncia.camtrap.capture_histories import Detector, Occasions
from uncia.camtrap.capture_tables import CaptureFormat, capture_tables
from uncia.camtrap.individuals import fold

# A burst's number is its day in April 2026; its station is ridge, valley or ford, in turn.
INDIVIDUALS = fold(
    [
        new(0, "ind-a", "bst-0", code="F 01"),
        same(1, "ind-a", "bst-3"),
        same(2, "ind-a", "bst-7"),
        new(3, "ind-b", "bst-6", code="F_01"),
    ]
).current()
SURVEY = Occasions(date(2026, 4, 1), date(2026, 4, 10), 5)
DETECTORS = (
    Detector("ridge", 42.0, 75.0, ((date(2026, 4, 1), None),)),
    Detector("valley", 42.0, 75.0, ((date(2026, 4, 6), date(2026, 4, 7)),)),
)


def tables(kind: CaptureFormat) -> dict[str, list[str]]:
    files, _ = capture_tables(kind, INDIVIDUALS, DETECTORS, SURVEY)
    return {name: text.splitlines() for name, text in files.items()}


def test_secr_has_a_row_for_each_burst_and_one_word_for_each_individual() -> None:
    rows = [row for row in tables(CaptureFormat.SECR)["captures.txt"] if not row.startswith("#")]
    assert rows == ["1 F_01 1 ridge", "1 F_01 1 ridge", "1 F_01 2 valley", "1 F_01_2 2 ridge"]


def test_secr_has_the_days_of_operation_behind_the_position() -> None:
    ridge, valley = (row for row in tables(CaptureFormat.SECR)["traps.txt"] if not row.startswith("#"))
    assert ridge.startswith("ridge 500000.0 46")
    assert (ridge.partition(" / ")[2], valley.partition(" / ")[2]) == ("5 5", "0 2")


def test_oscr_has_whether_a_trap_was_in_use() -> None:
    heading, ridge, valley = tables(CaptureFormat.OSCR)["tdf.csv"]
    assert heading == "trap,X,Y,1,2"
    assert (ridge[-3:], valley[-3:]) == ("1,1", "0,1")


def test_camtrapr_has_the_time_of_each_record_and_the_days_of_a_station() -> None:
    found = tables(CaptureFormat.CAMTRAPR)
    assert found["records.csv"][1] == "ridge,Panthera uncia,F 01,2026-04-01 06:00:00"
    assert found["stations.csv"][2].endswith(",2026-04-06,2026-04-07")
    assert found["stations.csv"][1].endswith(",2026-04-01,")


def test_camtrapr_has_no_record_outside_the_survey() -> None:
    survey = Occasions(date(2026, 4, 5), date(2026, 4, 8), 5)
    files, _ = capture_tables(CaptureFormat.CAMTRAPR, INDIVIDUALS, DETECTORS, survey)
    assert [row.split(",")[3][:10] for row in files["records.csv"].splitlines()[1:]] == ["2026-04-07", "2026-04-08"]


def test_counts_has_one_file_for_each_question() -> None:
    found = tables(CaptureFormat.COUNTS)
    assert found["alive.csv"] == ["month,seen,minimum_alive", "2026-04,2,2"]
    assert found["moves.csv"][1].startswith("F 01,ridge,valley,2026-04-04T06:00:00")
    assert found["turnover.csv"][1] == "ridge,valley,2,1,1,0.500"


@pytest.mark.parametrize("kind", CaptureFormat)
def test_what_is_outside_the_survey_is_counted(kind: CaptureFormat) -> None:
    _, left_out = capture_tables(kind, INDIVIDUALS, DETECTORS[:1], SURVEY)
    assert left_out == 1
