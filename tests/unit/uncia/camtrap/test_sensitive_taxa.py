"""The levels of taxa: the table, what is below and above a listed taxon, and mistakes in a file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError
from uncia.events import Sensitivity

TAXA = SensitiveTaxa.load()
ORDER = list(Sensitivity)


@pytest.mark.parametrize(
    ("taxon", "level"),
    [
        ("Panthera uncia", "extreme"),
        ("panthera  uncia", "extreme"),
        ("Panthera tigris", "extreme"),
        ("Panthera pardus", "high"),
        ("Panthera pardus tulliana", "extreme"),  # below no listed species of the table: any of its genus
        ("Manis javanica", "extreme"),
        ("Loxodonta africana", "high"),
        ("Loxodonta cyclotis", "high"),
        ("Capra sibirica", "none"),
        ("Mammalia", "none"),
        ("Felidae", "none"),
        (None, "none"),
        ("", "none"),
    ],
)
def test_a_taxon_has_the_level_of_the_table(taxon: str | None, level: str) -> None:
    assert TAXA.of(taxon) is Sensitivity(level)


def test_a_genus_and_its_unknown_species_may_be_the_secret_species() -> None:
    assert TAXA.of("Panthera") is Sensitivity.EXTREME
    assert TAXA.of("Panthera unica") is Sensitivity.EXTREME


def test_what_people_call_it_is_as_secret() -> None:
    taxonomy = Taxonomy.load()
    assert TAXA.of(taxonomy.label("Panthera uncia")) is Sensitivity.EXTREME


@given(st.sampled_from(sorted(Taxonomy.load().names)))
def test_nothing_below_a_taxon_is_less_secret(taxon: str) -> None:
    for above in TAXA.taxonomy.ancestors(taxon):
        if above in TAXA.listed:
            assert ORDER.index(TAXA.of(taxon)) >= ORDER.index(TAXA.listed[above])


@given(st.lists(st.sampled_from(sorted(Taxonomy.load().names))))
def test_the_strictest_of_several_taxa_applies(taxa: list[str]) -> None:
    assert ORDER.index(TAXA.strictest_of(taxa)) == max((ORDER.index(TAXA.of(taxon)) for taxon in taxa), default=0)


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("taxon,sensitivity\nCapra sibirica,very\n", "line 2, column 2 (sensitivity): 'very' is not one of"),
        ("taxon,sensitivity\nCapra,low\nCapra,high\n", "line 3, column 1 (taxon): Capra is listed a second time"),
        ("taxon,sensitivity\n,low\n", "line 2, column 1 (taxon): it names no taxon"),
        ("taxon,level\nCapra,low\n", "line 1: the column sensitivity is missing"),
        ("taxon,sensitivity\nCapra,low,or high\n", "line 2, column 3: the row has more cells"),
    ],
)
def test_a_mistake_names_line_and_column(tmp_path: Path, table: str, place: str) -> None:
    file = tmp_path / "taxa.csv"
    file.write_text(table, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        SensitiveTaxa.load(file)
    assert place in str(error.value)


def test_a_file_replaces_the_table(tmp_path: Path) -> None:
    file = tmp_path / "taxa.csv"
    file.write_text("taxon;sensitivity\nCapra;low\nNosuchia;high\n", encoding="utf-8")
    found = SensitiveTaxa.load(file)
    assert found.of("Panthera uncia") is Sensitivity.NONE
    assert found.of("Capra sibirica") is Sensitivity.LOW
    assert found.of("Nosuchia rara") is Sensitivity.HIGH
    assert found.unknown() == ["Nosuchia"]
