"""Reads deployments from their topic, and publishes others."""

from collections.abc import Iterable

from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError
from uncia.events import DeploymentChanged, deployment_key
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.settings import Settings
from uncia.topics import DEPLOYMENT_CHANGED


def known_deployments(settings: Settings) -> dict[bytes, DeploymentChanged]:
    """The newest version of each deployment, by its key. Events that cannot be read count as absent."""
    known: dict[bytes, DeploymentChanged] = {}
    for message in read_topics(settings, (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True):
        if message.key is None:
            continue
        known.pop(message.key, None)
        if message.value is not None:
            try:
                known[message.key] = DeploymentChanged.from_bytes(message.value)
            except PermanentError:
                continue
    return known


def changed_deployments(
    deployments: Iterable[DeploymentChanged], known: dict[bytes, DeploymentChanged]
) -> list[DeploymentChanged]:
    """The deployments that are new or differ from the topic. Compared as bytes: an offset is part of a time."""
    return [
        deployment
        for deployment in deployments
        if (old := known.get(deployment.message_key)) is None or old.to_bytes() != deployment.to_bytes()
    ]


def publish_deployments(settings: Settings, deployments: Iterable[DeploymentChanged]) -> None:
    """Publish, confirmed by the broker. Raises `DependencyDown`; some may be published then."""
    _send(settings, [(deployment.camera, deployment.message_key, deployment.to_bytes()) for deployment in deployments])


def publish_removal(settings: Settings, camera: str, deployment_id: str) -> None:
    """Publish a tombstone for a deployment."""
    _send(settings, [(camera, deployment_key(camera, deployment_id), None)])


def _send(settings: Settings, messages: list[tuple[str, bytes, bytes | None]]) -> None:
    if not messages:
        return
    try:
        send_to_cameras(settings, DEPLOYMENT_CHANGED, messages)
    except KafkaError as error:
        raise DependencyDown(
            f"Kafka at {settings.kafka} did not confirm ({type(error).__name__}): run the command again, "
            "published deployments are not published twice"
        ) from error
