"""What to do next with a run, from the state of its process on the other machine. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

__all__ = ["MAX_RESTARTS", "Action", "ProcessState", "RemoteStatus", "next_action"]

MAX_RESTARTS = 3
"""How often a run whose process was killed is started again before it counts as failed: it may be killed each time."""

ProcessState = Literal["absent", "prepared", "running", "died", "exited"]


class Action(Enum):
    """The next step of a run."""

    COPY_AND_START = "copy and start"
    RESTART = "restart"
    FOLLOW = "follow"
    FETCH = "fetch"
    FAIL = "fail"
    GIVE_UP = "give up"


@dataclass(frozen=True)
class RemoteStatus:
    """The state of a run's process."""

    state: ProcessState
    code: int = 0
    """Exit status; negative: the number of the signal that killed it."""

    @property
    def was_killed(self) -> bool:
        """Whether the process ended without a status of its own: a kill, or a restart of the machine."""
        return self.state == "died" or (self.state == "exited" and self.code < 0)


def next_action(status: RemoteStatus, *, restarts: int, retry_failed: bool = False) -> Action:
    """The next step.

    `restarts` counts how often the run was restarted after a kill. `retry_failed`: a run that ended with an error is
    started again, because its command was given again.
    """
    if status.state in ("absent", "prepared"):
        return Action.COPY_AND_START
    if status.state == "running":
        return Action.FOLLOW
    if status.was_killed:
        return Action.RESTART if restarts < MAX_RESTARTS or retry_failed else Action.GIVE_UP
    if status.code == 0:
        return Action.FETCH
    return Action.COPY_AND_START if retry_failed else Action.FAIL
