"""What a worker knows of the cameras' deployments: offset, position, sensitivity, and what is set for one alone.

The topic is compacted and small. It is read to its end before the worker takes its first photograph, and followed in
a thread from then on. A camera of which nothing was ever loaded has no deployment, and every setting keeps its
general value.
"""

import threading
from collections.abc import Iterator
from datetime import datetime

import structlog
from kafka.errors import KafkaError

from uncia.camtrap.names import canonical_camera
from uncia.errors import DependencyDown, LogTruncated, PermanentError
from uncia.events import DeploymentChanged
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import DEPLOYMENT_CHANGED

MAX_PER_CAMERA = 500
"""Deployments kept of one camera, those that began last. A camera is moved a few times a year."""

_AGAIN_S = 1.0

log = structlog.get_logger("uncia")


class Deployments:
    """The newest word on each deployment. Reading is safe from any thread, costs no lock and never waits."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, DeploymentChanged] = {}
        # A camera's tuple is replaced as a whole: whoever reads meanwhile sees the old one or the new one.
        self._by_camera: dict[str, tuple[DeploymentChanged, ...]] = {}

    def at(self, camera: str, time: datetime) -> DeploymentChanged | None:
        """Where the camera stood then; a time without offset is read on its own clock.

        None where nothing was loaded for it. Where deployments overlap after all, the one that began last.
        """
        for deployment in self._by_camera.get(canonical_camera(camera), ()):
            if deployment.covers(time):
                return deployment
        return None

    def of(self, camera: str) -> tuple[DeploymentChanged, ...]:
        """All deployments of a camera, the one that began last first."""
        return self._by_camera.get(canonical_camera(camera), ())

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one message of the topic; one without value takes its deployment out. One writer at a time."""
        if key is None:
            return
        deployment: DeploymentChanged | None = None
        if value is not None:
            try:
                deployment = DeploymentChanged.from_bytes(value)
            except PermanentError as error:
                # The last good word on this deployment stays.
                log.warning("not a deployment", reason=error.reason, key=key.decode(errors="replace"))
                return
        before = self._by_key.pop(key, None)
        if deployment is not None:
            self._by_key[key] = deployment
        for camera in {canonical_camera(each.camera) for each in (before, deployment) if each is not None}:
            self._sort(camera, before, deployment)

    def _sort(self, camera: str, gone: DeploymentChanged | None, new: DeploymentChanged | None) -> None:
        kept = [each for each in self._by_camera.get(camera, ()) if each is not gone]
        if new is not None and canonical_camera(new.camera) == camera:
            kept.append(new)
        kept.sort(key=lambda each: (each.start, each.deployment_id), reverse=True)
        for forgotten in kept[MAX_PER_CAMERA:]:
            self._by_key.pop(forgotten.message_key, None)
        if kept:
            self._by_camera[camera] = tuple(kept[:MAX_PER_CAMERA])
        else:
            self._by_camera.pop(camera, None)


class DeploymentReader:
    """Keeps `deployments` up to date from the topic."""

    def __init__(self, settings: Settings, deployments: Deployments | None = None) -> None:
        self.deployments = deployments or Deployments()
        self._settings = settings
        self._positions: dict[tuple[str, int], int] = {}
        self._loaded, self._stop = threading.Event(), threading.Event()
        # A daemon: a worker that is told to stop does not wait for it.
        self._thread = threading.Thread(target=self._run, name="deployments", daemon=True)

    def start(self, timeout_s: float = 60) -> Deployments:
        """Return when all that stands on the topic was read. Raises `DependencyDown` when that takes longer."""
        self._thread.start()
        if not self._loaded.wait(timeout_s):
            self._stop.set()
            raise DependencyDown(f"the deployments could not be read from Kafka within {timeout_s:g} s")
        return self.deployments

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        failed = False
        while not self._stop.is_set():
            try:
                for message in self._messages():
                    self._take(message)
                    failed = False
                self._loaded.set()
            except (DependencyDown, KafkaError) as error:
                if isinstance(error, LogTruncated):
                    self._positions.clear()
                if not failed:
                    log.warning("deployments cannot be read; trying again", error=str(error))
                failed = True
                self._stop.wait(_AGAIN_S)

    def _messages(self) -> Iterator[Message]:
        return read_topics(
            self._settings,
            (DEPLOYMENT_CHANGED,),
            from_positions=self._positions,
            until_end=not self._loaded.is_set(),
            stop=self._stop,
        )

    def _take(self, message: Message) -> None:
        self.deployments.apply(message.key, message.value)
        self._positions[(message.topic, message.partition)] = message.offset + 1
