"""Follows the topic of crops for the channels with pictures, from a thread of its own: no alert waits for it."""

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog
from kafka.errors import KafkaError

from uncia.backoff import Backoff
from uncia.errors import DependencyDown, PermanentError
from uncia.events import CropPublished
from uncia.kafka.broker import Message, topic_ids
from uncia.kafka.offset_consumer import OffsetConsumer
from uncia.processors.delivery.alert_intake import start_offsets
from uncia.processors.delivery.loop_failures import described
from uncia.processors.delivery.outbox import PartitionOffset, Place
from uncia.processors.delivery.outbox_pictures import PictureOutbox
from uncia.settings import Settings
from uncia.topics import CROP_PUBLISHED

__all__ = ["CropReader"]

_GROUP = "uncia-deliver"
"""It commits nothing: its offsets are in the outbox."""
_POLL_S = 0.5
_BACKOFF = Backoff(first_s=0.5, max_s=30)

log = structlog.get_logger("uncia")


class CropReader:
    """Keeps the crops in the outbox up to date. After a restart it goes on where it was, and misses no withdrawal."""

    def __init__(self, settings: Settings, outbox: PictureOutbox) -> None:
        self._settings, self._outbox = settings, outbox
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crops", daemon=True)
        self._started = False
        self._failures = 0

    def start(self) -> None:
        """Start the thread, once."""
        if not self._started:
            self._started = True
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._started:
            self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (DependencyDown, KafkaError, sqlite3.Error) as error:
                self._wait(str(error) or type(error).__name__)
            except Exception as error:
                self._wait(described(error))

    def _wait(self, problem: str) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("crops_unavailable", error=problem)
        self._stop.wait(_BACKOFF.delay_s(self._failures))

    def _follow(self) -> None:
        full_name = CROP_PUBLISHED.full_name(self._settings)
        with OffsetConsumer(self._settings, (CROP_PUBLISHED,), _GROUP) as consumer:
            ids = {CROP_PUBLISHED.name: topic_ids(self._settings, (CROP_PUBLISHED,))[full_name]}
            ends = {(CROP_PUBLISHED.name, number): end for (_, number), end in consumer.end_offsets().items()}
            offsets = start_offsets(self._outbox.partitions(CROP_PUBLISHED.name), ids, ends, time.time())
            self._outbox.store_crops((), offsets)
            consumer.seek({(full_name, number): place.next_offset for (_, number), place in offsets.items()})
            while not self._stop.is_set():
                if messages := consumer.poll(_POLL_S):
                    offsets |= self._apply(messages, offsets)
                self._failures = 0

    def _apply(
        self, messages: Sequence[Message], offsets: Mapping[Place, PartitionOffset]
    ) -> dict[Place, PartitionOffset]:
        crops: list[CropPublished] = []
        moved: dict[Place, PartitionOffset] = {}
        for message in messages:
            place = (CROP_PUBLISHED.name, message.partition)
            known = moved.get(place, offsets[place])
            if message.offset < known.next_offset:
                raise DependencyDown(f"{message.topic} was recreated while it was read")
            moved[place] = replace(known, next_offset=message.offset + 1, logged_at=message.timestamp_ms / 1000)
            if message.value is None:
                continue
            try:
                crops.append(CropPublished.from_bytes(message.value))
            except PermanentError as error:
                log.error("crop_unreadable", reason=error.reason, error=str(error), offset=message.offset)
        for channel, alert_id in self._outbox.store_crops(crops, moved):
            # The interfaces of the receivers are not used to delete what people there may have seen already.
            log.error("attached_picture_withdrawn", channel=channel, alert_id=alert_id)
        return moved
