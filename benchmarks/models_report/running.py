"""Steps that keep their results: a report that was stopped goes on where it was."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uncia.storage.durable import write_durably

Facts = dict[str, Any]
"""What a step found, as JSON has it."""


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    classes: int = 10
    """Kinds of animals in the data for species; besides, frames with nothing."""
    bursts: int = 250
    """Of the data for species."""
    group_bursts: int = 420
    """Of the data for animal, person, vehicle and nothing, all kinds that there are."""
    thing_bursts: int = 140
    """More of them, of persons and vehicles, of which there are few kinds."""
    view_bursts: int = 40
    """Held-out and test bursts, each, that all views of an ensemble are asked about."""
    epochs: int = 2
    """Of fine-tuning."""
    small_epochs: int = 30
    resamples: int = 1000
    served_s: float = 20
    """How long photographs come before and after versions change."""


TRY = Sizes(4, 28, 30, 14, 4, 1, 3, 200, 4)
"""A few minutes: to see that it works."""


@dataclass(frozen=True)
class Report:
    """What every step is given."""

    folder: Path
    sizes: Sizes
    seed: int
    say: Callable[[str], None]
    done: dict[str, Facts]
    """What the steps before found."""

    @property
    def cache(self) -> Path:
        """Features, kept from run to run."""
        return self.folder / "features"

    def package(self, name: str) -> Path:
        """Where a model's package is."""
        return self.folder / "packages" / name


@dataclass(frozen=True)
class Step:
    """One part of the report."""

    name: str
    what: str
    run: Callable[[Report], Facts]
    needs: tuple[str, ...] = ()
    """Steps whose results it looks at: when they change, it is done again."""


def run_steps(steps: Sequence[Step], report: Report, *, force: bool = False, only: Sequence[str] = ()) -> None:
    """Run what is not done; results and times are in `report.done`."""
    for number, step in enumerate(steps, 1):
        path = report.folder / "steps" / f"{step.name}.json"
        made_of = _made_of(report, step, path.parent)
        found = _read(path, made_of)
        wanted = not only or step.name in only
        if found is not None and not (force and wanted):
            report.done[step.name] = found
            report.say(f"{number}/{len(steps)} {step.what}: done before")
            continue
        if not wanted:
            report.say(f"{number}/{len(steps)} {step.what}: passed over")
            continue
        report.say(f"{number}/{len(steps)} {step.what} ...")
        began = time.monotonic()
        facts = {**step.run(report), "seconds": 0.0}
        facts["seconds"] = round(time.monotonic() - began, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps({"made_of": made_of, "facts": facts}, indent=1) + "\n")
        report.done[step.name] = facts
        report.say(f"{number}/{len(steps)} {step.what}: {facts['seconds']:.0f} s")


def _made_of(report: Report, step: Step, folder: Path) -> str:
    """Changes with the sizes, the seed, and whatever the steps before found."""
    before: Mapping[str, str] = {
        name: hashlib.sha256((folder / f"{name}.json").read_bytes()).hexdigest()
        for name in step.needs
        if (folder / f"{name}.json").exists()
    }
    told = json.dumps([asdict(report.sizes), report.seed, step.name, before], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _read(path: Path, made_of: str) -> Facts | None:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    facts: Facts | None = told["facts"] if told.get("made_of") == made_of else None
    return facts
