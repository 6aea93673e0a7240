"""Names from outside are no formulas, and numbers stay numbers."""

import pytest

from tests.paths import ROOT, sources
from uncia.camtrap.csv_cells import escape_formula


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", " =1", "-", "=HYPERLINK(1)"]
)
def test_a_formula_becomes_text(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("value", [-3, 2.5, None, "-3", "+2.5", "-1e-3", "river/ford", "", "a=b", "'x"])
def test_everything_else_stays(value: object) -> None:
    assert escape_formula(value) == value


def test_every_table_that_is_written_goes_through_it() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    writing = {path for path, text in texts.items() if "csv.writer(" in text or "csv.DictWriter(" in text}
    # Their tables are for programs, and ids, labels and paths must stay what they are.
    exempt = {ROOT / "dashboard" / "exports" / name for name in ("camtrap_dp.py", "reviewed.py")}
    exempt |= {ROOT / "training" / "remote" / "wheel.py", ROOT / "commands" / "sounds.py"}
    assert exempt <= writing
    assert [str(path) for path in writing - exempt if "escape_formula" not in texts[path]] == []
