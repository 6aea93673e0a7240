"""Reads what a comparison needs from both worlds, and sends what a promotion decided."""

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kafka import KafkaProducer
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import BurstResolved, DeploymentChanged, ImagePredicted, ImageUploaded
from uncia.ids import successor_burst_id
from uncia.kafka.broker import existing_topics, read_topics
from uncia.kafka.partitioning import partition_of
from uncia.producers.replay.burst_snapshot import Bursts, touching, under_usable_ids
from uncia.producers.replay.compare import Circumstances, Comparison, compare
from uncia.producers.replay.description import Replay
from uncia.producers.replay.log_offsets import asking
from uncia.producers.replay.planning import ends_of
from uncia.producers.replay.runner import TARGET
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, IMAGE_PREDICTED, UPLOAD_TOPICS

MARGIN = timedelta(seconds=10)
"""Beyond the lateness: clocks of two machines differ, and a revision may be on its way."""

_CATCH_UP_S = 15
_SEND_S = 30


@dataclass
class Gathered:
    """A comparison, and the highest revision of every burst id that live ever had."""

    comparison: Comparison
    said: dict[str, int]


def gather(replay: Replay, live: Settings) -> Gathered:
    """Compare as of now."""
    config = replay.settings(live)
    if TARGET.full_name(config) not in existing_topics(config):
        raise UnciaError(f"the replay {replay.name} has not begun: `uncia replay start {replay.name}`")
    copied = set()
    for message in read_topics(config, (TARGET,), from_beginning=True, until_end=True):
        try:
            copied.add(ImageUploaded.from_bytes(message.value).upload_id)
        except PermanentError:
            continue
    ours, theirs = Bursts(), Bursts()
    ours.read(read_topics(config, (BURST_RESOLVED,), from_beginning=True, until_end=True), lambda _: True)
    images = {image for burst in ours.standing.values() for image in burst.images}
    # Before live's bursts are read: whatever it had answered by then is in them.
    caught_up = _live_caught_up(replay, live)
    theirs.read(
        read_topics(live, (BURST_RESOLVED,), from_beginning=True, until_end=True),
        touching(images, copied, {*ours.standing, *map(successor_burst_id, ours.standing)}),
    )
    placed = {upload for burst in ours.standing.values() for upload in burst.uploads}
    unplaced = {upload for burst in theirs.standing.values() for upload in burst.uploads if upload in copied} - placed
    around = Circumstances(
        now=datetime.now(UTC),
        lateness=timedelta(seconds=live.burst_lateness_s) + MARGIN,
        lateness_of=_lateness(live),
        copied=copied,
        live_caught_up=caught_up,
        unread=_unread(config, unplaced) if unplaced else {},
    )
    bursts = under_usable_ids(ours.standing, theirs)
    return Gathered(compare(theirs.standing.values(), bursts, around), theirs.revisions)


def _unread(config: Settings, uploads: set[str]) -> dict[str, str]:
    """Why the replay could not read these, by upload id; those that it read are left out."""
    found: dict[str, str] = {}
    for message in read_topics(config, (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
        if b'"rejection":{"reason":"object-' not in (message.value or b""):
            continue
        with contextlib.suppress(PermanentError):
            answer = ImagePredicted.from_bytes(message.value)
            if answer.upload_id in uploads and answer.rejection is not None:
                found[answer.upload_id] = answer.rejection.reason
    return found


def _lateness(live: Settings) -> dict[str, timedelta]:
    """The longest that any deployment of a camera sets, by camera."""
    found: dict[str, timedelta] = {}
    for message in read_topics(live, (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True):
        try:
            deployment = DeploymentChanged.from_bytes(message.value)
        except PermanentError:
            continue
        if deployment.burst_lateness_s is not None:
            lateness = timedelta(seconds=deployment.burst_lateness_s) + MARGIN
            found[deployment.camera] = max(lateness, found.get(deployment.camera, lateness))
    return found


def _live_caught_up(replay: Replay, live: Settings) -> bool:
    """Live has put every photograph that was uploaded before the replay was made into bursts."""
    deadline = time.monotonic() + _CATCH_UP_S
    with asking(live) as log:
        if log.behind(UPLOAD_TOPICS, ends_of(replay)):
            return False
        ends = log.ends((IMAGE_PREDICTED,))
        while log.behind((IMAGE_PREDICTED,), ends):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
    return True


def publish(events: list[BurstResolved], live: Settings) -> None:
    """Send to live, each event in the partition of its camera, in order; returns when all are confirmed."""
    topic = BURST_RESOLVED.full_name(live)
    try:
        producer = KafkaProducer(
            bootstrap_servers=live.kafka.split(","), acks="all", linger_ms=5, max_in_flight_requests_per_connection=1
        )
        try:
            sent = [
                producer.send(
                    topic,
                    key=event.burst_id.encode(),
                    value=event.to_bytes(),
                    partition=partition_of(event.camera, live.partitions),
                )
                for event in events
            ]
            for future in sent:
                future.get(timeout=_SEND_S)
        finally:
            producer.close(timeout=_SEND_S)
    except KafkaError as error:
        raise DependencyDown(
            f"Kafka at {live.kafka} did not confirm everything ({error}); promote again: only what is missing is sent"
        ) from error
