"""`python -m uncia.infra.local.install`: everything below `.local/parts`, and the model repository. Run it at will.

Each step builds in a folder beside its place and moves it there when it is whole, so that an installation that was
killed is begun anew and never taken for a complete one.
"""

import fcntl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local import install_kafka, install_models, install_triton
from uncia.infra.local.layout import parts_dir
from uncia.storage.atomic_dir import remove_stale_staging


@dataclass(frozen=True)
class Step:
    """One thing to install."""

    name: str
    takes: str
    complete: Callable[[], bool]
    install: Callable[[], None]


STEPS = (
    Step("kafka", "Kafka's jars by Maven, 45 MB", install_kafka.complete, install_kafka.install),
    Step("triton", "Triton in its own environment, 320 MB", install_triton.complete, install_triton.install),
    Step("models", "the model repository, from published weights", install_models.complete, install_models.install),
)


def install(steps: tuple[Step, ...] = STEPS) -> None:
    """Do the steps that are not done. Raises `StackError` with one sentence on what is in the way."""
    missing = [step for step in steps if not step.complete()]
    if not missing:
        return
    parts_dir().mkdir(parents=True, exist_ok=True)
    with (parts_dir() / "lock").open("w", encoding="ascii") as lock:
        # Two `make`s in one clone: the second waits, and finds the work done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for step in missing:
            if step.complete():
                continue
            began = time.monotonic()
            _say(f"{step.name:7} installing: {step.takes} ...")
            step.install()
            _say(f"{step.name:7} done in {time.monotonic() - began:.0f} s")


def main() -> None:
    """Install with progress lines; a failure is one sentence and status 1."""
    try:
        remove_stale_staging(parts_dir())
        install()
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
    except KeyboardInterrupt:
        sys.exit("uncia: interrupted; `make setup` goes on where this stopped")
    _say(f"all parts are in {_shown(parts_dir())}")


def _shown(folder: Path) -> str:
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
