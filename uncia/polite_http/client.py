"""HTTP for a guest: an interval per host, retries with backoff, `Retry-After`, bounded bodies, and no private address.

Pictures come from hosts that records name, so a record could name a machine in our own network (server-side request
forgery). Addresses are checked as for deliveries (`uncia.checked_connections`), at every redirect again.
"""

import contextlib
import http.client
import io
import json
import ssl
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urljoin, urlsplit

from uncia.backoff import Backoff
from uncia.checked_connections import (
    AddressForbidden,
    ConnectionFailed,
    deadline,
    describe_network_error,
    open_connection,
    parse_retry_after,
    tls_context,
)
from uncia.errors import UnciaError
from uncia.polite_http.rate_limit import FetchStopped, HostLimiter

T = TypeVar("T")

__all__ = ["LONGEST_WAIT_S", "MAX_JSON_BYTES", "FetchFailed", "FetchStopped", "Fetched", "PoliteClient", "origin_of"]

MAX_JSON_BYTES = 16 * 1_048_576
_MOST_REDIRECTS = 5
_ATTEMPTS = 4
LONGEST_WAIT_S = 300.0
"""A server that wants to be left alone for longer is asked again in the next run."""
_BUSY = (408, 425, 429)
_CHUNK = 65_536


class NotWritable(UnciaError):
    """What was fetched cannot be written; the message names the cause and the remedy."""

    exit_code = 2


class FetchFailed(Exception):
    """A request failed. `reason` is a short code; `temporary`: another run may succeed."""

    def __init__(self, reason: str, message: str, *, temporary: bool, retry_after_s: float | None = None) -> None:
        self.reason, self.temporary, self.retry_after_s = reason, temporary, retry_after_s
        super().__init__(message)


@dataclass(frozen=True)
class Fetched:
    """A response with status 200."""

    url: str
    """The last one, after redirects."""
    headers: Mapping[str, str]
    """Names in lower case."""
    size: int


