"""Fetch the accepted pictures in parallel, and check that each is a whole photograph."""

import hashlib
import os
import shutil
import tempfile
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from uncia.errors import RejectedImage
from uncia.harvest_requests import MAX_PICTURE_BYTES
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame
from uncia.polite_http.client import (
    LONGEST_WAIT_S,
    FetchFailed,
    FetchStopped,
    PoliteClient,
    origin_of,
)
from uncia.polite_http.rate_limit import HostLimiter
from uncia.polite_http.robots import Robots
from uncia.storage.durable import replace_durably
from uncia.training.datasets.image_decoding import MAX_PIXELS, OTHER_FORMATS, load_frame, read_bytes
from uncia.training.harvest import HarvestError
from uncia.training.harvest.query import LOCAL
from uncia.training.harvest.store import HarvestStore, WantedPicture
from uncia.training.progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from uncia.training.harvest.local_source import LocalSource

__all__ = ["PICTURES", "FetchOutcome", "PictureFetcher", "note_failure", "remove_leftovers", "store_picture"]

PICTURES = "pictures"
_LEAST_SIDE = 64
"""Pixels: smaller pictures are icons."""
_SMALL = FrameSpec(width=128, height=96, window=128, crop_top=0, crop_bottom=0)
_PART = ".part-"
_FAILURES_OF_HOST = 3
"""In a row: the host is left alone until the next run."""
_RUNS = 3
"""Runs in which a picture is tried."""
_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
}


@dataclass
class FetchOutcome:
    """What a run fetched."""

    stored: int = 0
    left_out: int = 0
    postponed: int = 0
    """Pictures whose host failed: the next run tries them again."""

    def __add__(self, other: "FetchOutcome") -> "FetchOutcome":
        return FetchOutcome(
            self.stored + other.stored, self.left_out + other.left_out, self.postponed + other.postponed
        )


class _HostQueue:
    """Hands out pictures of the host that may be asked soonest, so that a slow host holds up no thread."""

    def __init__(self, pictures: Iterable[WantedPicture], limiter: HostLimiter) -> None:
        self._limiter = limiter
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[WantedPicture]] = defaultdict(deque)
        self._failures: dict[str, int] = defaultdict(int)
        for picture in pictures:
            self._waiting[_host_of(picture)].append(picture)

    def take(self) -> WantedPicture | None:
        """The next picture; None: there are no more."""
        with self._lock:
            hosts = [host for host, pictures in self._waiting.items() if pictures]
            if not hosts:
                return None
            return self._waiting[min(hosts, key=self._limiter.wait_s)].popleft()

    def succeeded(self, host: str) -> None:
        """The host works."""
        with self._lock:
            self._failures[host] = 0

    def failed(self, host: str, *, for_long: bool = False) -> int:
        """The host failed. After several failures in a row its pictures are dropped, and at once where it asked for a
        long pause; returns how many there were."""
        with self._lock:
            self._failures[host] += 1
            dropped = for_long or self._failures[host] >= _FAILURES_OF_HOST
            return len(self._waiting.pop(host, ())) if dropped else 0


def _host_of(picture: WantedPicture) -> str:
    return "" if picture.source == LOCAL else origin_of(picture.url)[0]


