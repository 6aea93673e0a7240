"""Relabelling a dataset by group, and splits that test the head on unseen kinds."""

from pathlib import Path

import pytest

from uncia.training.animal_or_not.dataset import GroupsError, label_by_group, split_by_kind
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import find_leaks


def burst(name: str, *labels: tuple[str, str]) -> list[Sample]:
    return [
        Sample(Path(f"{name}-{at}.jpg"), label, name, "place-1", group=group)
        for at, (label, group) in enumerate(labels)
    ]


def some() -> Dataset:
    pictures = []
    for at in range(60):
        kind = f"kind-{at % 10}"
        # The last frame of each burst is empty: the animal has left.
        pictures += burst(f"a{at}", (kind, "animal"), (kind, "animal"), ("nothing", "nothing"))
    for at in range(30):
        pictures += burst(f"n{at}", ("nothing", "nothing"), ("nothing", "nothing"))
        pictures += burst(f"p{at}", ("person", "person"), ("nothing", "nothing"))
    return Dataset(tuple(pictures), "drawn")


def test_every_picture_is_called_by_its_group() -> None:
    assert label_by_group(some()).labels == ("animal", "nothing", "person")


def test_the_groups_have_their_taxa() -> None:
    assert {picture.label: picture.taxon for picture in label_by_group(some()).samples} == {
        "animal": "Animalia",
        "nothing": "",
        "person": "Homo sapiens",
    }


def test_no_kind_of_animal_is_on_two_sides() -> None:
    data = some()
    kinds = {picture.path: picture.label for picture in data.samples}
    sides = [
        {kinds[p.path] for p in side if p.label == "animal"}
        for side in split_by_kind(label_by_group(data), seed=1).subsets
    ]
    assert all(sides)
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]


def test_every_side_has_every_group() -> None:
    parts = split_by_kind(label_by_group(some()), seed=1)
    assert [sorted({picture.label for picture in side}) for side in parts.subsets] == [
        ["animal", "nothing", "person"]
    ] * 3


def test_no_burst_is_on_two_sides() -> None:
    assert find_leaks(split_by_kind(label_by_group(some()), seed=1)) == []


def test_kinds_without_a_group_are_animals() -> None:
    data = Dataset((*burst("a", ("irbis", "")), *burst("b", ("blank", ""))), "from folders")
    assert [picture.group for picture in label_by_group(data).samples] == ["animal", "nothing"]


@pytest.mark.parametrize(("label", "missing"), [("irbis", "nothing"), ("blank", "animal")])
def test_both_animals_and_empty_frames_are_needed(label: str, missing: str) -> None:
    with pytest.raises(GroupsError, match=f"no picture shows {missing}"):
        label_by_group(Dataset(tuple(burst("a", (label, ""))), "one side"))


def test_the_source_counts_the_groups() -> None:
    assert (
        label_by_group(some()).source == "drawn; 120 animal of 10 kinds, 150 nothing of 1 kinds, 30 person of 1 kinds"
    )
