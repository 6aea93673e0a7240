"""The catalogue's worker: reads the result topics from where the database stands, and folds them."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from kafka.errors import KafkaError
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from uncia.backoff import Backoff
from uncia.dashboard.catalogue.changes import LogRecord, SkipMessage
from uncia.dashboard.catalogue.database import DatabaseDown, catalogue_url, describe, open_database, sqlite_path
from uncia.dashboard.catalogue.fold import FOLDED_TOPICS
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import Message, topic_ids
from uncia.kafka.offset_consumer import OffsetConsumer
from uncia.settings import Settings
from uncia.storage.process_lock import exclusive
from uncia.telemetry import mark_ready

__all__ = [
    "CATALOGUE_GROUP",
    "AnotherWorker",
    "SkipGuard",
    "TooManySkipped",
    "follow_topics",
    "resume_states",
    "single_worker",
]

CATALOGUE_GROUP = "uncia-catalogue"
"""The consumer group that shows the lag. The offsets that count are in the database."""

_POLL_S = 0.5
_COMMIT_INTERVAL_S = 1.0
_LAST_COMMIT_S = 2.0
_LOG_INTERVAL_S = 30.0
_BACKOFF = Backoff(first_s=0.5, max_s=30)
_MIN_MESSAGES = 50

_Place = tuple[str, int]

log = structlog.get_logger("uncia")


class AnotherWorker(UnciaError):
    """Another worker writes this database."""


class TooManySkipped(UnciaError):
    """Most messages cannot be folded: a version or a topic is wrong, not the messages."""

    exit_code = 78


class _LogRestarted(DependencyDown):
    """A partition was read further than it now reaches: its topic was recreated, or lost messages."""


def follow_topics(settings: Settings, stop: threading.Event) -> None:
    """Fold the topics until `stop` is set.

    While Kafka or the database is unavailable, or its disk is full, it waits, and then goes on from the offsets in the
    database. Raises `CatalogueRefused` for a database of a newer version, `AnotherWorker`, and `TooManySkipped`.
    """
    url, failures, logged = catalogue_url(settings), 0, float("-inf")
    skips = SkipGuard(settings)
    while not stop.is_set():
        engine = open_database(url)
        try:
            with _reported(engine):
                migrate(engine)
                with single_worker(engine):
                    for _ in _fold_batches(settings, CatalogueStore(engine), stop, skips):
                        failures = 0
        except (DependencyDown, KafkaError) as error:
            failures += 1
            if time.monotonic() - logged > _LOG_INTERVAL_S:
                logged = time.monotonic()
                log.warning("catalogue_waits", error=str(error) or type(error).__name__)
            stop.wait(_BACKOFF.delay_s(failures))
        finally:
            engine.dispose()


@contextmanager
def single_worker(engine: Engine) -> Iterator[None]:
    """Hold the database's lock of writers. Raises `AnotherWorker`."""
    refusal = AnotherWorker(
        f"another worker writes {engine.url.render_as_string(hide_password=True)}: one is enough, stop it first"
    )
    path = sqlite_path(engine.url)
    if path is not None:
        with exclusive(path.with_name(f"{path.name}.lock"), refusal):
            yield
        return
    # Held by the session: the server releases it when this process ends, however it ends.
    with engine.connect() as connection:
        # Not a connection of the pool, in which the session would go on after this.
        connection.detach()
        if not connection.execute(text("SELECT pg_try_advisory_lock(hashtext('uncia catalogue worker'))")).scalar():
            raise refusal
        connection.commit()
        yield


def resume_states(
    stored: Mapping[_Place, PartitionState], ids: Mapping[str, str], ends: Mapping[_Place, int]
) -> dict[_Place, PartitionState]:
    """The states to store before reading: of partitions that are new, or begin again. Pure.

    `ids`: topic ids by topic; `ends`: end offsets. A topic that was recreated, and one whose newest messages a broker
    lost, is read from its beginning in a new generation, whose messages count more than those of the one before.
    """
    states = {}
    for (topic, partition), end in ends.items():
        known = stored.get((topic, partition))
        if known is None:
            states[(topic, partition)] = PartitionState(ids[topic], 0, 0)
        elif known.topic_id != ids[topic] or known.next_offset > end:
            states[(topic, partition)] = PartitionState(ids[topic], known.generation + 1, 0)
    return states


