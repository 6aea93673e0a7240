"""`python -m uncia.infra.local.install`: installs the parts in `.local/parts` and builds the model repository.

Idempotent. Every step builds in a staging directory and renames it to its final path when it is complete, so that an
interrupted installation is restarted and never mistaken for a complete one.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local import (
    install_detector,
    install_kafka,
    install_kafka_classes,
    install_models,
    install_person_vehicle,
    install_triton,
    install_web_assets,
)
from uncia.infra.local.layout import parts_dir
from uncia.storage.atomic_dir import remove_stale_staging
from uncia.storage.process_lock import process_lock


@dataclass(frozen=True)
class Step:
    """One part of the installation."""

    name: str
    description: str
    """What it installs and the size of the download."""
    complete: Callable[[], bool]
    install: Callable[[], None]


STEPS = (
    Step("kafka", "Kafka's jars by Maven, 45 MB", install_kafka.complete, install_kafka.install),
    Step(
        "classes",
        "an archive of Kafka's classes, for faster starts, 60 MB",
        install_kafka_classes.complete,
        install_kafka_classes.install,
    ),
    Step("triton", "Triton in its own environment, 320 MB", install_triton.complete, install_triton.install),
    Step("detector", "the detector's weights, 41 MB", install_detector.complete, install_detector.install),
    Step(
        "persons",
        "the weights that find persons and vehicles, 17 MB",
        install_person_vehicle.complete,
        install_person_vehicle.install,
    ),
    Step("web", "the dashboard's JavaScript libraries, 3 MB", install_web_assets.complete, install_web_assets.install),
    Step("models", "the model repository, from published weights", install_models.complete, install_models.install),
)


def install(steps: tuple[Step, ...] = STEPS) -> None:
    """Run the steps that are not complete. Raises `StackError` with the cause and what to do."""
    missing = [step for step in steps if not step.complete()]
    if not missing:
        return
    parts_dir().mkdir(parents=True, exist_ok=True)
    # With two `make setup` in one clone, the second waits and then finds every step complete.
    with process_lock(parts_dir() / "lock"):
        for step in missing:
            if step.complete():
                continue
            began = time.monotonic()
            _print(f"{step.name:8} installing: {step.description} ...")
            step.install()
            _print(f"{step.name:8} done in {time.monotonic() - began:.0f} s")


def main() -> None:
    """Install and print progress. A failure prints one sentence and exits with status 1."""
    try:
        remove_stale_staging(parts_dir())
        install()
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
    except KeyboardInterrupt:
        sys.exit("uncia: interrupted; `make setup` continues with the step that was interrupted")
    folder = parts_dir()
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    _print(f"all parts are in {shown}")


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
