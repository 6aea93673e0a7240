"""What harvested pictures buy: the same test photographs, and no copies of them in training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.training.harvest.public_sources import picture
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import Split
from uncia.training.harvest import HarvestError
from uncia.training.harvest.benefit import TrainAndPredict, limit_bursts, measure_benefit


def samples(folder: Path, label: str, seeds: range) -> list[Sample]:
    found = []
    for seed in seeds:
        path = folder / f"{label}-{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed))
        found.append(Sample(path, label, f"{label}-{seed}", "ridge"))
    return found


def dataset(folder: Path, foxes: range, blanks: range, label: str = "fox") -> Dataset:
    return Dataset((*samples(folder, label, foxes), *samples(folder, "blank", blanks)), "made for a test")


def count_then_guess(sizes: list[int]) -> TrainAndPredict:
    """A trainer that is right everywhere once it has more than 30 training photographs."""

    def train(split: Split) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        sizes.append(len(split.train))
        truth = [sample.label for sample in split.test]
        return truth, truth if len(split.train) > 30 else ["fox"] * len(truth), [one.burst for one in split.test]

    return train


def test_the_difference_is_measured_on_the_same_photographs(tmp_path: Path) -> None:
    sizes: list[int] = []
    own = dataset(tmp_path / "own", range(10), range(10, 20))
    more = dataset(tmp_path / "more", range(20, 40), range(40, 60), "Fox")
    benefit = measure_benefit(own, more, count_then_guess(sizes))
    assert sizes == [12, 52]
    assert (benefit.without.value, benefit.with_harvest.value, benefit.difference.value) == (0.5, 1.0, 0.5)


def test_copies_of_own_photographs_are_not_added(tmp_path: Path) -> None:
    sizes: list[int] = []
    own = dataset(tmp_path / "own", range(10), range(10, 20))
    copies = dataset(tmp_path / "copies", range(5), range(40, 45))
    benefit = measure_benefit(own, copies, count_then_guess(sizes))
    assert (benefit.harvested, benefit.copies) == (5, 5)


def test_labels_that_do_not_match_are_refused(tmp_path: Path) -> None:
    own = dataset(tmp_path / "own", range(2), range(2, 4))
    other = Dataset(tuple(samples(tmp_path / "other", "lynx", range(5, 8))), "other")
    with pytest.raises(HarvestError, match="lynx"):
        measure_benefit(own, other, count_then_guess([]))


def test_few_bursts_of_each_label_are_chosen_as_a_whole() -> None:
    own = [Sample(Path(f"{n}.jpg"), "fox", f"b{n // 3}", "") for n in range(12)]
    chosen = limit_bursts(own, 2, seed=1)
    assert len(chosen) == 6
    assert len({sample.burst for sample in chosen}) == 2


def test_where_labels_are_down_weighted_a_third_head_is_trained_with_equal_weights(tmp_path: Path) -> None:
    weights: list[float] = []

    def train(split: Split) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        weights.append(sum(sample.weight for sample in split.train))
        truth = [sample.label for sample in split.test]
        return truth, truth if len(weights) == 3 else ["fox"] * len(truth), [one.burst for one in split.test]

    own = dataset(tmp_path / "own", range(10), range(10, 20))
    more = dataset(tmp_path / "more", range(20, 24), range(40, 44))
    doubtful = more.with_samples(replace(sample, weight=0.5) for sample in more.samples)
    benefit = measure_benefit(own, doubtful, train)
    assert weights == [12, 16, 20]
    assert benefit.down_weighted == 8
    assert benefit.equal_weights is not None
    assert (benefit.with_harvest.value, benefit.equal_weights.value) == (0.5, 1.0)


def test_without_down_weighted_labels_there_is_no_third_head(tmp_path: Path) -> None:
    own = dataset(tmp_path / "own", range(10), range(10, 20))
    more = dataset(tmp_path / "more", range(20, 24), range(40, 44))
    assert measure_benefit(own, more, count_then_guess([])).equal_weights is None
