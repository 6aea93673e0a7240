"""Connections whose every byte is taken from a ledger before it moves.

botocore is given one end of a socket pair and encrypts on it; a thread carries the bytes between the other end and the
network, in pieces of a packet each, as far as the ledger grants them. So TLS, headers and failed attempts are counted
as they are, and a transfer that the budget no longer permits ends with a reset, after which the kernel sends nothing
more. What the kernel sends again after a loss is counted by the kernel (TCP_INFO).
"""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import NewConnectionError

from uncia.producers.gateway.thin.budget import CONNECTION_BYTES, PACKET_OVERHEAD, PACKET_PAYLOAD, link_bytes
from uncia.producers.gateway.thin.ledger import BudgetUsedUp, Ledger
from uncia.storage.object_store import ObjectStore

_BUFFER_BYTES = 8 * 1024
"""What the kernel may hold back of what was counted: the end of an upload is then soon on the link."""

_CONNECT_S = 30
_BLOCK_BYTES = 1024
"""urllib3 sends a body in blocks of so many bytes, and each within the timeout, however slow the link is."""

_IDLE_S = 1.0
_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset and drops what was not sent yet."""

_TOTAL_RETRANSMISSIONS = slice(100, 104)
"""Of Linux's `struct tcp_info`: number of segments that were sent again."""


class MeteredStore:
    """Lets all requests of an object store go through connections that a ledger meters."""

    def __init__(self, store: ObjectStore, ledger: Ledger, timeout_s: float) -> None:
        self._ledger = ledger
        self._timeout_s = timeout_s
        self._session = URLLib3Session(
            verify=store.verify,
            proxies=get_environ_proxies(store.client.meta.endpoint_url),
            timeout=timeout_s,  # for both: urllib3 sends with the one for connecting
            max_pool_connections=1,
        )
        # The pools of botocore, with connections that pass through a relay: no setting of botocore replaces them.
        pools = _metered_pools(self._relay)
        self._session._manager.pool_classes_by_scheme = pools
        self._session._pool_classes_by_scheme = pools  # of connections to a proxy, which are opened later
        store.client.meta.events.register("before-send.s3", self._send)

    def _send(self, request: Any, **_: Any) -> Any:
        return self._session.send(request)

    def _relay(self, connect: Callable[[], socket.socket]) -> socket.socket:
        self._ledger.take(CONNECTION_BYTES)
        outer = connect()
        inner, end = socket.socketpair()
        with contextlib.suppress(OSError):
            outer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        for each in (inner, end):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        end.settimeout(self._timeout_s)
        outer.setblocking(False)
        inner.setblocking(False)
        threading.Thread(target=_Relay(inner, outer, self._ledger).run, name="thin-link", daemon=True).start()
        return end


class _Relay:
    """Carries the bytes of one connection."""

    def __init__(self, inner: socket.socket, outer: socket.socket, ledger: Ledger) -> None:
        self._inner = inner
        self._outer = outer
        self._ledger = ledger
        self._up = self._down = b""
        self._repeated = 0

    def run(self) -> None:
        """Until one side closes, or the budget is used up."""
        try:
            while self._step():
                self._count_repeated()
        except Exception:  # the budget is used up, a side was reset, or the spool was closed: nothing may follow
            with contextlib.suppress(OSError):
                self._outer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        finally:
            with contextlib.suppress(OSError):
                self._outer.close()
            with contextlib.suppress(OSError):
                self._inner.close()

    def _step(self) -> bool:
        """Wait for one of the two sides. False when one of them has closed."""
        readers = [each for each, held in ((self._inner, self._up), (self._outer, self._down)) if not held]
        writers = [each for each, held in ((self._outer, self._up), (self._inner, self._down)) if held]
        readable, writable, _ = select.select(readers, writers, (), _IDLE_S)
        if self._inner in readable:
            self._up = self._inner.recv(PACKET_PAYLOAD)
            if not self._up:
                return False
            self._ledger.take(link_bytes(len(self._up)))
        if self._outer in readable:
            # Taken before they are read, since what was read has moved; the rest of the packet is not paid for twice.
            self._ledger.take(link_bytes(PACKET_PAYLOAD))
            self._down = self._outer.recv(PACKET_PAYLOAD)
            self._ledger.put_back(link_bytes(PACKET_PAYLOAD) - link_bytes(len(self._down)))
            if not self._down:
                return False
        if self._outer in writable:
            self._up = self._up[self._outer.send(self._up) :]
        if self._inner in writable:
            self._down = self._down[self._inner.send(self._down) :]
        return True

    def _count_repeated(self) -> None:
        try:
            info = self._outer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except (OSError, AttributeError):
            return  # not Linux
        if len(info) >= _TOTAL_RETRANSMISSIONS.stop:
            (total,) = struct.unpack("=I", info[_TOTAL_RETRANSMISSIONS])
            new, self._repeated = max(0, total - self._repeated), max(total, self._repeated)
            self._ledger.take_repeated(new * (PACKET_PAYLOAD + PACKET_OVERHEAD))


def _metered_pools(relay: Callable[[Callable[[], socket.socket]], socket.socket]) -> dict[str, type]:
    """Pools of connections whose sockets come from `relay`, which opens the real one."""

    def opened(connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
        timeout, connection.timeout = connection.timeout, _CONNECT_S
        try:
            return relay(connect)
        except BudgetUsedUp as error:
            raise NewConnectionError(connection, "the budget of this day is used up") from error
        finally:
            connection.timeout = timeout

    class Plain(AWSHTTPConnection):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "blocksize": _BLOCK_BYTES})

        def _new_conn(self) -> socket.socket:
            return opened(self, super()._new_conn)

    class Encrypted(AWSHTTPSConnection):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "blocksize": _BLOCK_BYTES})

        def _new_conn(self) -> socket.socket:
            return opened(self, super()._new_conn)

    plain = type("MeteredPool", (AWSHTTPConnectionPool,), {"ConnectionCls": Plain})
    encrypted = type("MeteredTlsPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": Encrypted})
    return {"http": plain, "https": encrypted}
