"""`uncia train head` and `fine-tune`, killed (-9) and run again: nothing is lost, and nothing is computed twice."""

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packages import write_package
from tests.recipes.training.killed_process import Command, blocked_at, cached, content, has_printed, has_rows
from tests.recipes.training.synthetic_data import write_table
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import Split, split

pytest.importorskip("torch")

FAST = ("--cut", "block-5", "--penalty", "0.1", "--augment", "none")
FAST_TUNING = ("--cut", "block-2", "--blocks", "1", "--augment", "none", "--epochs", "3", "--patience", "9")
"""The last of three blocks is trained."""


@dataclass(frozen=True)
class RunFolders:
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

    def _train(self, subcommand: str, *options: str) -> Command:
        folder_options = ("--out", str(self.out), "--cache", str(self.cache))
        return Command(["train", subcommand, str(self.source), *folder_options, *options], self.folder / "log")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough for two chunks of training photographs."""
    return write_table(tmp_path_factory.mktemp("source") / "photographs", bursts=16)


@pytest.fixture(scope="module")
def small_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("few") / "photographs", bursts=5)


@pytest.fixture(scope="module")
def data_split(source: Path) -> Split:
    """The command's own split."""
    return split(read_dataset(source), seed=0)


@pytest.fixture
def folders(tmp_path: Path, source: Path) -> RunFolders:
    return RunFolders(tmp_path, source)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, source: Path) -> RunFolders:
    """A head whose training was not killed."""
    folders = RunFolders(tmp_path_factory.mktemp("undisturbed"), source)
    folders.head().finish()
    return folders


@dataclass(frozen=True)
class KilledRuns:
    """Cached rows after each kill and at the end, and the folders with the result."""

    cached: list[dict[str, int]]
    folders: RunFolders


@pytest.fixture(scope="module")
def killed_during_features(tmp_path_factory: pytest.TempPathFactory, source: Path, data_split: Split) -> KilledRuns:
    """Killed in the second chunk of the training photographs, among the held-out ones, and at the last of all."""
    folders = RunFolders(tmp_path_factory.mktemp("killed"), source)
    after = []
    for sample, before in (
        (data_split.train[40], 32),
        (data_split.held_out[0], len(data_split.train)),
        (data_split.test[-1], len(data_split.train) + len(data_split.held_out)),
    ):
        with blocked_at(sample.path):
            folders.head().kill_when(functools.partial(has_rows, folders.cache, before), f"{before} rows are cached")
        after.append(cached(folders.cache))
    folders.head().finish()
    return KilledRuns([*after, cached(folders.cache)], folders)


def test_a_kill_loses_at_most_one_chunk_of_features(killed_during_features: KilledRuns, data_split: Split) -> None:
    train, held_out, test = (len(subset) for subset in data_split.subsets)

    assert [len(rows) for rows in killed_during_features.cached] == [
        32,
        train,
        train + held_out,
        train + held_out + test,
    ]


def test_features_that_a_killed_run_computed_are_not_computed_again(killed_during_features: KilledRuns) -> None:
    last = killed_during_features.cached[-1]

    assert all(rows.items() <= last.items() for rows in killed_during_features.cached)


def test_a_head_after_three_kills_equals_the_uninterrupted_one_byte_for_byte(
    killed_during_features: KilledRuns, uninterrupted: RunFolders
) -> None:
    assert content(killed_during_features.folders.out) == content(uninterrupted.out)


def test_a_killed_run_leaves_no_files(killed_during_features: KilledRuns) -> None:
    assert [path.name for path in killed_during_features.folders.out.parent.iterdir()] == ["shapes"]


# The steps around the move into place are too short to be observed from outside:
# tests/unit/uncia/storage/test_atomic_dir.py.
EXPORTING: dict[str, Callable[[Path], bool]] = {
    "the draft is begun": lambda staging: staging.exists(),
    "the graph is being written": lambda staging: (staging / "made" / "model.onnx").exists(),
}


@pytest.fixture(params=EXPORTING)
def killed_during_export(request: pytest.FixtureRequest, uninterrupted: RunFolders, folders: RunFolders) -> RunFolders:
    """Features are there, and a package of the same name; killed while the new one is written."""
    shutil.copytree(uninterrupted.cache, folders.cache)
    write_package(folders.out)
    reached = EXPORTING[request.param]
    folders.head().kill_when(
        lambda: any(reached(staging) for staging in folders.out.parent.glob(".writing-shapes-*")), request.param
    )
    return folders


def test_a_kill_during_an_export_keeps_the_former_package_and_the_next_run_replaces_it(
    killed_during_export: RunFolders, uninterrupted: RunFolders, tmp_path: Path
) -> None:
    write_package(tmp_path / "former")
    assert content(killed_during_export.out) == content(tmp_path / "former")
    killed_during_export.head().finish()

    assert content(killed_during_export.out) == content(uninterrupted.out)
    assert [path.name for path in killed_during_export.out.parent.iterdir()] == ["shapes"]


@pytest.fixture(scope="module")
def uninterrupted_tuning(tmp_path_factory: pytest.TempPathFactory, small_source: Path) -> RunFolders:
    folders = RunFolders(tmp_path_factory.mktemp("tuned"), small_source)
    folders.fine_tune().finish()
    return folders


@dataclass(frozen=True)
class KilledTuning:
    """Fine-tuning that was killed three times: the last run's output, and the result."""

    last_output: str
    folders: RunFolders
    rows: tuple[dict[str, int], dict[str, int]]
    """In the cache after the first kill, and in the end."""


@pytest.fixture(scope="module")
def killed_during_epochs(tmp_path_factory: pytest.TempPathFactory, small_source: Path) -> KilledTuning:
    """Killed as soon as there is a checkpoint, and in the middle of the second and of the third epoch."""
    folders = RunFolders(tmp_path_factory.mktemp("killed-tuning"), small_source)
    checkpoint = folders.out.parent / ".shapes.training" / "fine-tune.pt"
    folders.fine_tune().kill_when(checkpoint.exists, "there is a checkpoint")
    rows = cached(folders.cache)
    for epoch in (2, 3):
        resumed = folders.fine_tune()
        resumed.kill_when(functools.partial(has_printed, resumed, f"epoch {epoch} of"), f"epoch {epoch}")
    last = folders.fine_tune().finish()
    return KilledTuning(last, folders, (rows, cached(folders.cache)))


@pytest.mark.thorough
def test_fine_tuning_resumes_at_the_epoch_in_which_it_was_killed(killed_during_epochs: KilledTuning) -> None:
    assert [line[:7] for line in killed_during_epochs.last_output.splitlines() if line.startswith("epoch")] == [
        "epoch 3"
    ]


@pytest.mark.thorough
def test_fine_tuning_computes_no_features_again_after_a_kill(killed_during_epochs: KilledTuning) -> None:
    before, after = killed_during_epochs.rows

    assert before == after


@pytest.mark.thorough
def test_fine_tuning_after_three_kills_equals_the_uninterrupted_one_byte_for_byte(
    killed_during_epochs: KilledTuning, uninterrupted_tuning: RunFolders
) -> None:
    assert content(killed_during_epochs.folders.out) == content(uninterrupted_tuning.out)


@pytest.mark.thorough
def test_a_finished_run_leaves_no_checkpoint(killed_during_epochs: KilledTuning) -> None:
    assert [path.name for path in killed_during_epochs.folders.out.parent.iterdir()] == ["shapes"]
