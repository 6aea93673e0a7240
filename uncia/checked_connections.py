"""TCP connections to addresses that were checked, with one limit on the whole exchange.

For clients of servers that somebody else names: the receiver of an alert, the host of a picture. The addresses of a
name are checked and then connected to, so that a second resolution cannot give another one (DNS rebinding).
"""

import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

__all__ = [
    "AddressForbidden",
    "ConnectionFailed",
    "deadline",
    "describe_network_error",
    "is_loopback",
    "open_connection",
    "parse_retry_after",
    "tls_context",
]

LONGEST_RETRY_AFTER_S = 86_400.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


class ConnectionFailed(Exception):
    """No connection was made. The message is a sentence without a stop."""


class AddressForbidden(ConnectionFailed):
    """The host has an address that must not be connected to."""

    def __init__(self, host: str, address: str, *, private: bool) -> None:
        """`private`: an address of a private network, which a caller may permit; others are never permitted."""
        self.host, self.address, self.private = host, address, private
        kind = "the private address" if private else "the address"
        super().__init__(f"{host} has {kind} {address}, which is not permitted")


def open_connection(
    host: str, port: int, timeout_s: float, *, private_address: bool = False, loopback: bool = False
) -> socket.socket:
    """Connect to a host by TCP.

    Addresses that are not global are refused: `private_address` permits those of private networks, and `loopback`
    those of this machine where the host is written as one. Link-local addresses, where clouds serve their keys, are
    never permitted. Raises `ConnectionFailed`.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(f"the name {host} cannot be resolved") from error
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        _check_address(str(address[0]), host, private_address, loopback)
        channel = socket.socket(family, kind, protocol)
        channel.settimeout(timeout_s)
        try:
            channel.connect(address)
            return channel
        except OSError as error:
            failure = error
            channel.close()
    raise ConnectionFailed(f"no connection to {host}: {describe_network_error(failure)}") from failure


@contextlib.contextmanager
def deadline(channel: socket.socket, seconds: float) -> Iterator[None]:
    """Shut a connection down after so many seconds, whatever is being read from it. Raises `TimeoutError` then."""
    # Of its own: the first one may be wrapped, detached or closed by then.
    handle = socket.socket(fileno=os.dup(channel.fileno()))
    passed = threading.Event()

    def end() -> None:
        passed.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, EOFError) as error:
        if passed.is_set():
            raise TimeoutError(f"not finished within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
        handle.close()


def tls_context(cafile: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, with verified names. Raises `ConnectionFailed` where the authorities cannot be read."""
    try:
        context = ssl.create_default_context(cafile=str(cafile) if cafile else None)
    except OSError as error:
        problem = f"the authorities in {cafile} cannot be read: {describe_network_error(error)}"
        raise ConnectionFailed(problem) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def parse_retry_after(value: str | None) -> float | None:
    """Seconds of a header `Retry-After`, at most a day; None: it has none that is valid."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if seconds == seconds else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its address, or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe_network_error(error: Exception | None) -> str:
    """The error in a few words, at most 200 characters."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:200]


def _check_address(address: str, host: str, private_address: bool, loopback: bool) -> None:
    ip = ipaddress.ip_address(address.partition("%")[0])
    local = False
    if isinstance(ip, ipaddress.IPv6Address):
        local = ip.is_site_local or ip in _LOCAL_NAT64
        # What a translator on the way connects to.
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour
        ip = inner or ip
    if loopback and is_loopback(host) and ip.is_loopback:
        return
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        raise AddressForbidden(host, str(ip), private=False)
    if (local or not ip.is_global) and not private_address:
        raise AddressForbidden(host, str(ip), private=True)
