"""Waits for a condition, with limits that a slow machine does not exceed."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SCALE = float(os.environ.get("UNCIA_TEST_TIMEOUT_SCALE", "4"))
"""Factor on the limits of all waits. They are written for an idle machine; with eight busy processes on two cores the
same events take up to four times as long. A wait that succeeds is not slowed down."""


def wait_until(condition: Callable[[], T | None], limit_s: float, what: str = "") -> T:
    """The condition's value as soon as it is true. Raises `AssertionError` when it is not within the scaled limit."""
    deadline = time.monotonic() + SCALE * limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {SCALE * limit_s:g} s: {what or condition}")
        time.sleep(0.1)
    return value
