"""Rarefaction and Chao1 against values that were computed by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.accumulation import chao1, distinct_taxa, rarefaction, rarefaction_curve


def test_of_two_detections_among_three_of_two_taxa_five_thirds_are_expected() -> None:
    # A, A, B: of the three pairs, one shows A alone and two show both.
    assert rarefaction([2, 1], 2) == pytest.approx(5 / 3)
    assert rarefaction([2, 1], 0) == 0
    assert rarefaction([2, 1], 1) == pytest.approx(1)
    assert rarefaction([2, 1], 3) == pytest.approx(2)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_rarefaction_is_the_mean_over_all_samples(counts: list[int], data: st.DataObject) -> None:
    animals = [taxon for taxon, count in enumerate(counts) for _ in range(count)]
    size = data.draw(st.integers(0, len(animals)))
    samples = [len(set(sample)) for sample in itertools.combinations(animals, size)]
    assert rarefaction(counts, size) == pytest.approx(sum(samples) / len(samples))


def test_more_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="4 detections cannot be drawn from 3"):
        rarefaction([2, 1], 4)


def test_the_curve_goes_from_nothing_to_all_taxa() -> None:
    curve = rarefaction_curve([300, 40, 2, 1])
    assert curve[0] == (0, 0)
    assert curve[-1][0] == 343
    assert curve[-1][1] == pytest.approx(4)
    assert [taxa for _, taxa in curve] == sorted(taxa for _, taxa in curve)
    assert rarefaction_curve([]) == [(0, 0.0)]


def test_chao1_adds_what_the_taxa_seen_once_and_twice_suggest() -> None:
    # Five taxa, three seen once, one twice: 5 + 3 * 2 / (2 * 2).
    assert chao1([1, 1, 1, 2, 5]) == 6.5
    # Without one seen twice: 3 + 2 * 1 / 2.
    assert chao1([1, 1, 9]) == 4
    assert chao1([4, 7]) == 2
    assert chao1([]) == 0


def test_a_family_is_no_taxon_of_its_own_where_a_species_of_it_was_seen() -> None:
    taxonomy = Taxonomy.load()
    assert distinct_taxa(["Felidae", "Panthera uncia", "Aves"], taxonomy) == {"Panthera uncia", "Aves"}
    assert distinct_taxa(["Felidae", "Aves"], taxonomy) == {"Felidae", "Aves"}
