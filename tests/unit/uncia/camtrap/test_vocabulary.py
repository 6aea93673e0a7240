"""One vocabulary of categories for labels of data sets, label files and models."""

import pytest

from uncia.camtrap.vocabulary import CATEGORIES, OBSERVATION_TYPES, category_of, is_unknown


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("Blank", "nothing"),
        ("no_animal", "nothing"),
        ("Homo sapiens", "person"),
        ("HUMAN", "person"),
        ("motor-cycle", None),
        ("ATV", "vehicle"),
        ("animal", "animal"),
        ("Panthera uncia", None),
        ("", None),
    ],
)
def test_a_label_names_its_category_however_it_is_written(label: str, category: str | None) -> None:
    assert category_of(label) == category


def test_every_category_names_itself() -> None:
    assert [category_of(category) for category in CATEGORIES] == list(CATEGORIES)
    assert set(OBSERVATION_TYPES.values()) == set(CATEGORIES)


@pytest.mark.parametrize("label", ["", "Unknown", "no CV result", "un-labeled", "fox"])
def test_an_unknown_label_states_nothing(label: str) -> None:
    assert is_unknown(label) == (label in ("", "Unknown", "no CV result"))
