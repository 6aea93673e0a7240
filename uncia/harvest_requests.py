"""Downloads of a harvest by workers on Kafka: which worker sends requests to which host when, and where the bytes go.

Invariants, however many workers run, and whichever of them are killed, suspended, started or cut off:

1. *Two requests to one host start at least its interval apart.* The key of a request is its host, so that all requests
   to a host are in one partition, and Kafka assigns a partition to one worker. A worker sends requests only to hosts
   that it was assigned, one at a time to each; a redirect to another host is published as a new request, for the owner
   of that host. A new owner waits as if every host had got a request at the moment of the assignment, and the former
   one starts nothing after its partitions were revoked or its lease (`processors/faust_runtime/lease.py`) ended, both
   of which come before the assignment.
2. *A pause holds for all.* `Retry-After`, and the pause of a host that keeps failing, are published, and every worker
   follows them from the beginning of the topic: a new owner keeps a pause that it did not see begin.
3. *No picture is lost.* A harvest writes a request's id into its state before it publishes the request, and publishes
   all without an outcome again when it continues; a worker acknowledges a request after its outcome is confirmed, and
   publishes an outcome after the bytes are stored.
4. *None is in the dataset twice.* An outcome counts once: while its picture waits for that request id.

Why not `rate / P` for each of `P` partitions, with pictures spread over all: one machine of several would then have a
fraction of the rate of a host whose other partitions have run dry; starts of several machines would coincide; and each
machine would read `robots.txt`, and find out by itself that a host wants a pause. What limits the download from one
host is its polite rate, which one machine reaches: further machines help with further hosts.

The bytes are at `harvest/<harvest>/<request>` in the bucket, for `KEPT_S`. Requests carry no credentials.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from uncia.storage.object_keys import HARVEST_PREFIX

__all__ = ["AGENT", "KEPT_S", "MAX_PICTURE_BYTES", "MAX_REDIRECTS", "interleave_hosts", "picture_key"]

AGENT = "Uncia"
"""Name in the User-Agent header, and for rules of `robots.txt`."""

MAX_PICTURE_BYTES = 50 * 1_048_576

MAX_REDIRECTS = 5
"""To other hosts."""

KEPT_S = 7 * 24 * 3600.0
"""How long workers keep what they stored, and the topics the requests and outcomes."""

T = TypeVar("T")


def picture_key(harvest_id: str, request_id: str) -> str:
    """Where the bytes of a download are."""
    return f"{HARVEST_PREFIX}{harvest_id}/{request_id}"


def interleave_hosts(items: Iterable[tuple[str, T]]) -> Iterator[T]:
    """The items `(host, item)` in turns of the hosts, so that none waits behind all requests to another."""
    queues: dict[str, deque[T]] = defaultdict(deque)
    for host, item in items:
        queues[host].append(item)
    while queues:
        for host in list(queues):
            yield queues[host].popleft()
            if not queues[host]:
                del queues[host]
