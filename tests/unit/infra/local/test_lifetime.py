"""A stack does not outlive the block that it was started in."""

import os
import signal
from pathlib import Path

import pytest

from uncia.infra.local.lifetime import stop_on_exit


class FakeStack:
    """Counts calls of `down`; raises the signal `during` in every call."""

    def __init__(self, during: signal.Signals | None = None) -> None:
        self.count, self._during = 0, during

    def down(self) -> None:
        if self._during is not None:
            signal.raise_signal(self._during)
        self.count += 1


def test_sigterm_stops_the_stack_and_raises_keyboard_interrupt() -> None:
    stack = FakeStack()
    with pytest.raises(KeyboardInterrupt), stop_on_exit(stack):
        signal.raise_signal(signal.SIGTERM)
    assert stack.count == 1


def test_a_second_sigterm_does_not_interrupt_the_shutdown() -> None:
    stack = FakeStack(during=signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stop_on_exit(stack):
        signal.raise_signal(signal.SIGTERM)
    assert stack.count == 1


def test_the_previous_sigterm_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_exit(FakeStack()):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_model_repository_is_overridden_only_within_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_MODEL_REPOSITORY", "usual")
    with stop_on_exit(FakeStack(), repository=Path("other")):
        assert os.environ["UNCIA_MODEL_REPOSITORY"] == "other"
    assert os.environ["UNCIA_MODEL_REPOSITORY"] == "usual"
