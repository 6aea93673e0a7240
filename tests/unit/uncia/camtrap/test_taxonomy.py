"""Every taxon leads to Animalia by rising ranks; probabilities are summed up to the taxon that they support."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import ROOT
from uncia.camtrap.taxonomy import RANKS, Taxon, Taxonomy
from uncia.errors import SettingsError

TAXONOMY = Taxonomy.load()
CLASSES = (ROOT / "triton_models/recipes/imagenet_classes.csv").read_text(encoding="utf-8").splitlines()
TAXA = sorted({row["taxon"] for row in csv.DictReader(CLASSES) if row["taxon"]})


def test_every_taxon_of_the_label_set_leads_to_animalia_by_rising_ranks() -> None:
    assert len(TAXA) > 250
    for taxon in TAXA:
        assert taxon in TAXONOMY
        lineage = (taxon, *TAXONOMY.ancestors(taxon))
        ranks = [RANKS.index(TAXONOMY.rank(name) or "") for name in lineage]
        assert lineage[-1] == "Animalia"
        assert ranks == sorted(set(ranks), reverse=True), taxon


def test_a_species_is_below_the_genus_of_its_name() -> None:
    for taxon in TAXA:
        if TAXONOMY.rank(taxon) == "species":
            assert TAXONOMY.ancestors(taxon)[0] == taxon.split()[0]


def test_vertebrates_have_a_class_and_an_order() -> None:
    for taxon in TAXA:
        ranks = [TAXONOMY.rank(name) for name in (taxon, *TAXONOMY.ancestors(taxon))]
        if "Chordata" in TAXONOMY.ancestors(taxon):
            assert "class" in ranks
            assert taxon == "Aves" or "order" in ranks


def test_the_snow_leopard_is_a_cat() -> None:
    assert TAXONOMY.ancestors("Panthera uncia") == (
        "Panthera",
        "Felidae",
        "Carnivora",
        "Mammalia",
        "Chordata",
        "Animalia",
    )


def test_taxa_have_the_names_that_people_use_where_the_table_has_them() -> None:
    assert [TAXONOMY.label(name) for name in ("Animalia", "Aves", "Felidae", "Unheard of")] == [
        "animal",
        "bird",
        "Felidae",
        "Unheard of",
    ]


def test_a_sure_species_is_the_species() -> None:
    found = TAXONOMY.roll_up({"Lynx": 0.1, "Panthera uncia": 0.8}, 0.65)
    assert found is not None
    assert (found.taxon, found.rank, found.score) == ("Panthera uncia", "species", 0.8)


def test_an_unsure_cat_is_a_felid() -> None:
    found = TAXONOMY.roll_up({"Lynx": 0.3, "Panthera uncia": 0.25, "Felis catus": 0.2, "Vulpes vulpes": 0.1}, 0.65)
    assert found is not None
    assert (found.taxon, found.rank) == ("Felidae", "family")
    assert found.score == pytest.approx(0.75)


def test_an_unsure_anything_is_an_animal_and_too_little_is_nothing() -> None:
    found = TAXONOMY.roll_up({"Lynx": 0.3, "Nematoda": 0.2, "Scorpiones": 0.2}, 0.65)
    assert found is not None
    assert (found.taxon, TAXONOMY.label(found.taxon)) == ("Animalia", "animal")
    assert TAXONOMY.roll_up({"Lynx": 0.3}, 0.65) is None
    assert TAXONOMY.roll_up({}, 0.65) is None
    assert TAXONOMY.roll_up({"Lynx": 0.0}, 0.0) is None


def test_a_threshold_may_differ_by_rank_and_ranks_without_one_are_passed_over() -> None:
    scores = {"Lynx lynx": 0.7, "Panthera uncia": 0.2}
    found = TAXONOMY.roll_up(scores, {"species": 0.8, "family": 0.6})
    assert found is not None
    assert found.taxon == "Felidae"


def test_a_species_that_cannot_occur_counts_for_the_lowest_taxon_above_it_that_can() -> None:
    allowed = TAXONOMY.allowed(["Panthera uncia", "Vulpes vulpes"])
    scores = {"Panthera onca": 0.7, "Panthera uncia": 0.02, "Lynx": 0.1}
    found = TAXONOMY.roll_up(scores, 0.65, allowed)
    assert found is not None
    assert (found.taxon, found.rank) == ("Panthera", "genus")
    assert found.score == pytest.approx(0.72)
    assert TAXONOMY.totals(scores, allowed)["Panthera uncia"] == 0.02
    assert "Lynx" not in TAXONOMY.totals(scores, allowed)
    assert TAXONOMY.totals(scores, allowed)["Felidae"] == pytest.approx(0.82)


def test_what_is_below_a_listed_taxon_can_occur() -> None:
    found = TAXONOMY.roll_up({"Lynx lynx": 0.9}, 0.65, TAXONOMY.allowed(["Felidae"]))
    assert found is not None
    assert found.taxon == "Lynx lynx"


def test_a_taxon_that_the_table_lacks_is_below_its_genus_or_an_animal() -> None:
    assert TAXONOMY.ancestors("Lynx fantasticus")[0] == "Lynx"
    assert TAXONOMY.rank("Lynx fantasticus") == "species"
    assert TAXONOMY.ancestors("Snarkidae") == ("Animalia",)
    assert TAXONOMY.rank("Snarkidae") is None


@given(st.dictionaries(st.sampled_from(TAXA), st.floats(0, 1 / 300)), st.floats(0.001, 1))
def test_the_result_reaches_the_threshold_and_nothing_below_it_does(scores: dict[str, float], threshold: float) -> None:
    found = TAXONOMY.roll_up(scores, threshold)
    totals = TAXONOMY.totals(scores)
    if found is None:
        assert all(total < threshold for total in totals.values())
        return
    assert found.score >= threshold - 1e-9
    below = [name for name in totals if found.taxon in TAXONOMY.ancestors(name)]
    assert all(totals[name] < threshold for name in below)


def written(folder: Path, text: str) -> Path:
    path = folder / "taxa.csv"
    path.write_text(text, encoding="utf-8")
    return path


@given(
    st.dictionaries(st.sampled_from(TAXA), st.floats(0, 1 / 300), max_size=20),
    st.none() | st.sets(st.sampled_from(TAXA), max_size=5),
)
def test_the_total_of_one_taxon_is_that_among_all_totals(scores: dict[str, float], listed: set[str] | None) -> None:
    allowed = None if listed is None else TAXONOMY.allowed(listed)
    totals = TAXONOMY.totals(scores, allowed)
    below = {above for taxon in scores for above in (taxon, *TAXONOMY.ancestors(taxon))}

    assert {taxon: TAXONOMY.total(scores, taxon, allowed) for taxon in below} == {
        taxon: totals.get(taxon, 0.0) for taxon in below
    }


def test_a_file_adds_taxa_and_moves_ours(tmp_path: Path) -> None:
    text = "taxon,rank,parent,label\nSaola,genus,Bovidae,\nSaola nova,species,Saola,new ox\nPuma,genus,Animalia,\n"
    taxonomy = Taxonomy.load(written(tmp_path, text))
    assert taxonomy.ancestors("Saola nova")[:3] == ("Saola", "Bovidae", "Artiodactyla")
    assert taxonomy.label("Saola nova") == "new ox"
    assert taxonomy.ancestors("Puma concolor") == ("Puma", "Animalia")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("taxon,rank,parent\nAus,genus,Bus\nBus,genus,Aus\n", "Aus -> Bus -> Aus is a cycle"),
        ("taxon,rank,parent\nAus,genus,Aus\n", "Aus -> Aus is a cycle"),
        ("taxon,rank,parent\nFelidae,family,Lynx\n", "is a cycle"),
        ("taxon,rank,parent\nAus,genus,Nonidae\n", "the parent 'Nonidae' of Aus is unknown"),
        ("taxon,rank,parent\nAus,genus,Lynx lynx\n", "the genus Aus cannot be below the species Lynx lynx"),
        ("taxon,rank,parent\nAus,gens,Felidae\n", "unknown rank 'gens'"),
        ("taxon,rank,parent\nAus,genus,\n", "only Animalia has none"),
        ("taxon,rank,parent\nAus,genus,Felidae\nAus,genus,Canidae\n", "line 3 lists Aus a second time"),
        ("taxon,rank,parent\n,genus,Felidae\n", "line 2 names no taxon"),
        ("taxon,rank,parent\n", "it lists no taxon"),
        ("", "the column taxon, rank, parent is missing"),
        ("name;family\nAus;Felidae\n", "the column taxon, rank, parent is missing"),
        ("taxon,rank,parent\n\0", "zero bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_TAXONOMY_FILE") as refused:
        Taxonomy.load(written(tmp_path, text))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Taxonomy.load(tmp_path / "none.csv")


def test_a_cycle_of_a_table_in_code_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        Taxonomy([Taxon("Animalia", "kingdom", ""), Taxon("Aus", "genus", "Bus"), Taxon("Bus", "family", "Aus")])
