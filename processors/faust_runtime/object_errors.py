"""Whose fault is it that an object cannot be read: the object's, or the store's?

A store that is down is waited for, however long, and nothing is rejected meanwhile. A single object that fails while
others are read (a lost chunk, an access rule of its own, a key that the store refuses, a body that always breaks
off) must not hold up everything behind it. The two look alike: an error of any kind. So, when an object has failed
for a while, others are asked for: where they come, the failure is the object's own.
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

WITHIN_S = 1.5
"""An object is tried for so many seconds before others are asked for."""

ALONE = 2
"""So many failures in a row, each followed by another object's being read, and it is the object's own. Of one alone it
might be the last of an outage: it had begun before the store came back, and ended after that."""

SETTLING_S = 20.0
"""No object is given up for so many seconds after this process began or the store answered for nothing. A store that
has just started hands out some volumes before others (SeaweedFS 4.48: 500 for stored objects, for up to 14 s)."""

_CANDIDATES = 4
"""Other objects that are tried; one that comes is enough. Several, since a lost volume takes many objects with it."""

_LONE_PATIENCE_S = 60.0
"""Where there is no other object to compare with, a bucket that can be listed has to do, after so many seconds."""

_KEPT_S = 1.0
"""That nothing else could be read either holds for so long: many photographs may fail at once."""

_REMEMBERED = 8


class StoreProbe:
    """Finds out whether the store hands out other objects of the bucket. Used by any number of tasks and threads."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self.bucket = bucket
        self._store = store
        self._lock = threading.Lock()
        self._read: deque[str] = deque(maxlen=_REMEMBERED)
        self._last_read = float("-inf")
        self._asked, self._answers = float("-inf"), False
        self._unsettled_at = time.monotonic()

    @property
    def settling(self) -> bool:
        """The store may have started a moment ago."""
        return time.monotonic() - self._unsettled_at < SETTLING_S

    def has_read(self, bucket: str, key: str) -> None:
        """An object was read to its end."""
        if bucket == self.bucket:
            self._last_read = time.monotonic()
            if key not in self._read:
                self._read.append(key)

    def answers_for_others(self, key: str, since: float, patient: bool) -> bool:
        """Whether another object than `key` was read since that moment (`time.monotonic`), or can be read now.

        `patient`: where the bucket holds no other object, being listed counts. Blocks for as long as the store takes.
        """
        if self._last_read > since:
            return True
        with self._lock:
            # That others were read before the failure says nothing of it.
            stale = self._asked <= since if self._answers else time.monotonic() - self._asked > _KEPT_S
            if stale:
                self._asked = time.monotonic()
                self._answers = self._ask(key, patient)
                if not self._answers:
                    self._unsettled_at = time.monotonic()
            return self._answers

    def _ask(self, key: str, patient: bool) -> bool:
        failed = 0
        try:
            for candidate in islice(self._candidates(key), _CANDIDATES):
                try:
                    self._store.read_first_byte(self.bucket, candidate)
                    return True
                except PermanentError:
                    continue  # Gone meanwhile: says nothing of the store.
                except (DependencyDown, AccessRefused):
                    failed += 1
        except UnciaError:
            return False  # Not even listed.
        return patient and not failed

    def _candidates(self, key: str) -> Iterator[str]:
        recent = [each for each in reversed(self._read) if each != key][: _CANDIDATES // 2]
        yield from recent
        # Those behind the key, then the first of the bucket: other cameras and days, on other volumes.
        for start in (key, ""):
            others = islice(self._store.list(self.bucket, start_after=start), 100)
            fitting = [each.key for each in others if each.size and each.key not in (key, *recent)]
            yield from fitting[:: max(1, len(fitting) // 2)][:2]


async def read_one_object(call: Callable[[], Awaitable[T]], probe: StoreProbe, bucket: str, key: str) -> T:
    """Call until it answers. While the store answers for nothing, that may take for ever.

    Raises what `call` raises, and `ObjectUnreadable` when the store hands out other objects and not this one.
    """
    began, failures, alone = time.monotonic(), 0, 0

    async def once() -> T:
        nonlocal failures, alone
        started = time.monotonic()
        try:
            answer = await call()
        except (DependencyDown, AccessRefused) as error:
            failures += 1
            if isinstance(error, BucketMissing) and bucket != probe.bucket:
                raise ObjectUnreadable(
                    "bucket-unknown", f"it was announced in a bucket that is not there: {error}"
                ) from error
            waited = time.monotonic() - began
            if waited >= WITHIN_S:
                patient = waited >= _LONE_PATIENCE_S
                others = await asyncio.to_thread(probe.answers_for_others, key, started, patient)
                alone = alone + 1 if others and not probe.settling else 0
                if alone >= ALONE:
                    raise ObjectUnreadable(
                        "object-unreadable", f"tried {failures} times while other objects were read: {error}"
                    ) from error
            raise
        probe.has_read(bucket, key)
        return answer

    return await retry_until_available(once, waiting_for="object store", on=(DependencyDown, AccessRefused), most_s=2.0)


def warn_of_bucket(store: ObjectStore, bucket: str) -> None:
    """Log a sentence where the bucket cannot be read, before the first photograph waits for it."""
    try:
        store.check_bucket(bucket)
    except UnciaError as error:
        log.warning("the bucket cannot be read", bucket=bucket, error=str(error))
