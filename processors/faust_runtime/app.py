"""The Faust app of a worker: at least once, raw bytes in and out, acknowledged manually and in order.

What Faust does by default, what is changed here, and why (faust-streaming 0.15.3):

- Topics are bytes. Faust would acknowledge a message that it cannot decode; our agents parse messages themselves, so
  that an invalid one reaches the dead letters with its bytes.
- An agent that raises would be restarted behind its unacknowledged events, which are lost until the process
  restarts. Here it ends the process, and the supervisor starts it again at the committed offset.
- Faust acknowledges events that it skips during a rebalance. `_Event.ack` refuses that.
- Faust seeks to the committed offsets when partitions move, but not where none was committed yet (`consumer`).
- aiokafka stops joining its group where metadata name no broker (`consumer`).
- Faust can miss the end of a table's recovery, and then waits for ever (`recovery`).
- Faust drops messages that were read before the last step of a recovery (`flow_control`).
- Faust commits the first run of acknowledged offsets without checking for a gap before it. So: concurrency 1,
  `noack_take`, and acknowledge a whole batch at once, in the order of its offsets.
"""

from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import faust
from mode import CrashingSupervisor

from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.broker_credentials import broker_credentials
from uncia.processors.faust_runtime.consumer import RewindingConsumer
from uncia.processors.faust_runtime.flow_control import FlowControl
from uncia.processors.faust_runtime.recovery import LatchedTableManager
from uncia.settings import Settings
from uncia.topics import Topic
from uncia.topology import WORKERS, Part, TopologyError, registered_name

MAX_REQUEST_BYTES = 5 * 1_048_576
"""Room for a dead letter of 4 MB and its headers."""

MAX_BATCH_BYTES = 256 * 1024
"""Messages that wait for one partition are written together, up to this size, which every topic accepts.

A broker with one replica flushes its disk for each such write. With aiokafka's 16 KB, the state of one camera was a
write, and the states of 24 cameras waited for each other's flushes."""


class _Event(faust.Event):  # type: ignore[misc]
    """An event that is acknowledged only by the worker that owns it."""

    dead_letter = False
    """Set by `DeadLetters.put`."""

    def ack(self) -> bool:
        """Acknowledge; returns False when refused, and then the message is delivered again.

        Refuses events of an earlier assignment, which Faust itself acknowledges when it skips them, and all events
        once the worker has halted.
        """
        app: WorkerApp = self.app
        stale = self.message.generation_id != app.consumer_generation_id or not app.flow_control.is_active()
        if stale or app.halted is not None:
            return False
        if not self.message.acked:
            if not self.dead_letter:
                app.outcomes.add(bad=False)
            metrics.EVENTS.labels(self.message.topic, "dead-letter" if self.dead_letter else "done").inc()
        return bool(super().ack())


class Outcomes:
    """Which of the last `window` messages were bad, that is, became dead letters."""

    def __init__(self, window: int) -> None:
        self._recent: deque[bool] = deque(maxlen=window)

    def add(self, *, bad: bool) -> None:
        """Record one message."""
        self._recent.append(bad)

    def share_with_one_more_bad(self) -> tuple[float, int]:
        """The share of bad messages if the next one is bad, and the number of messages that it is based on."""
        recent = deque(self._recent, maxlen=self._recent.maxlen)
        recent.append(True)
        return sum(recent) / len(recent), len(recent)


class WorkerApp(faust.App):  # type: ignore[misc]
    """A Faust app that tracks the outcomes of its messages and whether it was halted."""

    outcomes: Outcomes
    part: Part
    """The worker's row of the topology."""
    outputs: frozenset[str] = frozenset()
    """Full names of the topics that the worker may write, its changelogs included."""
    halted: Exception | None = None
    """Why the worker stops itself; from then on nothing is acknowledged."""

    @cached_property
    def flow_control(self) -> FlowControl:
        """Suspends the delivery of messages to streams while partitions move."""
        return FlowControl(loop=self.loop)

    def agent(self, channel: Any = None, **options: Any) -> Any:
        """Faust's decorator, for topics that the worker's row lists as read. Raises `TopologyError` for any other."""
        for name in getattr(channel, "topics", None) or ():
            # In any namespace: a shadow reads the uploads of the namespace that it shadows.
            if not registered_name(name, self.part.reads):
                raise TopologyError(f"the worker {self.part.name} may not subscribe to {name}: see uncia/topology.py")
        return super().agent(channel, **options)

    def check_output(self, name: str) -> None:
        """Raise `TopologyError` unless the worker's row lists the topic of this full name as written."""
        if name not in self.outputs:
            raise TopologyError(f"the worker {self.part.name} may not write {name}: see uncia/topology.py")

    def partitions_of(self, name: str) -> set[int]:
        """The partitions of the topic of this full name that this process has now."""
        return {assigned.partition for assigned in self.consumer.assignment() if assigned.topic == name}

    async def halt(self, reason: Exception) -> None:
        """Stop the process with a non-zero status; acknowledge nothing more."""
        self.halted = reason
        await self.crash(reason)


