"""What a way to another machine has to offer."""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Protocol

from uncia.training.remote.errors import LinkBroken, RemoteError

__all__ = ["Transport", "run_client", "tail"]

_CLIENT_LIMIT_S = 600
"""Limit of one command of a client, such as the start of a container whose image has to be downloaded."""


class Transport(Protocol):
    """Runs commands on one other machine. Every command is a process of its own: a broken link ends one command.

    All methods raise `LinkBroken` where a later attempt may succeed, and `RemoteError` where it cannot.
    """

    target: str
    """As after `--on`, for messages."""
    root: str
    """The folder of all runs over there; `~` is the home directory."""

    def open(self) -> None:
        """Make the machine ready for commands. Idempotent; called before each attempt."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` over there, with its standard input and output."""

    def explain(self, status: int, stderr: str) -> RemoteError:
        """The error of a command that gave no answer: `LinkBroken` where another attempt may succeed."""

    def release(self) -> None:
        """Give back what `open` made for the run. Idempotent."""


def run_client(command: Sequence[str], otherwise: str, *, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a client's command. Raises `RemoteError` with `otherwise` where the client is not installed."""
    if shutil.which(command[0]) is None:
        raise RemoteError(otherwise)
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace", timeout=_CLIENT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LinkBroken(f"`{shlex.join(command[:3])}` did not end in {_CLIENT_LIMIT_S} seconds") from error


def tail(text: str) -> str:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
