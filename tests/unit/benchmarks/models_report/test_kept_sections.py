"""One step of the report can be run and written alone: the other sections of the page stay as they are."""

from benchmarks.models_report.kept_sections import SECTIONS, with_kept_sections
from tests.paths import ROOT

OLD = "Written in May. Measured: May at abc: data; June at def: serving.\n\n### Data\n\nold\n\n### Serving\n\nfast\n"


def test_sections_without_new_results_are_kept_in_order() -> None:
    page = with_kept_sections("Written in July.\n\n### Proposed boxes\n\nnew\n\n### Data\n\nother\n", OLD)
    assert [line for line in page.splitlines() if line and not line.startswith("Kept")] == [
        "Written in July.",
        "### Data",
        "other",
        "### Proposed boxes",
        "new",
        "### Serving",
        "fast",
    ]
    assert "Kept from an earlier run: Serving. Measured: May at abc: data; June at def: serving." in page


def test_when_a_kept_section_was_measured_survives_a_second_run() -> None:
    first = with_kept_sections("Written in July. Measured: July at ghi: boxes.\n\n### Proposed boxes\n\nnew\n", OLD)
    second = with_kept_sections("Written in August.\n\n### Data\n\nthird\n", first)
    assert "Measured: July at ghi: boxes. Measured: May at abc: data; June at def: serving." in second


def test_a_page_with_results_of_all_sections_is_left_as_it_is() -> None:
    new = "Written.\n\n### Data\n\nnew\n\n### Serving\n\nnew\n"
    assert with_kept_sections(new, OLD) == new


def test_every_section_of_the_page_has_its_place() -> None:
    titles = [line[4:] for line in (ROOT / "docs" / "models.md").read_text().splitlines() if line.startswith("### ")]
    assert set(titles) <= set(SECTIONS)
