"""The committed table: what the 1,000 outputs of a stock classifier mean to a camera trap."""

import pytest

from uncia.serving.labels import LabelClass
from uncia.triton_models.recipes.imagenet import label_set

CLASSES = label_set().classes


def test_there_are_a_thousand_classes() -> None:
    assert len(CLASSES) == 1000


def test_the_snow_leopard_has_its_calibrated_threshold() -> None:
    assert label_set().classes_of_taxon("Panthera uncia") == (
        LabelClass(index=289, label="snow leopard", taxon="Panthera uncia", group="animal", threshold=0.02),
    )


def test_no_other_threshold_was_calibrated() -> None:
    assert [entry.label for entry in CLASSES if entry.threshold is not None] == ["snow leopard"]


def test_the_source_names_the_data_of_the_threshold() -> None:
    assert "851 genuine frames" in label_set().source
    assert "not from the leopards' own cameras" in label_set().source


@pytest.mark.parametrize(
    ("index", "label", "taxon"),
    [
        (0, "tench", "Tinca tinca"),
        (151, "Chihuahua", "Canis familiaris"),
        (268, "Mexican hairless", "Canis familiaris"),
        (269, "timber wolf", "Canis lupus"),
        (277, "red fox", "Vulpes vulpes"),
        (281, "tabby", "Felis catus"),
        (285, "Egyptian cat", "Felis catus"),
        (287, "lynx", "Lynx"),
        (294, "brown bear", "Ursus arctos"),
        (336, "marmot", "Marmota"),
        (342, "wild boar", "Sus scrofa"),
        (350, "ibex", "Capra"),
        (383, "Madagascar cat", "Lemur catta"),
        (388, "giant panda", "Ailuropoda melanoleuca"),
        (397, "puffer", "Tetraodontidae"),
    ],
)
def test_the_animals_have_their_taxon(index: int, label: str, taxon: str) -> None:
    assert (CLASSES[index].label, CLASSES[index].taxon, CLASSES[index].group) == (label, taxon, "animal")


def test_all_dogs_are_one_species_and_the_wild_ones_are_not() -> None:
    assert [entry.index for entry in label_set().classes_of_taxon("Canis familiaris")] == list(range(151, 269))


def test_the_first_398_are_the_animals() -> None:
    assert [entry.index for entry in CLASSES if entry.group == "animal"] == list(range(398))


def test_exactly_animals_and_persons_have_a_taxon() -> None:
    assert all(bool(entry.taxon) == (entry.group in ("animal", "person")) for entry in CLASSES)


@pytest.mark.parametrize("index", [511, 609, 671, 717, 751, 802, 866])
def test_vehicles(index: int) -> None:
    assert CLASSES[index].group == "vehicle"


@pytest.mark.parametrize("index", [652, 981, 982, 983])
def test_persons(index: int) -> None:
    assert (CLASSES[index].group, CLASSES[index].taxon) == ("person", "Homo sapiens")


def test_labels_are_unique() -> None:
    assert len({entry.label for entry in CLASSES}) == 1000


def test_taxa_are_written_as_scientific_names() -> None:
    for entry in CLASSES:
        words = entry.taxon.split()
        assert not words or (words[0].istitle() and all(word.islower() for word in words[1:])), entry
