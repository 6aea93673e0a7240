"""No burst, and no camera where asked, on two sides of a split."""

import dataclasses
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.datasets.samples import bursts_of, data_set, picture
from uncia.errors import SettingsError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import By, Split, find_leaks, split

NAMES = st.sampled_from(["fox", "marmot", "yak", "person", "nothing"])


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    """Bursts whose frames may have different labels, and that may (wrongly) span cameras."""
    told = draw(st.lists(st.tuples(NAMES, st.integers(0, 12), st.integers(0, 4)), max_size=60))
    return data_set(*(picture(n, label, f"b{burst}", f"c{camera}") for n, (label, burst, camera) in enumerate(told)))


@given(data_sets(), st.integers(0, 3), st.sampled_from(["burst", "camera"]))
@settings(max_examples=60, deadline=None)
def test_nothing_leaks_and_every_picture_is_used_once(data: Dataset, seed: int, by: By) -> None:
    parts = split(data, seed=seed, by=by)
    assert find_leaks(parts) == []
    assert Counter(one for side in parts.subsets for one in side) == Counter(data.samples)


@given(data_sets(), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_makes_the_same_split(data: Dataset, seed: int) -> None:
    assert split(data, seed=seed) == split(data, seed=seed)


def test_another_seed_makes_another_split() -> None:
    data = data_set(*bursts_of("fox", 20))
    assert split(data, seed=1) != split(data, seed=2)


@given(data_sets(), st.data())
@settings(max_examples=40, deadline=None)
def test_a_burst_that_is_parted_is_told(data: Dataset, choice: st.DataObject) -> None:
    extra = [picture(900, "fox", "parted"), picture(901, "fox", "parted")]
    order = choice.draw(st.permutations([*data.samples, *extra]))
    cut = choice.draw(st.integers(min(map(order.index, extra)) + 1, max(map(order.index, extra))))
    parts = Split(tuple(order[:cut]), (), tuple(order[cut:]))
    assert any("burst parted" in sentence for sentence in find_leaks(parts))


def test_a_camera_that_is_parted_is_told_only_where_cameras_were_asked_for() -> None:
    parts = Split((picture(1),), (picture(2),), ())
    assert find_leaks(parts) == []
    assert find_leaks(dataclasses.replace(parts, by="camera")) == ["camera ridge/1 is in train and held-out"]


def test_a_file_with_two_labels_is_on_one_side() -> None:
    """Two animals in one picture are two rows of it, and a table may give them different bursts."""
    twice = [picture(n, label, f"{label}-{n}") for n in range(20) for label in ("fox", "yak")]
    assert find_leaks(split(data_set(*twice), seed=1)) == []


def test_one_class_of_one_picture_is_trained_on() -> None:
    parts = split(data_set(picture(1)), seed=1)
    assert [len(side) for side in parts.subsets] == [1, 0, 0]


def test_classes_of_1_and_of_10_000_are_split() -> None:
    many = bursts_of("fox", 2500, 4)
    parts = split(data_set(picture(99_999, "yak"), *many), seed=1)
    assert [one.label for one in parts.train if one.label == "yak"] == ["yak"]
    assert [round(len(side) / 10_000, 2) for side in parts.subsets] == [0.6, 0.2, 0.2]


def test_a_rare_label_is_on_all_sides_where_its_bursts_allow_it() -> None:
    rare = bursts_of("yak", 5, 3)
    parts = split(data_set(*rare, *bursts_of("fox", 200, 3, begin=100)), seed=3)
    assert [sum(one.label == "yak" for one in side) for side in parts.subsets] == [9, 3, 3]


def test_a_side_without_a_share_gets_nothing() -> None:
    parts = split(data_set(*bursts_of("fox", 10)), seed=1, shares=(0.5, 0, 0.5))
    assert parts.held_out == ()


def test_pictures_of_unknown_cameras_are_not_split_by_camera() -> None:
    with pytest.raises(SettingsError, match="camera of 1 pictures is not known"):
        split(data_set(picture(1, camera="")), seed=1, by="camera")


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_shares_that_make_no_whole_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(SettingsError, match="add up to 1"):
        split(data_set(), seed=1, shares=shares)


def test_labels_are_sorted_and_told_once() -> None:
    pictures: list[Sample] = [*bursts_of("yak", 1), *bursts_of("fox", 2)]
    assert data_set(*pictures).labels == ("fox", "yak")
