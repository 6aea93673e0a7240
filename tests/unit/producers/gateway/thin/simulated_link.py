"""A thin link: a TCP relay with latency, a rate, and connections that break; it counts every byte."""

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

_ABORT = struct.pack("ii", 1, 0)


class SimulatedLink:
    """Listens on a loopback port and relays to another one.

    `loss`: share of packets of 1,200 bytes after which the connection breaks; `latency_s` and `bytes_per_s` hold for
    each direction. `carried` counts the bytes that entered the link.
    """

    def __init__(
        self, target: tuple[str, int], *, loss: float, latency_s: float, bytes_per_s: float, seed: int
    ) -> None:
        self.carried = 0
        self.connections = 0
        self.broken = 0
        self.loss = loss
        self._target = target
        self._latency_s = latency_s
        self._bytes_per_s = bytes_per_s
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        # A sender feels the rate: the kernel takes little in advance.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        # Without it, a thread that waits in accept() keeps the port open.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                far = socket.create_connection(self._target)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1200):
                with self._lock:
                    self.carried += len(data)
                    breaks = self._random.random() < self.loss
                    self.broken += breaks
                time.sleep(self._latency_s + len(data) / self._bytes_per_s)
                if breaks:
                    for each in (source, target):
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def simulated_link(
    target: tuple[str, int], *, loss: float = 0.0, latency_s: float = 0.0, bytes_per_s: float = 1e9, seed: int = 0
) -> Iterator[SimulatedLink]:
    """A link to a server."""
    link = SimulatedLink(target, loss=loss, latency_s=latency_s, bytes_per_s=bytes_per_s, seed=seed)
    try:
        yield link
    finally:
        link.close()