def group_name(name: str, settings: Settings) -> str:
    """The consumer group of a worker; also the app's id."""
    return f"{settings.namespace}.uncia-{name}" if settings.namespace else f"uncia-{name}"


def create_app(name: str, settings: Settings, **overrides: Any) -> WorkerApp:
    """Create the app of the worker `name`, and its scratch folder. `overrides` are Faust settings.

    Raises `TopologyError` for a name that has no row in `uncia.topology`.
    """
    if (part := WORKERS.get(name)) is None:
        raise TopologyError(f"no worker {name!r}: see uncia/topology.py")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    configured: dict[str, Any] = {
        "broker": ";".join(f"kafka://{server}" for server in settings.kafka_servers),
        "broker_credentials": broker_credentials(settings),
        "datadir": str(settings.data_dir.absolute() / f"{settings.namespace or 'uncia'}-{name}"),
        "store": "memory://",
        "cache": "memory://",
        "processing_guarantee": "at_least_once",
        "agent_supervisor": CrashingSupervisor,
        "Event": _Event,
        "TableManager": LatchedTableManager,
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        # Topics are created from the registry, with their own retention; Faust would use its defaults.
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        # A worker that dies is detected after six seconds, not sixty.
        "broker_session_timeout": 6.0,
        "broker_heartbeat_interval": 2.0,
        # Waiting for a store that is down for hours is no reason to leave the group.
        "broker_max_poll_interval": 24 * 3600.0,
        "stream_processing_timeout": 24 * 3600.0,
        # Each event loads a photograph: prefetch tens, not thousands.
        "stream_buffer_maxsize": 32,
        # Events in progress when a worker ends or partitions move are delivered again; waiting for them would wait for
        # deferred ticks, and for dependencies that are down.
        "stream_wait_empty": False,
        "producer_acks": -1,
        "producer_max_request_size": MAX_REQUEST_BYTES,
        "producer_max_batch_size": MAX_BATCH_BYTES,
        # `delivery.send` retries after this; Faust's default of 20 minutes would hide the problem.
        "producer_request_timeout": 30.0,
        "web_enabled": False,
        "web_tables_enabled": False,
        "worker_redirect_stdouts": False,
        **overrides,
    }
    app = WorkerApp(group_name(name, settings), **configured)
    app.part = part
    app.outputs = frozenset(topic.full_name(settings) for topic in part.writes + part.changelogs)
    app.outcomes = Outcomes(settings.max_bad_window)
    app.transport.Consumer = RewindingConsumer
    return app


def faust_topic(app: faust.App, settings: Settings, topic: Topic, *, buffer: int | None = None) -> faust.Topic:
    """A topic of the registry as raw bytes. Raises `TopologyError` when the worker's row does not list it.

    `buffer`: how many messages its stream buffers instead of `stream_buffer_maxsize`.

    aiokafka's default partitioner hashes the keys, with murmur2 as in `uncia.kafka.partitioning`.
    """
    if isinstance(app, WorkerApp) and topic not in app.part.reads + app.part.writes:
        raise TopologyError(f"the worker {app.part.name} may not use {topic.name}: see uncia/topology.py")
    return faust_topics(app, (topic.full_name(settings),), buffer=buffer)


def faust_topics(app: faust.App, names: Sequence[str], *, buffer: int | None = None) -> faust.Topic:
    """Several topics, by their full names, read as one stream."""
    return app.topic(
        *names,
        maxsize=buffer,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        allow_empty=True,
    )
