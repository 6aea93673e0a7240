"""Consumes the result topics into the ledger, and survives a broker restart."""

import contextlib
import threading
from collections.abc import Iterator

from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError
from uncia.events import BurstResolved, ImagePredicted
from uncia.infra.demo.ledger import Ledger
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED


@contextlib.contextmanager
def follow_results(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """Feed the ledger from the earliest offset, in a background thread that runs until the context exits."""
    stop = threading.Event()
    thread = threading.Thread(target=_consume, args=(settings, ledger, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _consume(settings: Settings, ledger: Ledger, stop: threading.Event) -> None:
    """Read until `stop` is set. After a broker failure, start over at the earliest offset: the ledger is idempotent."""
    while not stop.is_set():
        try:
            for message in read_topics(settings, (IMAGE_PREDICTED, BURST_RESOLVED), from_beginning=True, stop=stop):
                record_message(message, settings, ledger)
        except (DependencyDown, KafkaError):
            stop.wait(1)


def record_message(message: Message, settings: Settings, ledger: Ledger) -> None:
    """Record one message of a result topic. Messages that are not valid events are ignored."""
    with contextlib.suppress(PermanentError):
        if message.topic == IMAGE_PREDICTED.full_name(settings):
            ledger.record_prediction(ImagePredicted.from_bytes(message.value))
        elif message.value is not None:
            ledger.record_burst(BurstResolved.from_bytes(message.value))
