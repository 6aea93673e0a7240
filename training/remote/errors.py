"""The errors of training on another machine. A message says what happened and what to do."""

from uncia.training import TrainingError

__all__ = ["LinkBroken", "RemoteError"]


class RemoteError(TrainingError):
    """The run cannot continue as it is; what was copied stays there, and the same command continues."""


class LinkBroken(RemoteError):
    """The other machine did not answer. Where it answered before, the caller tries again: the run goes on there."""
