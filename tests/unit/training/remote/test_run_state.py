"""What happens next with a run on another machine, by the state of its process."""

import pytest

from uncia.training.remote.run_state import MAX_RESTARTS, Action, ProcessState, RemoteStatus, next_action


@pytest.mark.parametrize(
    ("state", "code", "action"),
    [
        ("absent", 0, Action.COPY_AND_START),
        ("prepared", 0, Action.COPY_AND_START),
        ("running", 0, Action.FOLLOW),
        ("died", 0, Action.RESTART),
        ("exited", -9, Action.RESTART),
        ("exited", 0, Action.FETCH),
        ("exited", 1, Action.FAIL),
    ],
)
def test_each_state_has_one_next_step(state: ProcessState, code: int, action: Action) -> None:
    assert next_action(RemoteStatus(state, code), restarts=0) is action


def test_a_run_that_is_killed_each_time_is_given_up() -> None:
    assert next_action(RemoteStatus("died"), restarts=MAX_RESTARTS) is Action.GIVE_UP


def test_a_run_that_failed_starts_again_when_its_command_is_repeated() -> None:
    assert next_action(RemoteStatus("exited", 1), restarts=0, retry_failed=True) is Action.COPY_AND_START


def test_a_run_that_was_given_up_starts_again_when_its_command_is_repeated() -> None:
    assert next_action(RemoteStatus("died"), restarts=MAX_RESTARTS, retry_failed=True) is Action.RESTART
