"""A stack of its own for the tests that kill its parts."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.stack import Stack

QUICK = {
    "UNCIA_BURST_IDLE_S": "4",
    "UNCIA_TICK_S": "0.5",
    "UNCIA_RECONCILE_EVERY_S": "3",
    "UNCIA_RECONCILE_AFTER_S": "3",
}


@pytest.fixture(scope="session")
def mortal_stack() -> Iterator[Stack]:
    """All parts; a test may kill any of them, supervisord brings it back."""
    folder = Path(tempfile.mkdtemp(prefix="uncia-recovery-"))
    stack = Stack(folder)
    try:
        stack.up(extra_env=QUICK)
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)
