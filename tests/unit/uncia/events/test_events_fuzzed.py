"""Any bytes on an event topic give the event or an error with a reason."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.errors import PermanentError
from uncia.events import DeadLetter, Event
from uncia.events.dead_letter import RETRIES, header_number, original_headers
from uncia.topics import TOPICS

GOLDEN = Path(__file__).parent / "golden"
EVENTS = {topic.event.topic: topic.event for topic in TOPICS if topic.event is not None}
SAMPLES = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json")) if "headers" not in path.name]
GENEROUS_S = 120

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
) | st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2016-12-31T23:59:60Z", 1e308, -1e18])


def paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a sample."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(found for name, value in below for found in paths(value, (*path, name)))]


def with_value(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = with_value(node[path[0]], path[1:], value)
    return copy


def read(event: type[Event], raw: bytes) -> None:
    """An event that can be written again, or the one error."""
    try:
        found = event.from_bytes(raw)
    except PermanentError as error:
        assert error.reason in {"schema-invalid", "schema-unknown"}
        assert len(str(error)) < 5_000
        return
    assert event.from_bytes(found.to_bytes()) == found


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(EVENTS)), st.binary(max_size=300))
def test_any_bytes_are_an_event_or_refused(name: str, raw: bytes) -> None:
    read(EVENTS[name], raw)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_event_with_any_value_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(SAMPLES))
    name = body["event"]
    for _ in range(data.draw(st.integers(1, 2))):
        body = with_value(body, data.draw(st.sampled_from(paths(body))), data.draw(values))
        if not isinstance(body, dict):
            break
    read(EVENTS[name], json.dumps(body).encode())


BOMBS = {
    "deep lists": b"[" * 900_000,
    "deep objects": b'{"a":' * 150_000,
    "a huge integer": b"9" * 900_000,
    "a deep field": b'{"event":%s,"frames":' + b"[" * 900 + b"]" * 900 + b"}",
    "many frames": b'{"event":%s,"frames":[' + b"{}," * 200_000 + b"{}]}",
    "a field again and again": b'{"event":%s' + b',"camera":"a/b"' * 60_000 + b"}",
    "an event of another name": b'{"event":"' + b"x" * 900_000 + b'"}',
    "an event that is no name": b'{"event":[' + b"[]," * 200_000 + b"[]]}",
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_bomb_is_refused_within_bounds(name: str, bomb: str) -> None:
    began = time.process_time()
    read(EVENTS[name], BOMBS[bomb].replace(b"%s", json.dumps(name).encode()))
    assert time.process_time() - began < GENEROUS_S


OURS = ("partition", "offset", "stage", "exception.class.name")
headers = st.lists(
    st.tuples(
        st.one_of(st.text(max_size=20), st.sampled_from([f"__connect.errors.{name}" for name in OURS] + [RETRIES])),
        st.one_of(st.none(), st.binary(max_size=40)),
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(headers)
def test_any_headers_are_a_dead_letters(found: Any) -> None:
    letter = DeadLetter.from_headers(found)
    assert isinstance(letter.partition, int)
    header_number(found, RETRIES)
    original_headers(found)
    assert DeadLetter.from_headers(letter.headers()).reason[:1000] == letter.reason[:1000]
