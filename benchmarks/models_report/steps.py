"""Runs the report's steps and stores each result, so that an interrupted report resumes at the first missing one."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uncia.storage.durable import write_durably

Facts = dict[str, Any]
"""Result of a step: a JSON object."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the datasets and the training runs; a change of any size repeats all steps."""

    classes: int = 10
    """Animal classes in the species dataset, in addition to empty frames."""
    bursts: int = 250
    """Bursts in the species dataset."""
    group_bursts: int = 420
    """Bursts in the groups dataset (animal, person, vehicle and nothing), which uses cut-outs of all classes."""
    thing_bursts: int = 140
    """Additional bursts of persons and vehicles, whose classes have few cut-outs."""
    view_bursts: int = 40
    """Number of held-out bursts, and of test bursts, for the ensemble of views: six inferences per image."""
    epochs: int = 2
    """Epochs of fine-tuning."""
    small_epochs: int = 30
    """Epochs of the small network."""
    resamples: int = 1000
    """Bootstrap resamples."""
    served_s: float = 20
    """Seconds of uploads after the promotion; half as many follow the roll-back."""
    detector_frames: int = 240
    """Composites for the steps on boxes and detectors."""
    detector_epochs: int = 4
    """Epochs of fine-tuning the detector."""


QUICK_SIZES = Sizes(4, 28, 30, 14, 4, 1, 3, 200, 4, detector_frames=24, detector_epochs=1)
"""Sizes of a smoke test that takes a few minutes; its figures mean nothing."""


@dataclass(frozen=True)
class Report:
    """What the steps share: the output folder, the sizes and the results so far."""

    folder: Path
    sizes: Sizes
    seed: int
    progress: Callable[[str], None]
    done: dict[str, Facts]
    """Results of the completed steps, by name."""

    @property
    def cache(self) -> Path:
        """Folder of cached features; later runs reuse them."""
        return self.folder / "features"

    def package(self, name: str) -> Path:
        """Folder of a model package."""
        return self.folder / "packages" / name


@dataclass(frozen=True)
class Step:
    """One step of the report."""

    name: str
    what: str
    run: Callable[[Report], Facts]
    needs: tuple[str, ...] = ()
    """Names of the steps whose results it uses; when one of these changes, this step is repeated."""


def run_steps(
    steps: Sequence[Step], report: Report, *, force: bool = False, only: Sequence[str] = (), measured: str = ""
) -> None:
    """Run every step that has no valid stored result, and put all results with their durations into `report.done`.

    A stored result is valid when sizes, seed and the results of the steps in `needs` are unchanged. `only` restricts
    the steps that may run, by name; `force` repeats these even when they have a valid result. `measured` says when and
    at which commit this is, and is stored with the results of the steps that run.
    """
    for number, step in enumerate(steps, 1):
        path = report.folder / "steps" / f"{step.name}.json"
        inputs = _input_digest(report, step, path.parent)
        stored = _read(path, inputs)
        selected = not only or step.name in only
        if stored is not None and not (force and selected):
            report.done[step.name] = stored
            report.progress(f"{number}/{len(steps)} {step.what}: already done")
            continue
        if not selected:
            report.progress(f"{number}/{len(steps)} {step.what}: skipped")
            continue
        report.progress(f"{number}/{len(steps)} {step.what} ...")
        began = time.monotonic()
        facts = {**step.run(report), "seconds": 0.0}
        facts["seconds"] = round(time.monotonic() - began, 1)
        facts["measured"] = measured
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps({"made_of": inputs, "facts": facts}, indent=1) + "\n")
        report.done[step.name] = facts
        report.progress(f"{number}/{len(steps)} {step.what}: {facts['seconds']:.0f} s")


def _input_digest(report: Report, step: Step, folder: Path) -> str:
    """Digest of the step's inputs: sizes, seed, and the stored results of the steps that it needs."""
    before: Mapping[str, str] = {
        name: hashlib.sha256((folder / f"{name}.json").read_bytes()).hexdigest()
        for name in step.needs
        if (folder / f"{name}.json").exists()
    }
    text = json.dumps([asdict(report.sizes), report.seed, step.name, before], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(path: Path, inputs: str) -> Facts | None:
    """The stored result; None when it is missing, unreadable or has other inputs."""
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    facts: Facts | None = stored["facts"] if stored.get("made_of") == inputs else None
    return facts
