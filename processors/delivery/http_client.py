"""One HTTP request with one limit on its whole duration, to an address that was checked.

`http.client` and not a library on top: those limit single reads, so that a server that sends a byte now and then holds
a request for hours, and they resolve the name a second time, after the check of its addresses.
"""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from uncia.checked_connections import (
    AddressForbidden,
    ConnectionFailed,
    deadline,
    describe_network_error,
    is_loopback,
    open_connection,
    parse_retry_after,
)
from uncia.checked_connections import tls_context as checked_tls_context
from uncia.processors.delivery.failures import RefusedForGood, SendFailed

__all__ = ["Response", "check_url", "connect", "deadline", "is_loopback", "request", "tls_context"]

_MOST_BYTES = 4 * 1_048_576
_TEMPORARY = (408, 425, 429)
_KEY_REFUSED = (401, 403)
"""Statuses of a wrong, expired or unauthorised key: the next message has the same one, and an operator changes it."""
_BUSY = (408, 425, 429, 502, 503, 504)
"""Statuses that are about the server, not about the message."""


@dataclass(frozen=True)
class Response:
    """A response with a status of 200 to 299."""

    status: int
    body: bytes
    complete: bool
    """False: the connection ended within the body."""


def check_url(url: str) -> str | None:
    """What is wrong with the URL of a receiver; None: nothing."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not a URL"
    if parts.scheme not in ("https", "http") or not host:
        return "not a URL: use https://host/path"
    if parts.username is not None or parts.password is not None:
        return "a URL must not contain a password: use `secret_file`"
    if parts.scheme == "http" and not is_loopback(host):
        return "use https: http is only for receivers on this machine (127.0.0.1, ::1)"
    return None


def request(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    cafile: Path | None = None,
    private_address: bool = False,
) -> Response:
    """Send a request and read its response. Redirects are not followed, and proxies are not used.

    Raises `SendFailed` where another attempt may succeed, and `RefusedForGood`.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    sent = False
    try:
        connected = connect(host, port, timeout_s, private_address=private_address)
        with connected, deadline(connected, timeout_s):
            channel: socket.socket = connected
            if parts.scheme == "https":
                channel = tls_context(cafile).wrap_socket(connected, server_hostname=host)
            connection = http.client.HTTPConnection(host, port)
            connection.sock = channel
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            sent = True
            with contextlib.closing(connection):
                connection.request(method, target, body, {"Connection": "close", "User-Agent": "Uncia", **headers})
                return _response(connection.getresponse())
    except ssl.SSLCertVerificationError as error:
        raise SendFailed(f"the certificate is not valid: {error.verify_message}", may_have_arrived=False) from error
    except TimeoutError as error:
        raise SendFailed(f"no answer within {timeout_s:g} s", may_have_arrived=sent) from error
    except (OSError, http.client.HTTPException) as error:
        raise SendFailed(describe_network_error(error), may_have_arrived=sent) from error


def connect(host: str, port: int, timeout_s: float, *, private_address: bool) -> socket.socket:
    """Connect to a host by TCP. Raises `SendFailed`, for an address that is not permitted as well."""
    try:
        return open_connection(host, port, timeout_s, private_address=private_address, loopback=True)
    except AddressForbidden as error:
        problem = str(error)
        if error.private:
            problem = f"{host} has the private address {error.address}: if this is meant, set `private_address: true`"
        raise SendFailed(problem, may_have_arrived=False) from error
    except ConnectionFailed as error:
        raise SendFailed(str(error), may_have_arrived=False) from error


def tls_context(cafile: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, with verified names. Raises `SendFailed` where the authorities cannot be read."""
    try:
        return checked_tls_context(cafile)
    except ConnectionFailed as error:
        raise SendFailed(str(error), may_have_arrived=False, needs_operator=True) from error


def _response(response: http.client.HTTPResponse) -> Response:
    status = response.status
    if 200 <= status < 300:
        try:
            return Response(status, response.read(_MOST_BYTES), True)
        except (OSError, http.client.HTTPException):
            return Response(status, b"", False)
    reason = f"HTTP {status} {response.reason}".strip()[:200]
    if 300 <= status < 400:
        raise RefusedForGood(f"{reason}: redirects are not followed, give the final address")
    if status in _KEY_REFUSED:
        raise SendFailed(f"{reason}: the receiver refuses the key", may_have_arrived=False, needs_operator=True)
    if status < 400 or (status < 500 and status not in _TEMPORARY):
        raise RefusedForGood(reason)
    wait = parse_retry_after(response.headers.get("Retry-After"))
    # A server that fails within its work may have done it.
    raise SendFailed(reason, may_have_arrived=status >= 500, retry_after_s=wait, busy=status in _BUSY)
