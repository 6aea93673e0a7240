"""A stack does not outlast the block that it was started in."""

import os
import signal
from pathlib import Path

import pytest

from uncia.infra.local.lifetime import stopped_at_the_end


class Downs:
    """Counts how often it was stopped."""

    def __init__(self, during: signal.Signals | None = None) -> None:
        self.count, self._during = 0, during

    def down(self) -> None:
        if self._during is not None:
            signal.raise_signal(self._during)
        self.count += 1


def test_sigterm_stops_the_stack_and_ends_as_ctrl_c_does() -> None:
    stack = Downs()
    with pytest.raises(KeyboardInterrupt), stopped_at_the_end(stack):
        signal.raise_signal(signal.SIGTERM)
    assert stack.count == 1


def test_a_second_sigterm_does_not_cut_the_stopping_short() -> None:
    stack = Downs(during=signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopped_at_the_end(stack):
        signal.raise_signal(signal.SIGTERM)
    assert stack.count == 1


def test_afterwards_sigterm_means_what_it_meant() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopped_at_the_end(Downs()):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_repository_is_named_for_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_MODEL_REPOSITORY", "usual")
    with stopped_at_the_end(Downs(), repository=Path("other")):
        assert os.environ["UNCIA_MODEL_REPOSITORY"] == "other"
    assert os.environ["UNCIA_MODEL_REPOSITORY"] == "usual"
