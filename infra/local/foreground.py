"""The stack as one process in the foreground, for systemd: `python -m uncia.infra.local.foreground [PART...]`.

Starts all parts, says `READY=1` when they have answered, watches supervisord, and stops everything in order on SIGTERM.
Ends with status 0 after SIGTERM or `uncia down`, with 1 when supervisord died: the unit starts it again.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence

from uncia.errors import StackError
from uncia.infra.local.stack import Stack
from uncia.settings import stack_dir
from uncia.terminal import echo

LOOK_EVERY_S = 5.0
START_LIMIT_S = 840
"""Less than the unit's own limit, so that the reason is in the journal."""

_MISSES = 3
"""So often in a row supervisord may not answer: a machine that swaps answers late."""


def run(
    stack: Stack,
    stop: threading.Event,
    notify: Callable[[str], None],
    *,
    parts: Sequence[str] = (),
    look_every_s: float = LOOK_EVERY_S,
) -> int:
    """Until `stop` is set or the stack is gone. `parts`: all when left out.

    Returns the exit status; raises `StackError` when the stack does not start.
    """
    stack.up(
        parts or None,
        timeout_s=START_LIMIT_S,
        report=lambda name, seconds, _: echo(f"{name} ready after {seconds:.1f} s"),
    )
    notify("READY=1\nSTATUS=All parts answer")
    misses = 0
    while not stop.wait(look_every_s):
        supervised = stack.is_supervised()
        if supervised is None:
            echo("The stack was stopped by `uncia down`.")
            return 0
        misses = 0 if supervised else misses + 1
        if misses >= _MISSES:
            echo("supervisord does not answer any more.", err=True)
            return 1
    notify("STOPPING=1")
    stack.down()
    return 0


def notify_systemd(state: str) -> None:
    """sd_notify(3): one datagram to the socket that systemd named; nothing where it named none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # Who does not listen any more is no reason to leave the stack running, or to stop it.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())


class _Stopped(BaseException):
    """SIGTERM while the parts are starting: `up` stops those that it has begun."""


def main() -> None:
    """Run, with SIGTERM and SIGINT as the order to stop."""
    stop, running = threading.Event(), threading.Event()

    def on_signal(*_: object) -> None:
        stop.set()
        if not running.is_set():
            raise _Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)

    def notify(state: str) -> None:
        running.set()
        notify_systemd(state)

    try:
        sys.exit(run(Stack(stack_dir()), stop, notify, parts=sys.argv[1:]))
    except _Stopped:
        sys.exit(0)
    except StackError as error:
        echo(f"uncia: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