def origin_of(url: str) -> tuple[str, int]:
    """Host and port of a URL; an empty host where it is not a URL of http or https without a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", 0
    if parts.scheme not in ("http", "https") or parts.username is not None or not parts.hostname:
        return "", 0
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


class PoliteClient:
    """GET requests. Safe from several threads; `stop` ends all waits."""

    def __init__(
        self,
        limiter: HostLimiter,
        user_agent: str,
        stop: threading.Event,
        *,
        trusted: Collection[tuple[str, int]] = (),
        backoff: Backoff = Backoff(1.0, 60.0),  # noqa: B008, immutable
        timeout_s: float = 120.0,
    ) -> None:
        """`trusted`: origins that the user named, which may be in a private network; `timeout_s`: of one request."""
        self._limiter = limiter
        self._user_agent = user_agent
        self._stop = stop
        self._trusted = frozenset(trusted)
        self._backoff = backoff
        self._timeout_s = timeout_s

    def get_json(self, url: str, parse: Callable[[Any], T], before: Callable[[], None] = lambda: None) -> T:
        """What `parse` makes of the JSON at a URL. A page of HTML, and JSON that ends early, are tried again.

        `parse` may raise `FetchFailed`, and is tried again where that is temporary; so may `before`, which is called
        before each attempt. Raises `FetchFailed`.
        """

        def get() -> T:
            before()
            sink = io.BytesIO()
            fetched = self._get(url, sink, MAX_JSON_BYTES, "application/json")
            try:
                document = json.loads(sink.getvalue())
            except (ValueError, RecursionError) as error:
                kind = fetched.headers.get("content-type", "no content type").partition(";")[0][:60]
                message = f"the response is no JSON ({kind}, {fetched.size:,} bytes)"
                raise FetchFailed("not-json", message, temporary=True) from error
            return parse(document)

        return self._retry(get)

    def get_file(
        self, url: str, sink: BinaryIO, most_bytes: int, check: Callable[[str], None] = lambda url: None
    ) -> Fetched:
        """Write the body at a URL into an empty, seekable file. Raises `FetchFailed`, also above `most_bytes`.

        `check` is called with the URL of each redirect, and may raise `FetchFailed`.
        """

        def get() -> Fetched:
            sink.seek(0)
            sink.truncate()
            return self._get(url, sink, most_bytes, "image/*", check)

        return self._retry(get)

    def get_text(self, url: str, most_bytes: int, check: Callable[[str], None] = lambda url: None) -> tuple[int, str]:
        """Status and text, at most so many bytes of it, for statuses 200 and 400 to 499. Raises `FetchFailed`.

        `check` is called with the URL of each redirect, and may raise `FetchFailed`.
        """
        sink = io.BytesIO()
        try:
            self._get(url, sink, most_bytes, "text/plain", check)
        except FetchFailed as error:
            if error.reason.startswith("http-4") and not error.temporary:
                return int(error.reason.removeprefix("http-")), ""
            if error.reason != "too-large":
                raise
        return 200, sink.getvalue().decode("utf-8", "replace")

    def _retry(self, call: Callable[[], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return call()
            except FetchFailed as error:
                wait = error.retry_after_s or 0.0
                if not error.temporary or attempt == _ATTEMPTS or wait > LONGEST_WAIT_S:
                    raise
                self._pause(max(wait, self._backoff.delay_s(attempt)))
        raise AssertionError("unreachable")

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise FetchStopped

    def _wait_for_turn(self, host: str) -> None:
        """Wait for the host's interval, and for a pause that it asks for meanwhile. Raises `FetchFailed`."""
        if self._stop.is_set():
            raise FetchStopped
        while (wait := self._limiter.take(host)) > 0:
            if wait > LONGEST_WAIT_S:
                message = f"the host asked to be left alone for {wait:,.0f} s"
                raise FetchFailed("paused", message, temporary=True, retry_after_s=wait)
            self._pause(wait)

    def _get(
        self,
        url: str,
        sink: BinaryIO,
        most_bytes: int,
        accept: str,
        check: Callable[[str], None] = lambda url: None,
    ) -> Fetched:
        for _ in range(_MOST_REDIRECTS + 1):
            found = self._get_once(url, sink, most_bytes, accept)
            if isinstance(found, Fetched):
                return found
            url = found
            check(url)
        raise FetchFailed("redirects", f"more than {_MOST_REDIRECTS} redirects", temporary=False)

    def _get_once(self, url: str, sink: BinaryIO, most_bytes: int, accept: str) -> Fetched | str:
        """The response, or the URL of a redirect."""
        host, port = origin_of(url)
        if not host:
            raise FetchFailed("not-a-url", "not a URL of http or https", temporary=False)
        self._wait_for_turn(host)
        try:
            trusted = (host, port) in self._trusted
            with contextlib.ExitStack() as stack:
                channel = open_connection(host, port, self._timeout_s, private_address=trusted, loopback=trusted)
                stack.enter_context(channel)
                stack.enter_context(deadline(channel, self._timeout_s))
                if urlsplit(url).scheme == "https":
                    channel = stack.enter_context(tls_context().wrap_socket(channel, server_hostname=host))
                connection = stack.enter_context(contextlib.closing(http.client.HTTPConnection(host, port)))
                connection.sock = channel
                headers = {"User-Agent": self._user_agent, "Accept": accept, "Connection": "close"}
                connection.request("GET", _target(url), headers=headers)
                return self._read(url, connection.getresponse(), sink, most_bytes)
        except AddressForbidden as error:
            raise FetchFailed("address-forbidden", str(error), temporary=False) from error
        except ssl.SSLCertVerificationError as error:
            raise FetchFailed(
                "certificate", f"the certificate is not valid: {error.verify_message}", temporary=False
            ) from error
        except TimeoutError as error:
            raise FetchFailed("timeout", f"not finished within {self._timeout_s:g} s", temporary=True) from error
        except http.client.InvalidURL as error:
            raise FetchFailed("not-a-url", "not a URL of http or https", temporary=False) from error
        except (ConnectionFailed, OSError, http.client.HTTPException) as error:
            raise FetchFailed("connection", describe_network_error(error), temporary=True) from error

    def _read(self, url: str, response: http.client.HTTPResponse, sink: BinaryIO, most_bytes: int) -> Fetched | str:
        headers = {name.lower(): value for name, value in response.headers.items()}
        status = response.status
        if status in (301, 302, 303, 307, 308) and headers.get("location"):
            try:
                return urljoin(url, headers["location"])
            except ValueError as error:
                raise FetchFailed("not-a-url", "a redirect to what is no URL", temporary=False) from error
        if status != 200:
            wait = parse_retry_after(headers.get("retry-after"))
            busy = status in _BUSY or status >= 500
            if busy and wait:
                self._limiter.pause(origin_of(url)[0], wait)
            raise FetchFailed(f"http-{status}", f"HTTP {status}", temporary=busy, retry_after_s=wait)
        declared = response.length
        if declared is not None and declared > most_bytes:
            raise FetchFailed("too-large", f"{declared:,} bytes, more than {most_bytes:,}", temporary=False)
        size = 0
        # Not `read`: a chunk that states the size -1 would be read to the end of the connection, into memory.
        while chunk := response.read1(_CHUNK):
            try:
                sink.write(chunk[: most_bytes - size])
            except OSError as error:
                # Not an error of the connection, which is what the caller would take it for.
                problem = f"a picture cannot be written ({error.strerror}): free some space and run it again"
                raise NotWritable(problem) from error
            size += len(chunk)
            if size > most_bytes:
                raise FetchFailed("too-large", f"more than {most_bytes:,} bytes", temporary=False)
        # `read` with a size ends quietly where the connection ends within the body.
        if declared is not None and size < declared:
            raise FetchFailed("cut-off", f"it ends after {size:,} of {declared:,} bytes", temporary=True)
        return Fetched(url, headers, size)


def _target(url: str) -> str:
    parts = urlsplit(url)
    # Records hold URLs with spaces and letters that a request line must not contain.
    path = _quoted(parts.path or "/")
    return f"{path}?{_quoted(parts.query)}" if parts.query else path


def _quoted(text: str) -> str:
    return "".join(
        one if "!" <= one <= "~" else "".join(f"%{byte:02X}" for byte in one.encode("utf-8", "replace")) for one in text
    )
