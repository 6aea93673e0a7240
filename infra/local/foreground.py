"""Runs the stack as one foreground process, for systemd: `python -m uncia.infra.local.foreground [PART...]`.

Starts all parts, sends `READY=1` when they are ready, monitors supervisord, and stops all parts in order on SIGTERM.
Exits with status 0 after SIGTERM or `uncia down`, with 1 when supervisord died; the unit then restarts it.
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

_POLL_INTERVAL_S = 5.0
START_LIMIT_S = 840
"""Start timeout in seconds. Shorter than the unit's `TimeoutStartSec`, so that the journal has the reason."""

_MAX_MISSES = 3
"""Failed polls in a row after which supervisord counts as dead: a machine that swaps responds late."""


def run(
    stack: Stack,
    stop: threading.Event,
    notify: Callable[[str], None],
    *,
    parts: Sequence[str] = (),
    poll_interval_s: float = _POLL_INTERVAL_S,
) -> int:
    """Run the stack until `stop` is set or supervisord is gone.

    `notify` receives the states for systemd; `parts` defaults to all parts. Returns the exit status. Raises
    `StackError` when the stack does not start.
    """
    stack.up(
        parts or None,
        timeout_s=START_LIMIT_S,
        report=lambda name, seconds, _: echo(f"{name} ready after {seconds:.1f} s"),
    )
    notify("READY=1\nSTATUS=All parts are ready")
    misses = 0
    while not stop.wait(poll_interval_s):
        supervised = stack.is_supervised()
        if supervised is None:
            echo("The stack was stopped by `uncia down`.")
            return 0
        misses = 0 if supervised else misses + 1
        if misses >= _MAX_MISSES:
            echo("supervisord no longer answers.", err=True)
            return 1
    notify("STOPPING=1")
    stack.down()
    return 0


def _notify_systemd(state: str) -> None:
    """Send one datagram to the socket in NOTIFY_SOCKET, as sd_notify(3) does; do nothing when it is unset."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A service manager that no longer listens must affect neither the start nor the stop of the stack.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())


class _Stopped(BaseException):
    """SIGTERM while the parts are starting: `Stack.up` then stops those that it has started."""


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stop, running = threading.Event(), threading.Event()

    def on_signal(*_: object) -> None:
        stop.set()
        if not running.is_set():
            raise _Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)

    def notify(state: str) -> None:
        running.set()
        _notify_systemd(state)

    try:
        sys.exit(run(Stack(stack_dir()), stop, notify, parts=sys.argv[1:]))
    except _Stopped:
        sys.exit(0)
    except StackError as error:
        echo(f"uncia: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
