"""`uncia reconcile`: compare the bucket with the topics; announce what nobody announced."""

import json
import threading
import time

import typer
from kafka import KafkaProducer
from kafka.errors import KafkaError

from producers.reconcile.compare import Announced
from producers.reconcile.notification import notification_of, path_of
from uncia.broker import Message, read_topics
from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import ImageUploaded
from uncia.object_store import ObjectStore
from uncia.settings import Settings, settings
from uncia.telemetry import configure_logging, mark_ready
from uncia.topics import DEAD_LETTER, STORAGE_CHANGED, UPLOAD_TOPICS

_SEND_TIMEOUT_S = 30


def reconcile(
    prefix: str = typer.Option("", help="Only keys that begin so."),
    every: bool = typer.Option(False, "--every", help="Go on for ever, every UNCIA_RECONCILE_EVERY_S seconds."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Announce stored photographs whose notification was lost. Says zero, or names them."""
    if every:
        _for_ever(settings(), prefix)
        return
    missed = _Reconciler(settings()).round(prefix)
    if as_json:
        typer.echo(json.dumps({"missed": len(missed), "keys": missed}))
        return
    for key in missed:
        typer.echo(f"announced {key}")
    typer.echo(f"missed={len(missed)}")


def _for_ever(config: Settings, prefix: str) -> None:
    log = configure_logging(config, "reconcile")
    reconciler = _Reconciler(config)
    pause = threading.Event()
    while True:
        try:
            missed = reconciler.round(prefix)
            mark_ready()
            if missed:
                log.warning("announced what nobody announced", count=len(missed), keys=missed[:5])
        except (UnciaError, KafkaError) as error:
            log.warning("could not compare; trying again", error=str(error))
        pause.wait(config.reconcile_every_s)


class _Reconciler:
    """Keeps what the topics said from round to round, so that each round reads only what is new."""

    def __init__(self, config: Settings) -> None:
        self._settings = config
        self._store = ObjectStore(config)
        self._announced = Announced()
        self._positions: dict[tuple[str, int], int] = {}

    def round(self, prefix: str) -> list[str]:
        """One comparison; the keys that were announced now."""
        config = self._settings
        # The listing first: what is announced between the two is then seen as announced.
        listing = list(self._store.list(config.bucket, prefix))
        for message in read_topics(
            config, (*UPLOAD_TOPICS, DEAD_LETTER), until_end=True, from_positions=self._positions
        ):
            self._learn(message)
        missed = list(
            self._announced.missed(
                config.bucket,
                listing,
                now=time.time(),
                older_than_s=config.reconcile_after_s,
                again_after_s=max(10 * config.reconcile_every_s, 60),
            )
        )
        if missed:
            self._announce([(path_of(config.bucket, s.key), notification_of(config.bucket, s)) for s in missed])
        return [stored.key for stored in missed]

    def _learn(self, message: Message) -> None:
        self._positions[(message.topic, message.partition)] = message.offset + 1
        if message.topic in {topic.full_name(self._settings) for topic in UPLOAD_TOPICS}:
            try:
                self._announced.uploads.add(ImageUploaded.from_bytes(message.value).upload_id)
            except PermanentError:
                return
        elif message.key is not None:
            self._announced.refused.add(message.key.decode(errors="replace").removeprefix("/buckets/"))

    def _announce(self, messages: list[tuple[bytes, bytes]]) -> None:
        servers = self._settings.kafka.split(",")
        try:
            producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=20)
            try:
                topic = STORAGE_CHANGED.full_name(self._settings)
                sent = [producer.send(topic, key=key, value=value) for key, value in messages]
                for future in sent:
                    future.get(timeout=_SEND_TIMEOUT_S)
            finally:
                producer.close(timeout=_SEND_TIMEOUT_S)
        except KafkaError as error:
            raise DependencyDown(f"Kafka at {self._settings.kafka} did not confirm ({error})") from error