class PictureFetcher:
    """Fetches the pictures that a store wants, each into a file named by its content."""

    def __init__(
        self,
        store: HarvestStore,
        folder: Path,
        client: PoliteClient | None,
        robots: Robots | None,
        limiter: HostLimiter,
        local: "LocalSource | None",
        stop: threading.Event,
    ) -> None:
        self._store, self._folder, self._client, self._robots = store, folder, client, robots
        self._limiter, self._local, self._stop = limiter, local, stop
        self._lock = threading.Lock()
        self._outcome = FetchOutcome()
        self._done = 0

    def fetch_all(
        self, wanted: Sequence[WantedPicture], workers: int, progress: ProgressCallback = no_progress
    ) -> FetchOutcome:
        """Fetch these pictures, with so many threads.

        Raises `FetchStopped` after an interruption, and `HarvestError` where the folder cannot be written.
        """
        queue = _HostQueue(wanted, self._limiter)
        (self._folder / PICTURES).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(self._work, queue, len(wanted), progress) for _ in range(workers)]
            try:
                for thread in running:
                    thread.result()
            except BaseException:
                # Also at Ctrl-C: the other threads end at their next wait.
                self._stop.set()
                raise
        return self._outcome

    def _work(self, queue: _HostQueue, total: int, progress: ProgressCallback) -> None:
        while (picture := queue.take()) is not None:
            if self._stop.is_set():
                raise FetchStopped
            host = _host_of(picture)
            try:
                stored = self._fetch(picture)
            except FetchFailed as error:
                self._note_failure(picture, error, queue)
            except OSError as error:
                problem = f"{self._folder} cannot be written ({error.strerror}): free some space and run it again"
                raise HarvestError(problem) from error
            else:
                queue.succeeded(host)
                self._count(stored=int(stored), left_out=int(not stored))
            with self._lock:
                self._done += 1
                progress(self._done, total)

    def _note_failure(self, picture: WantedPicture, error: FetchFailed, queue: _HostQueue) -> None:
        dropped = 0
        if error.temporary:
            for_long = (error.retry_after_s or 0.0) > LONGEST_WAIT_S
            dropped = queue.failed(_host_of(picture), for_long=for_long)
        postponed = note_failure(self._store, picture.id, error)
        self._count(postponed=postponed + dropped, left_out=not postponed)

    def _count(self, *, stored: int = 0, left_out: int = 0, postponed: int = 0) -> None:
        with self._lock:
            self._outcome.stored += stored
            self._outcome.left_out += left_out
            self._outcome.postponed += postponed

    def _fetch(self, picture: WantedPicture) -> bool:
        return store_picture(self._store, self._folder, picture.id, lambda file: self._copy(picture, file))

    def _copy(self, picture: WantedPicture, file: BinaryIO) -> None:
        if picture.source == LOCAL:
            assert self._local is not None
            path = self._local.path(picture.url)
            try:
                source = path.open("rb")
            except FileNotFoundError as error:
                raise FetchFailed("missing", "the file does not exist", temporary=False) from error
            except OSError as error:
                raise FetchFailed("unreadable", f"it cannot be read: {error.strerror}", temporary=False) from error
            with source:
                if os.fstat(source.fileno()).st_size > MAX_PICTURE_BYTES:
                    raise FetchFailed("too-large", f"more than {MAX_PICTURE_BYTES:,} bytes", temporary=False)
                shutil.copyfileobj(source, file)
            return
        assert self._client is not None
        self._check_robots(picture.url)
        self._client.get_file(picture.url, file, MAX_PICTURE_BYTES, self._check_robots)

    def _check_robots(self, url: str) -> None:
        assert self._robots is not None
        if not self._robots.allows(url):
            raise FetchFailed("robots", "robots.txt of the host forbids it", temporary=False)


def store_picture(
    store: HarvestStore,
    folder: Path,
    picture: int,
    copy: Callable[[BinaryIO], datetime | None],
) -> bool:
    """Copy a picture into the folder, and check it. False: an earlier picture has the same bytes.

    `copy` writes the bytes into a file, and returns when they were retrieved; None: now. Raises `FetchFailed` for what
    is no whole photograph, and `OSError` where the folder cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=_PART, dir=folder / PICTURES)
    part = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            retrieved = copy(file) or datetime.now(UTC)
        suffix = check_picture(part)
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        relative = Path(PICTURES) / sha256[:2] / f"{sha256}{suffix}"
        target = folder / relative
        target.parent.mkdir(exist_ok=True)
        size = part.stat().st_size
        part.chmod(0o644)
        replace_durably(part, target)
        return store.mark_stored(picture, relative, sha256, size, f"{retrieved:%Y-%m-%dT%H:%M:%SZ}")
    finally:
        part.unlink(missing_ok=True)


def note_failure(store: HarvestStore, picture: int, error: FetchFailed) -> bool:
    """Leave a picture out, or postpone it to the next run: True."""
    if error.temporary and (error.reason == "paused" or store.count_attempt(picture) < _RUNS):
        return True
    state = "refused" if error.reason.startswith("robots") else "failed"
    store.mark(picture, state, error.reason, str(error))
    return False


def check_picture(path: Path) -> str:
    """The suffix of a picture that can be decoded as a whole. Raises `FetchFailed`."""
    try:
        data = read_bytes(path)
        if data.startswith(b"\xff\xd8\xff"):
            # The stream accepts a damaged photograph, which is all that there is; here there are others.
            if damage := decode_frame(data, _SMALL, max_pixels=MAX_PIXELS).damage:
                raise FetchFailed("image-damaged", "; ".join(damage), temporary=False)
        else:
            load_frame(path, _SMALL)
        with Image.open(path, formats=("JPEG", *OTHER_FORMATS)) as image:
            width, height, kind = *image.size, image.format or ""
    except RejectedImage as error:
        raise FetchFailed(error.reason, str(error), temporary=False) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise FetchFailed("image-corrupt", f"it cannot be decoded: {error}", temporary=False) from error
    if min(width, height) < _LEAST_SIDE:
        raise FetchFailed("image-too-small", f"{width} x {height} pixels", temporary=False)
    return _SUFFIXES[kind]


def remove_leftovers(folder: Path) -> None:
    """Remove the parts of pictures that a killed run left."""
    for part in (folder / PICTURES).glob(f"{_PART}*"):
        part.unlink(missing_ok=True)
