"""A stack with an observer, for one test session or benchmark."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.faults import FaultContext
from tests.recovery.observer import Observer
from tests.waiting import SCALE
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack

QUICK = {
    "UNCIA_BURST_IDLE_S": "4",
    "UNCIA_TICK_S": "0.5",
    "UNCIA_RECONCILE_EVERY_S": "3",
    "UNCIA_RECONCILE_AFTER_S": "3",
    "UNCIA_EXPLANATION_SAMPLES": "8",
}
"""Settings with which bursts close, missed uploads are found, and photographs are explained, within seconds."""

IDENTIFY = {"UNCIA_IDENTIFY_TAXA": "Mammalia,Aves", "UNCIA_IDENTIFY_SETTLE_S": "1"}
"""The individuals of whatever the classifier sees in the photographs are told apart."""


@contextlib.contextmanager
def running_stack(keep: Path | None = None) -> Iterator[tuple[FaultContext, Observer]]:
    """A stack with all parts, any of which may be killed. The logs are copied to `keep`, if given."""
    folder = Path(tempfile.mkdtemp(prefix="uncia-recovery-"))
    stack = Stack(folder / "stack")
    try:
        with pytest.MonkeyPatch.context() as patch, stop_on_exit(stack):
            for name, value in IDENTIFY.items():
                patch.setenv(name, value)
            stack.up(extra_env=QUICK, timeout_s=SCALE * 120)
            with Observer(stack.settings()).watching() as observer:
                yield FaultContext(stack, QUICK, folder), observer
    finally:
        if keep is not None:
            shutil.rmtree(keep, ignore_errors=True)
            shutil.copytree(stack.folder / "logs", keep)
            for log in folder.glob("second-*/log"):
                shutil.copy(log, keep / f"{log.parent.name}.log")
        shutil.rmtree(folder, ignore_errors=True)
