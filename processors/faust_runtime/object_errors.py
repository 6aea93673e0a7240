"""Decides whether an object that cannot be read is at fault itself, or the store.

While the store is down, workers wait without limit and reject nothing. A single object that fails while others are read
(a lost chunk, an access rule of its own, a key that the store refuses, a body that always breaks off) must not block
everything behind it. Both cases look alike: an error of any kind. So, when an object has failed for a while, other
objects are requested: if they can be read, the failure is the object's own.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import TypeVar

import structlog

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.processors.faust_runtime.retry import retry_until_available
from uncia.storage.object_store import AccessRefused, BucketMissing, ObjectStore, ObjectUnreadable

T = TypeVar("T")

log = structlog.get_logger("uncia")

PROBE_AFTER_S = 1.5
"""An object is retried for this long before other objects are requested."""

MAX_OWN_FAILURES = 2
"""After this many failures in a row, each while another object could be read, the object is given up. A single one
might be the last of an outage: its request began before the store came back, and ended after that."""

SETTLING_S = 20.0
"""No object is given up for this long after the process started or the store could read nothing. A store that has just
started serves some volumes before others (SeaweedFS 4.48: status 500 for stored objects, for up to 14 s)."""

_CANDIDATES = 4
"""Other objects that are tried; one that can be read is enough. Several, since a lost volume affects many objects."""

_LISTING_COUNTS_AFTER_S = 60.0
"""Where the bucket has no other object to compare with, a successful listing counts instead after this long."""

_NEGATIVE_RESULT_S = 1.0
"""How long the result that no other object could be read is reused: many photographs may fail at once."""

_RECENT_KEYS = 8


class StoreProbe:
    """Tests whether the store serves other objects of the bucket. Safe to use from any number of tasks and threads."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self.bucket = bucket
        self._store = store
        self._lock = threading.Lock()
        self._recent: deque[str] = deque(maxlen=_RECENT_KEYS)
        self._last_read = float("-inf")
        self._probed_at, self._others_readable = float("-inf"), False
        self._unsettled_at = time.monotonic()

    @property
    def settling(self) -> bool:
        """Whether the store may have started a moment ago."""
        return time.monotonic() - self._unsettled_at < SETTLING_S

    def record_read(self, bucket: str, key: str) -> None:
        """Record that an object was read completely."""
        if bucket == self.bucket:
            self._last_read = time.monotonic()
            if key not in self._recent:
                self._recent.append(key)

    def others_readable(self, key: str, since: float, accept_listing: bool) -> bool:
        """Whether another object than `key` was read since that moment (`time.monotonic`), or can be read now.

        `accept_listing`: where the bucket holds no other object, a successful listing counts. Blocks until the store
        responds.
        """
        if self._last_read > since:
            return True
        with self._lock:
            # That others were read before the failure says nothing about it.
            age = time.monotonic() - self._probed_at
            stale = self._probed_at <= since if self._others_readable else age > _NEGATIVE_RESULT_S
            if stale:
                self._probed_at = time.monotonic()
                self._others_readable = self._probe(key, accept_listing)
                if not self._others_readable:
                    self._unsettled_at = time.monotonic()
            return self._others_readable

    def _probe(self, key: str, accept_listing: bool) -> bool:
        failed = 0
        try:
            for candidate in islice(self._candidates(key), _CANDIDATES):
                try:
                    self._store.read_first_byte(self.bucket, candidate)
                    return True
                except PermanentError:
                    continue  # Deleted in between: says nothing about the store.
                except (DependencyDown, AccessRefused):
                    failed += 1
        except UnciaError:
            return False  # Not even the listing works.
        return accept_listing and not failed

    def _candidates(self, key: str) -> Iterator[str]:
        recent = [other for other in reversed(self._recent) if other != key][: _CANDIDATES // 2]
        yield from recent
        # Those behind the key, then the first of the bucket: other cameras and days, on other volumes.
        for start in (key, ""):
            others = islice(self._store.list(self.bucket, start_after=start), 100)
            fitting = [other.key for other in others if other.size and other.key not in (key, *recent)]
            yield from fitting[:: max(1, len(fitting) // 2)][:2]


async def read_one_object(call: Callable[[], Awaitable[T]], probe: StoreProbe, bucket: str, key: str) -> T:
    """Retry `call` until it succeeds; without limit while the store serves no object at all.

    Raises what `call` raises, and `ObjectUnreadable` when the store serves other objects and not this one.
    """
    began, failures, own_failures = time.monotonic(), 0, 0

    async def once() -> T:
        nonlocal failures, own_failures
        started = time.monotonic()
        try:
            result = await call()
        except (DependencyDown, AccessRefused) as error:
            failures += 1
            if isinstance(error, BucketMissing) and bucket != probe.bucket:
                raise ObjectUnreadable(
                    "bucket-unknown", f"it was announced in a bucket that does not exist: {error}"
                ) from error
            waited = time.monotonic() - began
            if waited >= PROBE_AFTER_S:
                accept_listing = waited >= _LISTING_COUNTS_AFTER_S
                others = await asyncio.to_thread(probe.others_readable, key, started, accept_listing)
                own_failures = own_failures + 1 if others and not probe.settling else 0
                if own_failures >= MAX_OWN_FAILURES:
                    raise ObjectUnreadable(
                        "object-unreadable", f"tried {failures} times while other objects were read: {error}"
                    ) from error
            raise
        probe.record_read(bucket, key)
        return result

    return await retry_until_available(once, waiting_for="object store", on=(DependencyDown, AccessRefused), most_s=2.0)


def warn_if_bucket_unreadable(store: ObjectStore, bucket: str) -> None:
    """Log a warning where the bucket cannot be read, before the first photograph waits for it."""
    try:
        store.check_bucket(bucket)
    except UnciaError as error:
        log.warning("bucket_unreadable", bucket=bucket, error=str(error))
