"""The deployments that stand on the topic, and putting others there."""

from collections.abc import Iterable

from kafka import KafkaProducer
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError
from uncia.events import DeploymentChanged, deployment_key
from uncia.kafka.broker import read_topics
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.topics import DEPLOYMENT_CHANGED

_SEND_TIMEOUT_S = 30


def known_deployments(settings: Settings) -> dict[bytes, DeploymentChanged]:
    """The last word on each deployment, by its key. What cannot be read counts as not there."""
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


def changed(wanted: Iterable[DeploymentChanged], known: dict[bytes, DeploymentChanged]) -> list[DeploymentChanged]:
    """Those of which the topic says something else, or nothing. Compared as written: an offset is part of a time."""
    return [
        each for each in wanted if (old := known.get(each.message_key)) is None or old.to_bytes() != each.to_bytes()
    ]


def publish(settings: Settings, deployments: Iterable[DeploymentChanged]) -> None:
    """Send and wait for the broker's confirmation of each. Raises `DependencyDown`; then some may be there."""
    _send(settings, [(each.camera, each.message_key, each.to_bytes()) for each in deployments])


def take_out(settings: Settings, camera: str, deployment_id: str) -> None:
    """Say that there is no such deployment."""
    _send(settings, [(camera, deployment_key(camera, deployment_id), None)])


def _send(settings: Settings, messages: list[tuple[str, bytes, bytes | None]]) -> None:
    if not messages:
        return
    try:
        producer = KafkaProducer(bootstrap_servers=settings.kafka.split(","), acks="all", linger_ms=20)
        try:
            topic = DEPLOYMENT_CHANGED.full_name(settings)
            sent = [
                producer.send(topic, key=key, value=value, partition=partition_of(camera, settings.partitions))
                for camera, key, value in messages
            ]
            for future in sent:
                future.get(timeout=_SEND_TIMEOUT_S)
        finally:
            producer.close(timeout=_SEND_TIMEOUT_S)
    except KafkaError as error:
        raise DependencyDown(
            f"Kafka at {settings.kafka} did not confirm ({type(error).__name__}): run the command again, "
            "what is there already is not published twice"
        ) from error
