"""The cameras' deployments for workers: UTC offset, position, sensitivity, and settings of each camera.

The topic is compacted and small. It is read to its end before the worker processes its first photograph, and
then followed by a thread. A camera without a loaded deployment uses the general value of every setting.
"""

from collections.abc import Iterator
from datetime import datetime

import structlog

from uncia.camtrap.names import canonical_camera
from uncia.errors import PermanentError
from uncia.events import DeploymentChanged
from uncia.kafka.topic_follower import TopicFollower
from uncia.settings import Settings
from uncia.topics import DEPLOYMENT_CHANGED

MAX_PER_CAMERA = 500
"""Deployments held per camera, the latest by start. A camera is moved a few times a year."""

log = structlog.get_logger("uncia")


class Deployments:
    """The latest state of each deployment. Reads are safe from any thread, lock nothing and never wait."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, DeploymentChanged] = {}
        # A camera's tuple is replaced as a whole: a concurrent reader sees the old one or the new one.
        self._by_camera: dict[str, tuple[DeploymentChanged, ...]] = {}

    def at(self, camera: str, time: datetime) -> DeploymentChanged | None:
        """The camera's deployment at this time; a time without offset is by the camera's own clock.

        None when none was loaded. When deployments overlap, the one that began last.
        """
        for deployment in self._by_camera.get(canonical_camera(camera), ()):
            if deployment.covers(time):
                return deployment
        return None

    def of(self, camera: str) -> tuple[DeploymentChanged, ...]:
        """All deployments of a camera, the one that began last first."""
        return self._by_camera.get(canonical_camera(camera), ())

    def cameras(self) -> tuple[str, ...]:
        """The cameras with a deployment, in their canonical spelling."""
        return tuple(self._by_camera)

    def during(self, time: datetime) -> Iterator[DeploymentChanged]:
        """One deployment of every camera that is deployed at this time, as by `at`."""
        for deployments in tuple(self._by_camera.values()):
            for deployment in deployments:
                if deployment.covers(time):
                    yield deployment
                    break

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Apply one message of the topic; a tombstone removes its deployment. One writer at a time."""
        if key is None:
            return
        deployment: DeploymentChanged | None = None
        if value is not None:
            try:
                deployment = DeploymentChanged.from_bytes(value)
            except PermanentError as error:
                # The last valid state of this deployment stays.
                log.warning("deployment_invalid", reason=error.reason, key=key.decode(errors="replace"))
                return
        before = self._by_key.pop(key, None)
        if deployment is not None:
            self._by_key[key] = deployment
        for camera in {canonical_camera(known.camera) for known in (before, deployment) if known is not None}:
            self._sort(camera, before, deployment)

    def _sort(self, camera: str, removed: DeploymentChanged | None, added: DeploymentChanged | None) -> None:
        deployments = [known for known in self._by_camera.get(camera, ()) if known is not removed]
        if added is not None and canonical_camera(added.camera) == camera:
            deployments.append(added)
        deployments.sort(key=lambda known: (known.start, known.deployment_id), reverse=True)
        for dropped in deployments[MAX_PER_CAMERA:]:
            self._by_key.pop(dropped.message_key, None)
        if deployments:
            self._by_camera[camera] = tuple(deployments[:MAX_PER_CAMERA])
        else:
            self._by_camera.pop(camera, None)


class DeploymentReader:
    """Keeps `deployments` up to date from the topic."""

    def __init__(self, settings: Settings, deployments: Deployments | None = None) -> None:
        self.deployments = found = deployments or Deployments()
        self._follower = TopicFollower(
            settings, DEPLOYMENT_CHANGED, "deployments", lambda message: found.apply(message.key, message.value)
        )

    def start(self, timeout_s: float = 60) -> Deployments:
        """Return when the topic was read to its end. Raises `DependencyDown` after `timeout_s` seconds."""
        self._follower.start(timeout_s)
        return self.deployments

    def close(self) -> None:
        """End the thread."""
        self._follower.close()
