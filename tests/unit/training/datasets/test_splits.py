"""No burst, and no camera in a split by camera, is in two subsets."""

import dataclasses
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.datasets.samples import bursts_of, dataset, sample
from uncia.errors import SettingsError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import By, Split, find_leaks, split

NAMES = st.sampled_from(["fox", "marmot", "yak", "person", "nothing"])


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Bursts whose frames may have different labels, and that may (wrongly) span cameras."""
    drawn = draw(st.lists(st.tuples(NAMES, st.integers(0, 12), st.integers(0, 4)), max_size=60))
    return dataset(*(sample(n, label, f"b{burst}", f"c{camera}") for n, (label, burst, camera) in enumerate(drawn)))


@given(datasets(), st.integers(0, 3), st.sampled_from(["burst", "camera"]))
@settings(max_examples=60, deadline=None)
def test_nothing_leaks_and_every_sample_is_used_once(data: Dataset, seed: int, by: By) -> None:
    parts = split(data, seed=seed, by=by)
    assert find_leaks(parts) == []
    assert Counter(one for subset in parts.subsets for one in subset) == Counter(data.samples)


@given(datasets(), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_makes_the_same_split(data: Dataset, seed: int) -> None:
    assert split(data, seed=seed) == split(data, seed=seed)


def test_another_seed_makes_another_split() -> None:
    data = dataset(*bursts_of("fox", 20))
    assert split(data, seed=1) != split(data, seed=2)


@given(datasets(), st.data())
@settings(max_examples=40, deadline=None)
def test_a_separated_burst_is_a_leak(data: Dataset, choice: st.DataObject) -> None:
    extra = [sample(900, "fox", "separated"), sample(901, "fox", "separated")]
    order = choice.draw(st.permutations([*data.samples, *extra]))
    boundary = choice.draw(st.integers(min(map(order.index, extra)) + 1, max(map(order.index, extra))))
    parts = Split(tuple(order[:boundary]), (), tuple(order[boundary:]))
    assert any("burst separated" in sentence for sentence in find_leaks(parts))


def test_a_separated_camera_is_a_leak_only_in_a_split_by_camera() -> None:
    parts = Split((sample(1),), (sample(2),), ())
    assert find_leaks(parts) == []
    assert find_leaks(dataclasses.replace(parts, by="camera")) == ["camera ridge/1 is in train and held-out"]


def test_a_file_with_two_labels_is_in_one_subset() -> None:
    """Two animals in one image are two samples, to which a table may give different bursts."""
    twice = [sample(n, label, f"{label}-{n}") for n in range(20) for label in ("fox", "yak")]
    assert find_leaks(split(dataset(*twice), seed=1)) == []


def test_a_single_sample_is_trained_on() -> None:
    parts = split(dataset(sample(1)), seed=1)
    assert [len(subset) for subset in parts.subsets] == [1, 0, 0]


def test_classes_of_1_and_of_10_000_are_split() -> None:
    many = bursts_of("fox", 2500, 4)
    parts = split(dataset(sample(99_999, "yak"), *many), seed=1)
    assert [one.label for one in parts.train if one.label == "yak"] == ["yak"]
    assert [round(len(subset) / 10_000, 2) for subset in parts.subsets] == [0.6, 0.2, 0.2]


def test_a_rare_label_is_in_all_subsets_if_it_has_enough_bursts() -> None:
    rare = bursts_of("yak", 5, 3)
    parts = split(dataset(*rare, *bursts_of("fox", 200, 3, begin=100)), seed=3)
    assert [sum(one.label == "yak" for one in subset) for subset in parts.subsets] == [9, 3, 3]


def test_a_subset_with_share_0_is_empty() -> None:
    parts = split(dataset(*bursts_of("fox", 10)), seed=1, shares=(0.5, 0, 0.5))
    assert parts.held_out == ()


def test_images_of_unknown_cameras_cannot_be_split_by_camera() -> None:
    with pytest.raises(SettingsError, match="camera of 1 images is not known"):
        split(dataset(sample(1, camera="")), seed=1, by="camera")


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_invalid_shares_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(SettingsError, match="add up to 1"):
        split(dataset(), seed=1, shares=shares)


def test_labels_are_sorted_and_unique() -> None:
    samples: list[Sample] = [*bursts_of("yak", 1), *bursts_of("fox", 2)]
    assert dataset(*samples).labels == ("fox", "yak")
