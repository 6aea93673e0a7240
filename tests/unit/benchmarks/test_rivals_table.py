"""The table of the other programs, and the measurement of a program by its lines `begin` and `end`."""

import sys
from pathlib import Path

import pytest

from benchmarks.rivals.measured_process import Measured, run_between
from benchmarks.rivals.table import NAMES, tables
from uncia.errors import DependencyDown

_RUNS = {
    "uncia": [Measured(400, 10.0, 8.0), Measured(400, 20.0, 8.0)],
    "spark": [Measured(400, 20.0, 32.0), Measured(400, 40.0, 32.0)],
}


def test_ratios_are_of_one_round_and_never_of_the_medians() -> None:
    (row,) = [line for line in tables(_RUNS, {}).splitlines() if NAMES["spark"] in line]
    assert row == f"| {NAMES['spark']} | 15.0 | 10.0 to 20.0 | 80.0 | 2.00 | 4.00 |"


def test_the_line_by_process_begins_with_the_dearest_and_leaves_out_what_costs_nothing() -> None:
    text = tables(_RUNS, {"predict": 12.04, "triton-stub-rival_classifier": 15.5, "reconcile": 0.01})
    assert text.endswith("by process: rival_classifier 15.5, predict 12.0.")


def test_a_program_that_fails_is_an_error_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(DependencyDown, match="no such model"):
        run_between([sys.executable, "-c", "import sys; sys.exit('no such model')"], 1, tmp_path / "log")
