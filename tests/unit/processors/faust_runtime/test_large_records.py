"""Records of any size: written as parts, read as one, and nothing left behind."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.processors.faust_runtime import state_table as table
from uncia.processors.faust_runtime.record_parts import (
    PART_BYTES,
    AssembledTable,
    PartsMissing,
    is_part,
    part_keys,
    split_record,
)
from uncia.processors.faust_runtime.state_table import StateTable

KEY = b"ridge/cam"
LARGE = bytes(range(256)) * (3 * PART_BYTES // 256) + b"end"


class Changelog:
    """A table and its log, without a broker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[bytes, bytes | None]] = []
        monkeypatch.setattr(table, "send", self.send)
        self.records = StateTable.__new__(StateTable)
        self.records._stored = {}
        self.records.data = AssembledTable(self.records._stored)
        self.records._table = type("Table", (), {"changelog_topic": None})()

    async def send(self, _topic: Any, *, key: bytes, value: bytes | None, partition: int) -> None:
        self.sent.append((key, value))

    def restored(self) -> AssembledTable:
        """The table as a restart reads it from the log."""
        found: dict[bytes, bytes] = {}
        for key, value in self.sent:
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        return AssembledTable(found)

    def write(self, value: bytes | None) -> None:
        asyncio.run(self.records.write(0, KEY, value))


@pytest.fixture
def changelog(monkeypatch: pytest.MonkeyPatch) -> Changelog:
    return Changelog(monkeypatch)


def test_a_large_record_is_written_in_parts_that_the_log_takes_and_read_as_one(changelog: Changelog) -> None:
    changelog.write(LARGE)
    assert max(len(value or b"") for _, value in changelog.sent) <= PART_BYTES
    assert changelog.records.data[KEY] == LARGE
    assert dict(changelog.restored()) == {KEY: LARGE}


def test_the_record_is_written_after_its_parts(changelog: Changelog) -> None:
    changelog.write(LARGE)
    assert changelog.sent[-1][0] == KEY
    assert all(is_part(key) for key, _ in changelog.sent[:-1])


@pytest.mark.parametrize("last", [b"small", LARGE + b"!", None])
def test_a_new_value_removes_the_parts_of_the_old_one_once_it_stands(changelog: Changelog, last: bytes | None) -> None:
    changelog.write(LARGE)
    before = len(changelog.sent)
    changelog.write(last)
    news = [key for key, _ in changelog.sent[before:]]
    removed = [key for key, value in changelog.sent[before:] if value is None and key != KEY]
    assert len(removed) == 4
    assert news.index(KEY) < min(news.index(key) for key in removed)
    assert dict(changelog.restored()) == ({} if last is None else {KEY: last})
    assert len(changelog.records._stored) == len(
        [key for key, _ in split_record(KEY, last).items() if last is not None]
    )


def test_at_every_moment_between_two_writes_the_log_holds_one_of_the_two_values(changelog: Changelog) -> None:
    changelog.write(LARGE)
    whole, other = len(changelog.sent), LARGE[::-1]
    changelog.write(other)
    log = changelog.sent
    for end in range(whole, len(log) + 1):
        changelog.sent = log[:end]
        assert changelog.restored()[KEY] in (LARGE, other)


def test_a_record_that_lost_a_part_is_named() -> None:
    divided = {key: value for key, value in split_record(KEY, LARGE).items() if value is not None}
    del divided[next(iter(divided))]
    with pytest.raises(PartsMissing, match="ridge/cam"):
        AssembledTable(divided)[KEY]


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3 * PART_BYTES))
def test_every_value_comes_back(key: bytes, size: int) -> None:
    value = b"\x02" * size
    divided = {name: piece for name, piece in split_record(key, value).items() if piece is not None}
    assert AssembledTable(divided)[key] == value
    assert set(divided) == {key, *part_keys(key, divided[key])}