class SkipGuard:
    """Counts messages that cannot be folded among the recent ones."""

    def __init__(self, settings: Settings) -> None:
        self._max_share = settings.max_bad_share
        self._recent: deque[bool] = deque(maxlen=settings.max_bad_window)

    def check(self, records: int, skipped: Sequence[SkipMessage]) -> None:
        """Note a batch before it is written. Raises `TooManySkipped`."""
        for skip in skipped[:5]:
            log.warning(
                "message_skipped",
                topic=skip.record.topic,
                partition=skip.record.partition,
                offset=skip.record.offset,
                reason=skip.reason,
                error=skip.message[:300],
            )
        recent = deque(self._recent, maxlen=self._recent.maxlen)
        recent.extend([False] * (records - len(skipped)) + [True] * len(skipped))
        share = sum(recent) / len(recent)
        if len(recent) >= _MIN_MESSAGES and share > self._max_share:
            last = skipped[-1]
            raise TooManySkipped(
                f"{share:.0%} of the last {len(recent)} messages cannot be folded, the last one: {last.reason} "
                f"({last.message[:300]}). Nothing of them was written: check whether this version of Uncia is older "
                "than that of the workers. With UNCIA_MAX_BAD_SHARE=1 the catalogue never stops, and skips them"
            )
        self._recent = recent


def _fold_batches(settings: Settings, store: CatalogueStore, stop: threading.Event, skips: SkipGuard) -> Iterator[None]:
    """Fold until `stop` is set; yields after each batch, and when there is nothing to read."""
    names = {topic.full_name(settings): topic.name for topic in FOLDED_TOPICS}
    full_names = {name: full for full, name in names.items()}
    with OffsetConsumer(settings, FOLDED_TOPICS, CATALOGUE_GROUP) as consumer:
        ids = topic_ids(settings, FOLDED_TOPICS)
        ends = {(names[full], partition): end for (full, partition), end in consumer.end_offsets().items()}
        stored = store.partitions()
        changed = resume_states(stored, {names[full]: identity for full, identity in ids.items()}, ends)
        for place, state in changed.items():
            if state.generation:
                log.warning("partition_begins_again", topic=place[0], partition=place[1], generation=state.generation)
        store.set_partitions(changed)
        states = {place: state for place, state in {**stored, **changed}.items() if place in ends}
        positions = {place: state.next_offset for place, state in states.items()}

        def shown_offsets() -> dict[_Place, int]:
            return {(full_names[topic], number): offset for (topic, number), offset in positions.items()}

        consumer.seek(shown_offsets())
        mark_ready()
        log.info("catalogue_ready", behind=sum(ends[place] - offset for place, offset in positions.items()))
        committed = 0.0
        while not stop.is_set():
            messages = consumer.poll(_POLL_S)
            records = [_record(message, names, states, positions) for message in messages]
            if records:
                store.apply(records, skips.check)
            if time.monotonic() - committed > _COMMIT_INTERVAL_S:
                committed = time.monotonic()
                consumer.commit(shown_offsets())
            yield
        consumer.commit(shown_offsets(), wait_s=_LAST_COMMIT_S)


def _record(
    message: Message, names: Mapping[str, str], states: Mapping[_Place, PartitionState], positions: dict[_Place, int]
) -> LogRecord:
    place = (names[message.topic], message.partition)
    if message.offset < positions[place]:
        raise _LogRestarted(f"{message.topic} was recreated while it was read")
    positions[place] = message.offset + 1
    return LogRecord(
        place[0],
        place[1],
        message.offset,
        message.timestamp_ms,
        message.key,
        message.value,
        states[place].generation,
    )


@contextmanager
def _reported(engine: Engine) -> Iterator[None]:
    """Raise what the database answers as `DatabaseDown`; errors of our statements as they are."""
    try:
        yield
    except DBAPIError as error:
        if not _is_temporary(error):
            raise
        raise DatabaseDown(describe(error, engine.url)) from error


def _is_temporary(error: DBAPIError) -> bool:
    """Whether waiting can help: no connection, a full disk, a lock."""
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
