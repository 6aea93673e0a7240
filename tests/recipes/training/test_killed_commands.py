"""`uncia train head` and `fine-tune`, killed (-9) and run again: nothing is lost, and nothing is computed twice."""

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packages import write_package
from tests.recipes.training.killed_process import Command, cached, content, has_printed, has_rows, held_at
from tests.recipes.training.synthetic_data import write_table
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import Split, split

pytest.importorskip("torch")

FAST = ("--cut", "block-5", "--penalty", "0.1", "--augment", "none")
FAST_TUNING = ("--cut", "block-2", "--blocks", "1", "--augment", "none", "--epochs", "3", "--patience", "9")
"""The last of three blocks is trained."""


@dataclass(frozen=True)
class Place:
    """The folders of one run; the photographs are shared."""

    folder: Path
    source: Path

    @property
    def cache(self) -> Path:
        return self.folder / "features"

    @property
    def out(self) -> Path:
        return self.folder / "models" / "shapes"

    def head(self) -> Command:
        return self._train("head", *FAST)

    def fine_tune(self) -> Command:
        return self._train("fine-tune", *FAST_TUNING)

    def _train(self, how: str, *options: str) -> Command:
        where = ("--out", str(self.out), "--cache", str(self.cache))
        return Command(["train", how, str(self.source), *where, *options], self.folder / "log")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough for two chunks of training photographs."""
    return write_table(tmp_path_factory.mktemp("source") / "photographs", bursts=16)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("few") / "photographs", bursts=5)


@pytest.fixture(scope="module")
def parts(source: Path) -> Split:
    """The command's own split."""
    return split(read_dataset(source), seed=0)


@pytest.fixture
def place(tmp_path: Path, source: Path) -> Place:
    return Place(tmp_path, source)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Place:
    """A head whose training was not killed."""
    place = Place(tmp_path_factory.mktemp("undisturbed"), source)
    place.head().finish()
    return place


@dataclass(frozen=True)
class Ending:
    """What was in the cache after each kill and in the end, and the result."""

    cached: list[dict[str, int]]
    place: Place


@pytest.fixture(scope="module")
def killed_over_features(tmp_path_factory: pytest.TempPathFactory, source: Path, parts: Split) -> Ending:
    """Killed in the second chunk of the training photographs, among the held-out ones, and at the last of all."""
    place = Place(tmp_path_factory.mktemp("killed"), source)
    after = []
    for picture, before in (
        (parts.train[40], 32),
        (parts.held_out[0], len(parts.train)),
        (parts.test[-1], len(parts.train) + len(parts.held_out)),
    ):
        with held_at(picture.path):
            place.head().kill_when(functools.partial(has_rows, place.cache, before), f"{before} rows are cached")
        after.append(cached(place.cache))
    place.head().finish()
    return Ending([*after, cached(place.cache)], place)


def test_a_kill_costs_no_more_than_a_chunk_of_features(killed_over_features: Ending, parts: Split) -> None:
    train, held_out, test = (len(side) for side in parts.subsets)

    assert [len(rows) for rows in killed_over_features.cached] == [
        32,
        train,
        train + held_out,
        train + held_out + test,
    ]


def test_features_that_a_killed_run_computed_are_not_computed_again(killed_over_features: Ending) -> None:
    last = killed_over_features.cached[-1]

    assert all(rows.items() <= last.items() for rows in killed_over_features.cached)


def test_a_head_after_three_kills_is_byte_for_byte_the_undisturbed_one(
    killed_over_features: Ending, undisturbed: Place
) -> None:
    assert content(killed_over_features.place.out) == content(undisturbed.out)


def test_a_killed_run_leaves_no_files(killed_over_features: Ending) -> None:
    assert [path.name for path in killed_over_features.place.out.parent.iterdir()] == ["shapes"]


# The moments about the move into place are too short to be seen from outside:
# tests/unit/uncia/storage/test_atomic_dir.py.
EXPORTING: dict[str, Callable[[Path], bool]] = {
    "the draft is begun": lambda draft: draft.exists(),
    "the graph is being written": lambda draft: (draft / "made" / "model.onnx").exists(),
}


@pytest.fixture(params=EXPORTING)
def killed_over_export(request: pytest.FixtureRequest, undisturbed: Place, place: Place) -> Place:
    """Features are there, and a package of the same name; killed while the new one is written."""
    shutil.copytree(undisturbed.cache, place.cache)
    write_package(place.out)
    reached = EXPORTING[request.param]
    place.head().kill_when(
        lambda: any(reached(draft) for draft in place.out.parent.glob(".writing-shapes-*")), request.param
    )
    return place


def test_a_kill_over_an_export_leaves_the_former_package_and_the_next_run_replaces_it(
    killed_over_export: Place, undisturbed: Place, tmp_path: Path
) -> None:
    write_package(tmp_path / "former")
    assert content(killed_over_export.out) == content(tmp_path / "former")
    killed_over_export.head().finish()

    assert content(killed_over_export.out) == content(undisturbed.out)
    assert [path.name for path in killed_over_export.out.parent.iterdir()] == ["shapes"]


@pytest.fixture(scope="module")
def undisturbed_tuning(tmp_path_factory: pytest.TempPathFactory, few: Path) -> Place:
    place = Place(tmp_path_factory.mktemp("tuned"), few)
    place.fine_tune().finish()
    return place


@dataclass(frozen=True)
class Tuning:
    """Fine-tuning that was killed three times: the last run's output, and the result."""

    last_output: str
    place: Place
    rows: tuple[dict[str, int], dict[str, int]]
    """In the cache after the first kill, and in the end."""


@pytest.fixture(scope="module")
def killed_over_epochs(tmp_path_factory: pytest.TempPathFactory, few: Path) -> Tuning:
    """Killed as soon as there is a checkpoint, and in the middle of the second and of the third epoch."""
    place = Place(tmp_path_factory.mktemp("killed-tuning"), few)
    checkpoint = place.out.parent / ".shapes.training" / "fine-tune.pt"
    place.fine_tune().kill_when(checkpoint.exists, "there is a checkpoint")
    rows = cached(place.cache)
    for epoch in (2, 3):
        going_on = place.fine_tune()
        going_on.kill_when(functools.partial(has_printed, going_on, f"epoch {epoch} of"), f"epoch {epoch}")
    last = place.fine_tune().finish()
    return Tuning(last, place, (rows, cached(place.cache)))


def test_fine_tuning_goes_on_from_the_epoch_in_which_it_was_killed(killed_over_epochs: Tuning) -> None:
    assert [line[:7] for line in killed_over_epochs.last_output.splitlines() if line.startswith("epoch")] == ["epoch 3"]


def test_fine_tuning_computes_no_features_again_after_a_kill(killed_over_epochs: Tuning) -> None:
    before, after = killed_over_epochs.rows

    assert before == after


def test_fine_tuning_after_three_kills_is_byte_for_byte_the_undisturbed_one(
    killed_over_epochs: Tuning, undisturbed_tuning: Place
) -> None:
    assert content(killed_over_epochs.place.out) == content(undisturbed_tuning.out)


def test_a_finished_run_leaves_no_checkpoint(killed_over_epochs: Tuning) -> None:
    assert [path.name for path in killed_over_epochs.place.out.parent.iterdir()] == ["shapes"]
