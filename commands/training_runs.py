"""Code that all training commands share: progress bars, the data and its split, the package, and the report."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

from uncia.commands.reviewed_source import training_source
from uncia.terminal import description_column, echo, echo_json, plain_console
from uncia.training import TrainingError
from uncia.triton_models.packages.loading import model_name_for, overwrite_problem

if TYPE_CHECKING:
    from uncia.training.datasets.dataset import Dataset
    from uncia.training.datasets.splits import Split
    from uncia.training.model_packages.package_writing import TrainedPackage
    from uncia.training.model_packages.trained_model import TrainedModel

_UNREADABLE_SHOWN = 10
_PROGRESS_INTERVAL_S = 0.5


class ProgressReporter:
    """A callback that shows the current step with the number of finished units and the total."""

    def __init__(self, bars: Progress | None, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._task: tuple[str, int] | None = None

    def log(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, soft_wrap=True)

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        if self._task is None or self._task[0] != step:
            if self._bars is None:
                self._console.print(step)
            task = 0 if self._bars is None else int(self._bars.add_task(step, total=total or None))
            self._task = (step, task)
        if self._bars is not None:
            self._bars.update(TaskID(self._task[1]), completed=done, total=total or None)


class _ProgressFile(ProgressReporter):
    """Writes the progress as lines of JSON, which another machine reads: at most two a second for each step."""

    def __init__(self, file: TextIO, console: Console) -> None:
        super().__init__(None, console)
        self._file = file
        self._step = ""
        self._written_at = 0.0

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        now = time.monotonic()
        if step == self._step and done != total and now - self._written_at < _PROGRESS_INTERVAL_S:
            return
        self._step, self._written_at = step, now
        self._file.write(json.dumps({"step": step, "done": done, "total": total}) + "\n")
        self._file.flush()


_progress_file: ContextVar[TextIO | None] = ContextVar("progress_file", default=None)


@contextmanager
def progress_to_file(path: Path) -> Iterator[None]:
    """Make `progress_bars` add to this file instead of showing bars."""
    with path.open("a", encoding="utf-8") as file:
        before = _progress_file.set(file)
        try:
            yield
        finally:
            _progress_file.reset(before)


@contextmanager
def progress_bars(*, shown: bool) -> Iterator[ProgressReporter]:
    """Progress bars on standard error; in a log, one line per step."""
    console = plain_console(stderr=True, quiet=not shown, highlight=False)
    if (file := _progress_file.get()) is not None:
        yield _ProgressFile(file, console)
        return
    if not console.is_terminal:
        yield ProgressReporter(None, console)
        return
    with Progress(
        description_column(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as bars:
        yield ProgressReporter(bars, console)


def train_package(
    source: Path,
    out: Path,
    train: "Callable[[Split, ProgressReporter], TrainedModel]",
    *,
    kind: str,
    split_by: str,
    seed: int,
    precision: float,
    as_json: bool,
) -> None:
    """Read and split the data, train, write the package, and report its metrics.

    `train` imports what it needs itself, so that errors in folders and options are reported before torch is loaded.
    """
    check_output_folder(out)
    source = training_source(source, named_only=True, quiet=as_json)
    with progress_bars(shown=not as_json) as progress:
        data, split = read_and_split(source, kind, split_by, seed, progress)
        trained = train(split, progress)
        package = _write_result(trained, data, split, out, seed, precision, progress)
    _report_training(package, trained, as_json)


def read_and_split(source: Path, kind: str, by: str, seed: int, progress: ProgressReporter) -> "tuple[Dataset, Split]":
    """The data and its split. Raises `TrainingError` where the split leaks."""
    from uncia.training.datasets.reading import read_dataset

    data = read_dataset(source, kind, progress=lambda done, total: progress("reading the data", done, total))
    return data, split_data(data, by, seed)


def read_all_and_split(
    sources: list[Path], kind: str, by: str, seed: int, progress: ProgressReporter
) -> "tuple[Dataset, Split]":
    """The same for several sources, whose samples know which they are from."""
    from uncia.training.datasets.merging import merge_datasets
    from uncia.training.datasets.reading import read_dataset

    if len(sources) == 1:
        return read_and_split(sources[0], kind, by, seed, progress)
    parts = [
        read_dataset(source, kind, progress=lambda done, total: progress("reading the data", done, total))
        for source in sources
    ]
    data = merge_datasets(parts, source_names(sources))
    return data, split_data(data, by, seed)


def source_names(sources: list[Path]) -> list[str]:
    """A name for each source, unique also where two have the same name; a file's is that of its folder."""
    places = [source.resolve() for source in sources]
    names = [place.parent.name if place.is_file() else place.name for place in places]
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, 1)]


def split_data(data: "Dataset", by: str, seed: int) -> "Split":
    """The split of a dataset. Raises `TrainingError` where it leaks."""
    from uncia.training.datasets.splits import find_leaks, split

    if by not in ("burst", "camera"):
        raise TrainingError(f"no split by {by!r}: use burst or camera")
    parts = split(data, seed=seed, by="camera" if by == "camera" else "burst")
    if found := find_leaks(parts):
        raise TrainingError(f"the split leaks: {found[0]}")
    return parts


def check_output_folder(out: Path) -> str:
    """The model's name for this folder. Raises `TrainingError` before training where it cannot be written."""
    if problem := overwrite_problem(out):
        raise TrainingError(problem)
    parent = next(folder for folder in out.resolve().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise TrainingError(f"{parent} is not writable: choose another folder with --out")
    return model_name_for(out.resolve())


def _write_result(
    trained: "TrainedModel",
    data: "Dataset",
    split: "Split",
    out: Path,
    seed: int,
    precision: float,
    progress: ProgressReporter,
) -> "TrainedPackage":
    """Write the package, and remove the checkpoint, which is not needed any more."""
    from uncia.training.model_packages.package_writing import write_trained_package

    folder = out.resolve()
    package = write_trained_package(
        trained,
        data,
        split,
        folder,
        name=check_output_folder(out),
        seed=seed,
        least_precision=precision,
        progress=progress,
    )
    shutil.rmtree(work_folder(out), ignore_errors=True)
    return package


def work_folder(out: Path) -> Path:
    """The folder of a run's checkpoint: next to the package's folder, which is replaced as a whole."""
    return out.resolve().parent / f".{out.resolve().name}.training"


def _report_training(package: "TrainedPackage", trained: "TrainedModel", as_json: bool) -> None:
    """Print the metrics and what was skipped."""
    if as_json:
        result = {
            "folder": str(package.folder),
            "model": package.card.model,
            "label_set": package.card.label_set,
            "onnx_sha256": package.card.onnx_sha256,
            "classes": [entry.label for entry in package.card.labels.classes],
            "test": package.figures,
            "settings": trained.settings,
            "unreadable": {str(path): reason for path, reason in sorted(trained.unreadable.items())},
            "notes": trained.notes,
        }
        echo_json(result)
        return
    for name, own in package.figures.items():
        echo(f"{name:<22} {own['value']:.3f} ({own['low']:.3f} to {own['high']:.3f})")
    for path, reason in sorted(trained.unreadable.items())[:_UNREADABLE_SHOWN]:
        echo(f"skipped: {path}: {reason}", err=True)
    if len(trained.unreadable) > _UNREADABLE_SHOWN:
        echo(f"skipped: {len(trained.unreadable) - _UNREADABLE_SHOWN} more; the card lists them", err=True)
    echo(f"{package.folder} contains the model; its card.html shows the evaluation.")
