"""Reads what a comparison needs from the live system and the replay, and publishes what a promotion plans."""

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import BurstResolved, DeploymentChanged, ImagePredicted, ImageUploaded
from uncia.ids import successor_burst_id
from uncia.kafka.broker import existing_topics, read_topics, send_to_cameras
from uncia.producers.replay.burst_snapshot import BurstSnapshots, overlaps, with_usable_ids
from uncia.producers.replay.compare import HoldContext, ReplayComparison, compare_bursts
from uncia.producers.replay.description import Replay
from uncia.producers.replay.kafka_log import connect_to_log
from uncia.producers.replay.planning import upload_ends
from uncia.producers.replay.runner import TARGET
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, IMAGE_PREDICTED, UPLOAD_TOPICS

_LATENESS_MARGIN = timedelta(seconds=10)
"""Added to the lateness: the clocks of two machines differ, and a revision may be on its way."""

_CATCH_UP_TIMEOUT_S = 15


@dataclass
class LiveComparison:
    """A comparison, and the highest revision of every live burst id that it concerns."""

    comparison: ReplayComparison
    revisions: dict[str, int]


def compare_with_live(replay: Replay, live: Settings) -> LiveComparison:
    """Compare the replay with the live topics as they are now. Raises `UnciaError` before its first run."""
    config = replay.settings(live)
    if TARGET.full_name(config) not in existing_topics(config):
        raise UnciaError(f"the replay {replay.name} has not begun: run `uncia replay start {replay.name}`")
    copied = _copied_uploads(config)
    of_replay, of_live = BurstSnapshots(), BurstSnapshots()
    of_replay.read(read_topics(config, (BURST_RESOLVED,), from_beginning=True, until_end=True), lambda _: True)
    images = {image for burst in of_replay.current.values() for image in burst.images}
    # Before the live bursts are read: what the live system has processed by then is in them.
    caught_up = _live_caught_up(replay, live)
    of_live.read(
        read_topics(live, (BURST_RESOLVED,), from_beginning=True, until_end=True),
        overlaps(images, copied, {*of_replay.current, *map(successor_burst_id, of_replay.current)}),
    )
    in_live_only = _uploads(of_live) & copied - _uploads(of_replay)
    context = HoldContext(
        now=datetime.now(UTC),
        lateness=timedelta(seconds=live.burst_lateness_s) + _LATENESS_MARGIN,
        camera_lateness=_camera_lateness(live),
        copied=copied,
        live_caught_up=caught_up,
        unread=_read_rejections(config, in_live_only) if in_live_only else {},
    )
    bursts = with_usable_ids(of_replay.current, of_live)
    return LiveComparison(compare_bursts(of_live.current.values(), bursts, context), of_live.revisions)


def _copied_uploads(config: Settings) -> set[str]:
    """Upload ids of the events that were copied into the namespace."""
    copied = set()
    for message in read_topics(config, (TARGET,), from_beginning=True, until_end=True):
        with contextlib.suppress(PermanentError):
            copied.add(ImageUploaded.from_bytes(message.value).upload_id)
    return copied


def _uploads(bursts: BurstSnapshots) -> set[str]:
    return {upload for burst in bursts.current.values() for upload in burst.uploads}


def _read_rejections(config: Settings, uploads: set[str]) -> dict[str, str]:
    """Why the replay could not read these uploads, by id; those that it could read are left out."""
    rejections: dict[str, str] = {}
    for message in read_topics(config, (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
        # Most predictions are of no interest: their bytes show it without parsing them.
        if b'"rejection":{"reason":"object-' not in (message.value or b""):
            continue
        with contextlib.suppress(PermanentError):
            event = ImagePredicted.from_bytes(message.value)
            if event.upload_id in uploads and event.rejection is not None:
                rejections[event.upload_id] = event.rejection.reason
    return rejections


def _camera_lateness(live: Settings) -> dict[str, timedelta]:
    """The longest lateness that any deployment of a camera sets, by camera."""
    longest: dict[str, timedelta] = {}
    for message in read_topics(live, (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True):
        try:
            deployment = DeploymentChanged.from_bytes(message.value)
        except PermanentError:
            continue
        if deployment.burst_lateness_s is not None:
            lateness = timedelta(seconds=deployment.burst_lateness_s) + _LATENESS_MARGIN
            longest[deployment.camera] = max(lateness, longest.get(deployment.camera, lateness))
    return longest


def _live_caught_up(replay: Replay, live: Settings) -> bool:
    """True where the live system has put every upload from before the replay was created into a burst."""
    deadline = time.monotonic() + _CATCH_UP_TIMEOUT_S
    with connect_to_log(live) as log:
        if log.lag(UPLOAD_TOPICS, upload_ends(replay)):
            return False
        ends = log.ends((IMAGE_PREDICTED,))
        while log.lag((IMAGE_PREDICTED,), ends):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
    return True


def publish_live(events: list[BurstResolved], live: Settings) -> None:
    """Send events to the live topic in order, each to the partition of its camera. Returns when all are confirmed.

    Raises `DependencyDown`; some events may be published then, and a new promotion sends the others.
    """
    try:
        messages = ((event.camera, event.burst_id.encode(), event.to_bytes()) for event in events)
        send_to_cameras(live, BURST_RESOLVED, messages)
    except KafkaError as error:
        raise DependencyDown(
            f"Kafka at {live.kafka} did not confirm every event ({error}); promote again: only what is missing is sent"
        ) from error
