"""Requests of whole photographs, and their lists, which gateways behind thin links read from the object store. Pure.

A gateway may read single objects and list none, and every byte counts. So all requests of a station are in one small
object, `fetch/<station>/requests`, one line each, oldest first: the id of the thumbnail's key, and `p` where a person
requested it, `r` where a rule did. An unchanged list costs the headers of a response (If-None-Match).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from uncia.events import BurstFrame, BurstResolved, FetchReason, FetchRequested
from uncia.storage.object_keys import FETCH_PREFIX, THUMBNAIL_MARK, is_thumbnail_key

MAX_REQUESTS = 200
"""Lines of a list. A longer one costs more on the link than a station can send; the oldest line makes way."""

MAX_BYTES = 8192
"""More than `MAX_REQUESTS` lines have."""

_ID_DIGITS = 16

LONGEST_LIST = MAX_REQUESTS * (_ID_DIGITS + len(" p\n"))
"""Bytes of a full list."""


@dataclass(frozen=True)
class FetchLine:
    """One request."""

    id: str
    """`fetch_id` of the thumbnail's key."""
    by_person: bool


def request_list_key(station: str) -> str:
    """The key of a station's list."""
    return f"{FETCH_PREFIX}{station}/requests"


def station_of(thumbnail_key: str) -> str:
    """The station as it is in the key, which its gateway wrote."""
    return thumbnail_key.partition("/")[0]


def fetch_id(thumbnail_key: str) -> str:
    """How a list names a photograph: 16 hexadecimal digits of its thumbnail's key."""
    return hashlib.sha256(thumbnail_key.encode()).hexdigest()[:_ID_DIGITS]


def thumbnail_key(photograph_key: str) -> str:
    """The key of a photograph's thumbnail: a marked folder and the same file name, by which the two are linked."""
    folder, digest, name = photograph_key.rsplit("/", 2)
    return f"{folder}/{THUMBNAIL_MARK}{digest}/{name}"


def parse_requests(data: bytes) -> tuple[FetchLine, ...]:
    """The requests of a list; lines that are none are left out, and so is a last line that was cut off."""
    found: dict[str, FetchLine] = {}
    for line in data.decode("ascii", "replace").split("\n")[:-1]:
        request, _, by = line.partition(" ")
        if len(request) == _ID_DIGITS and set(request) <= set("0123456789abcdef") and by in ("p", "r"):
            found[request] = FetchLine(request, by == "p" or (request in found and found[request].by_person))
    return tuple(found.values())


def render_requests(lines: Iterable[FetchLine]) -> bytes:
    """The bytes of a list."""
    return "".join(f"{line.id} {'p' if line.by_person else 'r'}\n" for line in lines).encode()


def with_request(lines: Iterable[FetchLine], new: FetchLine) -> tuple[FetchLine, ...]:
    """The list with one more request; the same where it has that one already. A person's request replaces a rule's.

    Of a full list the oldest request of a rule makes way, or else the oldest one.
    """
    kept = tuple(lines)
    same = next((line for line in kept if line.id == new.id), None)
    if same is not None and (same.by_person or not new.by_person):
        return kept
    found = [line for line in kept if line.id != new.id]
    if len(found) >= MAX_REQUESTS:
        found.remove(next((line for line in found if not line.by_person), found[0]))
    return (*found, new)


def thumbnails_of(burst: BurstResolved) -> list[BurstFrame]:
    """The frames of which only the thumbnail is stored, the best first: what the verdict is based on, then by score.

    The bursts worker leaves a thumbnail out as soon as its photograph was predicted.
    """
    frames = [frame for frame in burst.frames if is_thumbnail_key(frame.key) and frame.rejection is None]
    return sorted(
        frames,
        key=lambda frame: (not frame.deciding, -(frame.score or frame.animal_probability or 0.0), frame.image_id),
    )


def build_request(burst: BurstResolved, frame: BurstFrame, reason: FetchReason, now: datetime) -> FetchRequested:
    """The request for the photograph of one thumbnail."""
    return FetchRequested(
        fetch_id=fetch_id(frame.key),
        station=burst.station,
        camera=burst.camera,
        image_id=frame.image_id,
        key=frame.key,
        burst_id=burst.burst_id,
        reason=reason,
        requested_at=now,
    )
