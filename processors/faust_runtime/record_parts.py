"""Records that are larger than Kafka takes, as several. Pure.

A camera's state has no bound that a topic's limit could be set to: a late frame may change dozens of bursts, each of
hundreds of frames with keys of a kilobyte. So a large record is written as parts, and under its own key a short
record that names them. The parts' keys contain the value's digest: a new value never overwrites the parts of the one
that is still in force, and they are removed only when the new record is confirmed.
"""

import hashlib
from collections.abc import Iterator, Mapping

from uncia.errors import UnciaError

PART_BYTES = 512 * 1024
"""Half of what a topic takes by default."""

_MARK = b"\xffparts:"
"""No state begins so: its first byte is the version of a layout, and a reader that knows no parts refuses this one."""

_NAME = b"\0\0part-"


class PartsMissing(UnciaError):
    """A record names parts that are not in the table."""


def is_part(key: bytes) -> bool:
    """The key is that of a part."""
    return _NAME in key


def divide(key: bytes, value: bytes | None) -> dict[bytes, bytes | None]:
    """The records that stand for one record, to be written in this order: parts first, the record itself last."""
    if value is None or len(value) <= PART_BYTES:
        return {key: value}
    digest = hashlib.sha256(value).hexdigest()[:16].encode()
    pieces = [value[at : at + PART_BYTES] for at in range(0, len(value), PART_BYTES)]
    parts: dict[bytes, bytes | None] = dict(zip(_part_keys(key, digest, len(pieces)), pieces, strict=True))
    return {**parts, key: _MARK + digest + b":%d" % len(pieces)}


def parts_of(key: bytes, value: bytes | None) -> list[bytes]:
    """The keys of the parts that the record in the table names."""
    if value is None or not value.startswith(_MARK):
        return []
    digest, _, count = value[len(_MARK) :].partition(b":")
    return _part_keys(key, digest, int(count))


def _part_keys(key: bytes, digest: bytes, count: int) -> list[bytes]:
    return [key + _NAME + digest + b"-%d" % number for number in range(count)]


class Assembled(Mapping[bytes, bytes]):
    """A table as if no record had parts. Follows the table that it is made of."""

    def __init__(self, table: Mapping[bytes, bytes]) -> None:
        self._table = table

    def __getitem__(self, key: bytes) -> bytes:
        value = self._table[key]
        parts = parts_of(key, value)
        if not parts:
            return value
        try:
            return b"".join(self._table[part] for part in parts)
        except KeyError as error:
            raise PartsMissing(f"the record {key!r} has lost a part: restore the changelog topic") from error

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def __iter__(self) -> Iterator[bytes]:
        return (key for key in self._table if not is_part(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)
