"""Streams the events of the topics to programs, from where each of them was, with the rights of its account."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from uncia.dashboard.web.accounts.roles import Caller
from uncia.dashboard.web.strings import TEXT
from uncia.dashboard.web.visible_events import visible_event
from uncia.errors import PermanentError, UnciaError
from uncia.kafka.broker import Message
from uncia.kafka.offset_consumer import OffsetConsumer
from uncia.settings import Settings
from uncia.topics import (
    ALERT_HANDLED,
    ALERT_RAISED,
    BURST_RESOLVED,
    CLOCK_JUDGED,
    CROP_PUBLISHED,
    DEPLOYMENT_CHANGED,
    EXPLANATION_REQUESTED,
    FRAME_LATE,
    IMAGE_BACKFILLED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    OBSERVATION_REVIEWED,
    STATIC_OBJECTS_CHANGED,
    STATUS_REPORTED,
    Topic,
)

__all__ = [
    "STREAMED_TOPICS",
    "KafkaReader",
    "Position",
    "StreamRefused",
    "StreamedEvent",
    "TopicReader",
    "TopicStream",
    "TopicStreams",
]

STREAMED_TOPICS: tuple[Topic, ...] = (
    BURST_RESOLVED,
    OBSERVATION_REVIEWED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    IMAGE_BACKFILLED,
    CROP_PUBLISHED,
    IMAGE_EXPLAINED,
    EXPLANATION_REQUESTED,
    FRAME_LATE,
    DEPLOYMENT_CHANGED,
    CLOCK_JUDGED,
    STATIC_OBJECTS_CHANGED,
    ALERT_RAISED,
    STATUS_REPORTED,
    ALERT_HANDLED,
)
"""Their order is part of every position: add new ones at the end."""

_AT_ONCE, _OF_AN_ACCOUNT = 24, 6
"""Streams at the same time: each has a consumer of its own."""
_POLL_S = 0.5
_ID_INTERVAL_S = 10.0
"""A client that may see nothing of what passes learns its position this often."""
_CONSUMER = "uncia-dashboard-events"

Place = tuple[str, int]
"""Name of a topic, outside its namespace, and partition."""


class StreamRefused(UnciaError):
    """As many streams are open as may be at once."""


class Position(dict[Place, int]):
    """Next offset by topic and partition, and its text: `0:12,0,5,7;1:3,0,0,0`, topics by number."""

    _FORM = re.compile(r"[0-9]{1,2}:[0-9]{1,18}(,[0-9]{1,18})*(;[0-9]{1,2}:[0-9]{1,18}(,[0-9]{1,18})*)*")

    def __str__(self) -> str:
        """The text that `parse` reads."""
        parts = []
        for number, topic in enumerate(STREAMED_TOPICS):
            offsets = sorted((partition, offset) for (name, partition), offset in self.items() if name == topic.name)
            if offsets:
                parts.append(f"{number}:{','.join(str(offset) for _, offset in offsets)}")
        return ";".join(parts)

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """The position of a text; `0`: the beginning of all; None for what is none."""
        if text == "0":
            return cls({(topic.name, 0): 0 for topic in STREAMED_TOPICS})
        if not cls._FORM.fullmatch(text):
            return None
        position = cls()
        for part in text.split(";"):
            number, _, offsets = part.partition(":")
            if int(number) < len(STREAMED_TOPICS):
                name = STREAMED_TOPICS[int(number)].name
                position |= {(name, partition): int(offset) for partition, offset in enumerate(offsets.split(","))}
        return position


class TopicReader(Protocol):
    """Reads some topics. Methods may be called from any thread."""

    def start(self) -> Position:
        """Where it begins."""

    def read(self) -> Sequence[Message]:
        """The next messages, with the names of their topics outside the namespace; waits for them half a second."""

    def close(self) -> None:
        """Close the connection."""


OpenReader = Callable[[tuple[Topic, ...], Position | None], TopicReader]
"""Called with topics and the position to begin at; None, and topics that it does not have: the end."""


class KafkaReader:
    """Reads topics from Kafka, by no consumer group."""

    def __init__(self, settings: Settings, topics: tuple[Topic, ...], position: Position | None) -> None:
        """Raises `DependencyDown` where no broker answers, or a topic is missing."""
        self._names = {topic.full_name(settings): topic.name for topic in topics}
        self._lock = threading.Lock()
        self._consumer = OffsetConsumer(settings, topics, _CONSUMER)
        self._start = Position(_offsets(self._consumer.end_offsets(), self._names, position))
        full = {name: full for full, name in self._names.items()}
        self._consumer.seek({(full[name], number): offset for (name, number), offset in self._start.items()})

    def start(self) -> Position:
        """Where it begins."""
        return self._start

    def read(self) -> Sequence[Message]:
        """The next messages."""
        with self._lock:
            found = self._consumer.poll(_POLL_S)
        return [replace(message, topic=self._names[message.topic]) for message in found]

    def close(self) -> None:
        """Close the connection, after a `read` that runs."""
        with self._lock:
            self._consumer.__exit__()


def _offsets(ends: Mapping[Place, int], names: Mapping[str, str], position: Position | None) -> dict[Place, int]:
    """Where to begin in each partition: at the position in topics that it has, and there at 0 in other partitions."""
    known = {name for name, _ in position or ()}
    return {
        (names[full], partition): (position or Position()).get((names[full], partition), 0)
        if names[full] in known
        else end
        for (full, partition), end in ends.items()
    }


@dataclass(frozen=True)
class StreamedEvent:
    """An event that the caller may see; without data, only a position."""

    topic: str
    data: str | None
    """JSON of the event."""
    position: str | None
    """Where a client goes on that has read up to here; None: it has not read everything before yet."""


class TopicStreams:
    """All open streams of this process. Use in one event loop."""

    def __init__(
        self,
        open_reader: OpenReader,
        at_once: int = _AT_ONCE,
        of_an_account: int = _OF_AN_ACCOUNT,
        serial_pseudonym: Callable[[str], str] | None = None,
    ) -> None:
        self.serial_pseudonym = serial_pseudonym
        self._open_reader, self._at_once, self._of_an_account = open_reader, at_once, of_an_account
        self._accounts: list[int] = []
        # A pool of its own: reads wait, and would block the threads of the pages.
        self.threads = ThreadPoolExecutor(at_once, "events")

    async def open(self, caller: Caller, topics: Iterable[Topic], position: Position | None) -> "TopicStream":
        """Open a stream; close it. Raises `StreamRefused` and `DependencyDown`."""
        mine = self._accounts.count(caller.account_id)
        if len(self._accounts) >= self._at_once or mine >= self._of_an_account:
            raise StreamRefused(TEXT["refused.streams"])
        self._accounts.append(caller.account_id)
        loop = asyncio.get_running_loop()
        try:
            reader = await loop.run_in_executor(self.threads, self._open_reader, tuple(topics), position)
        except BaseException:
            self._accounts.remove(caller.account_id)
            raise
        return TopicStream(reader, caller, self)

    def closed(self, stream: "TopicStream") -> None:
        """Close the reader of a stream, and let another one in."""
        self._accounts.remove(stream.caller.account_id)
        self.threads.submit(stream.reader.close)

    def close(self) -> None:
        """End the threads, without waiting for what they read."""
        self.threads.shutdown(wait=False)


class TopicStream:
    """The events of one client. Use in one event loop."""

    def __init__(self, reader: TopicReader, caller: Caller, streams: TopicStreams) -> None:
        self.reader, self.caller, self._streams = reader, caller, streams

    async def events(self) -> AsyncIterator[StreamedEvent]:
        """Yield what the caller may see. Never ends.

        The last event of each batch has the position behind all of it: who is cut off within a batch reads it again.
        """
        position, id_sent = self.reader.start(), time.monotonic()
        loop = asyncio.get_running_loop()
        while True:
            messages, shown = await loop.run_in_executor(self._streams.threads, self._read)
            for message in messages:
                position[(message.topic, message.partition)] = message.offset + 1
            for at, (topic, data) in enumerate(shown, 1):
                yield StreamedEvent(topic, data, str(position) if at == len(shown) else None)
            if shown:
                id_sent = time.monotonic()
            elif messages and time.monotonic() - id_sent > _ID_INTERVAL_S:
                id_sent = time.monotonic()
                yield StreamedEvent("", None, str(position))

    def close(self) -> None:
        """Close the connection."""
        self._streams.closed(self)

    def _read(self) -> tuple[Sequence[Message], list[tuple[str, str]]]:
        messages, pseudonym = self.reader.read(), self._streams.serial_pseudonym
        return messages, [one for message in messages if (one := _shown(message, self.caller, pseudonym)) is not None]


_EVENTS = {topic.name: topic.event for topic in STREAMED_TOPICS}


def _shown(message: Message, caller: Caller, serial_pseudonym: Callable[[str], str] | None) -> tuple[str, str] | None:
    """Topic and JSON of an event; None for tombstones, for what cannot be read, and for what the caller may not see."""
    event_type = _EVENTS[message.topic]
    if message.value is None or event_type is None:
        return None
    try:
        event = visible_event(event_type.from_bytes(message.value), caller, serial_pseudonym)
    except PermanentError:
        return None
    return None if event is None else (message.topic, event.to_bytes().decode())
