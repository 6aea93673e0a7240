"""Free ports of the loopback interface."""

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """Distinct free ports. All sockets are bound before the first is closed, so that no port is found twice."""
    with contextlib.ExitStack() as cleanup:
        sockets = [cleanup.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [int(bound.getsockname()[1]) for bound in sockets]


def free_port() -> int:
    """One free port."""
    return free_ports(1)[0]
