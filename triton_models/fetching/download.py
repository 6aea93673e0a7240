"""Download one file over HTTP: resumed where it broke off, and checked before it is used.

The bytes are written to `<target>.part`, which an interrupted download leaves behind for the next one. The name
`<target>` appears only once the checksum is right.
"""

import contextlib
import errno
import hashlib
import http.client
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from uncia.backoff import Backoff
from uncia.errors import UnciaError

Progress = Callable[[int, int], None]
"""Called with the bytes that are there, and with the size of the file (0: unknown)."""

MAX_BYTES = 8 << 30
_CHUNK = 1 << 18
_AGENT = "uncia"
_WAITS = Backoff(1.0, 30.0)


class DownloadFailed(UnciaError):
    """A file could not be downloaded, or is not the expected one. What was transferred is kept where it can be used."""


class _TryAgain(Exception):
    """The connection failed in a way that another attempt may not."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at its publisher."""

    address: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Hexadecimal digests by the algorithm's name in `hashlib`, as the publisher states them."""


@dataclass(frozen=True)
class Patience:
    """How long a download is tried."""

    attempts: int = 5
    """Attempts in a row that transfer nothing."""
    timeout_s: float = 60.0
    """Seconds without a byte after which a connection counts as broken."""
    sleep: Callable[[float], None] = time.sleep


def download(
    remote: RemoteFile, target: Path, *, progress: Progress | None = None, patience: Patience | None = None
) -> str:
    """Download the file to `target`, unless it is there already; returns its SHA-256. Raises `DownloadFailed`."""
    patience = patience or Patience()
    progress = progress or (lambda have, size: None)
    if target.exists():
        return _check(target, remote, keep=True)
    part = target.with_name(target.name + ".part")
    with _written(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        _transfer(remote.address, part, progress, patience)
        digest = _check(part, remote, keep=False)
        part.rename(target)
        _etag_file(part).unlink(missing_ok=True)
    return digest


def _transfer(address: str, part: Path, progress: Progress, patience: Patience) -> None:
    failed = 0
    while True:
        before = _size(part)
        try:
            _receive(address, part, progress, patience.timeout_s)
            return
        except _TryAgain as error:
            # Attempts that transfer something do not count: a slow link may break off a hundred times.
            failed = 0 if _size(part) > before else failed + 1
            if failed >= patience.attempts:
                kept = f"; {_size(part):,} bytes are kept, and the same command continues there" if _size(part) else ""
                raise DownloadFailed(f"{address} could not be downloaded: {error}{kept}") from error
            patience.sleep(_WAITS.delay_s(max(failed, 1)))


def _receive(address: str, part: Path, progress: Progress, timeout_s: float) -> None:
    """Append what is missing. Raises `_TryAgain` where the connection failed, and `DownloadFailed`."""
    have = _size(part)
    try:
        with _open(address, have, _read_etag(part), timeout_s) as response:
            start, size = _range(response, have, address)
            if start == 0:
                _etag_file(part).write_text(response.headers.get("ETag") or "", encoding="utf-8")
            _check_space(part, size - start)
            with part.open("r+b" if start else "wb") as file:
                if start:
                    file.seek(start)
                    file.truncate()
                have = start
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    if have > MAX_BYTES:
                        raise DownloadFailed(f"{address} is larger than {MAX_BYTES >> 30} GiB: it is no model")
                    progress(have, size)
            if size and have < size:
                raise _TryAgain(f"the connection broke off after {have:,} of {size:,} bytes")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            # All bytes are there already, or the file became shorter: without the part, the next attempt starts anew.
            if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                return
            part.unlink()
            raise _TryAgain("the file at the publisher has changed") from error
        _explain_status(error, address)
    except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError, ssl.SSLError) as error:
        reason = getattr(error, "reason", error)
        raise _TryAgain(f"no connection to {urlsplit(address).hostname} ({reason or type(error).__name__})") from error


def _open(address: str, have: int, etag: str, timeout_s: float) -> Any:
    if urlsplit(address).scheme not in ("http", "https"):
        raise DownloadFailed(f"{address} is not an address of the web")
    request = urllib.request.Request(address, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        # Another file under the same address is then sent from its beginning.
        if etag and not etag.startswith("W/"):
            request.add_header("If-Range", etag)
    return urllib.request.urlopen(request, timeout=timeout_s)


def _range(response: Any, have: int, address: str) -> tuple[int, int]:
    """Where the response's bytes begin, and the size of the whole file; 0 where it is unknown."""
    if response.status == 206:
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        first = span.partition("-")[0]
        if unit != "bytes" or not first.isdigit() or int(first) != have:
            raise DownloadFailed(f"{address} sent another part of the file than was requested")
        return have, int(total) if total.isdigit() else 0
    length = response.headers.get("Content-Length") or ""
    return 0, int(length) if length.isdigit() else 0


def _explain_status(error: urllib.error.HTTPError, address: str) -> None:
    if error.code in (401, 403):
        raise DownloadFailed(
            f"{address} may not be downloaded without signing in (HTTP {error.code}): download it in a browser, and "
            "name the file with --file"
        ) from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise _TryAgain(f"the publisher answers with HTTP {error.code}") from error
    raise DownloadFailed(
        f"{address} does not exist any more (HTTP {error.code}): look for it on the publisher's page, and name the "
        "file with --file"
    ) from error


def _check(path: Path, remote: RemoteFile, *, keep: bool) -> str:
    digests = {name: _digest(path, name) for name in {"sha256", *remote.checksums}}
    for name, expected in remote.checksums.items():
        if digests[name] != expected:
            if not keep:
                path.unlink()
                _etag_file(path).unlink(missing_ok=True)
            advice = "delete it and try again" if keep else "it was deleted; try again"
            raise DownloadFailed(
                f"{path} is not the published file ({name} {digests[name]}, and must be {expected}): {advice}"
            )
    return digests["sha256"]


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _check_space(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise OSError(errno.ENOSPC, "no space")


@contextlib.contextmanager
def _written(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadFailed(
                f"the disk of {part.parent} is full: free some space, and the same command continues the download"
            ) from error
        raise DownloadFailed(f"{part} cannot be written ({error.strerror or error})") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _etag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _read_etag(part: Path) -> str:
    try:
        return _etag_file(part).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
