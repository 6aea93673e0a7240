"""Splits records that are larger than Kafka accepts into several. Pure.

A camera's state has no bound that a topic's limit could be set to: a late frame may change dozens of bursts, each of
hundreds of frames with keys of a kilobyte. So a large record is written as parts, and under its own key a short
index record that names them. The parts' keys contain the value's digest: a new value never overwrites the parts of the
current one, which are removed only when the new index record is confirmed.
"""

import hashlib
from collections.abc import Iterator, Mapping

from uncia.errors import UnciaError

PART_BYTES = 512 * 1024
"""Half of a topic's default limit."""

_MARK = b"\xffparts:"
"""No state begins like this: its first byte is a layout version, and readers that know no parts refuse this one."""

_NAME = b"\0\0part-"


class PartsMissing(UnciaError):
    """An index record names parts that are not in the table."""


def is_part(key: bytes) -> bool:
    """Whether the key is that of a part."""
    return _NAME in key


def split_record(key: bytes, value: bytes | None) -> dict[bytes, bytes | None]:
    """The records to write for one record, in this order: parts first, the record under its own key last."""
    if value is None or len(value) <= PART_BYTES:
        return {key: value}
    digest = hashlib.sha256(value).hexdigest()[:16].encode()
    pieces = [value[at : at + PART_BYTES] for at in range(0, len(value), PART_BYTES)]
    parts: dict[bytes, bytes | None] = dict(zip(_make_part_keys(key, digest, len(pieces)), pieces, strict=True))
    return {**parts, key: _MARK + digest + b":%d" % len(pieces)}


def part_keys(key: bytes, value: bytes | None) -> list[bytes]:
    """The keys of the parts that a stored record names; empty for a record without parts."""
    if value is None or not value.startswith(_MARK):
        return []
    digest, _, count = value[len(_MARK) :].partition(b":")
    return _make_part_keys(key, digest, int(count))


def _make_part_keys(key: bytes, digest: bytes, count: int) -> list[bytes]:
    return [key + _NAME + digest + b"-%d" % number for number in range(count)]


class AssembledTable(Mapping[bytes, bytes]):
    """A view of a table in which no record has parts. Follows changes of the table."""

    def __init__(self, table: Mapping[bytes, bytes]) -> None:
        self._table = table

    def __getitem__(self, key: bytes) -> bytes:
        value = self._table[key]
        parts = part_keys(key, value)
        if not parts:
            return value
        try:
            return b"".join(self._table[part] for part in parts)
        except KeyError as error:
            raise PartsMissing(f"a part of the record {key!r} is missing: restore the changelog topic") from error

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def __iter__(self) -> Iterator[bytes]:
        return (key for key in self._table if not is_part(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)
