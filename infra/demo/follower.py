"""Follows the result topics into the ledger, whatever happens to the broker meanwhile."""

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
def listening(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """Feed the ledger from the first message on, in a thread of its own, for as long as the context lasts."""
    stop = threading.Event()
    thread = threading.Thread(target=_listen, args=(settings, ledger, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _listen(settings: Settings, ledger: Ledger, stop: threading.Event) -> None:
    """A broker that dies meanwhile is read again from the start: the ledger does not mind repetition."""
    while not stop.is_set():
        try:
            for message in read_topics(settings, (IMAGE_PREDICTED, BURST_RESOLVED), from_beginning=True, stop=stop):
                _take(message, settings, ledger)
        except (DependencyDown, KafkaError):
            stop.wait(1)


def _take(message: Message, settings: Settings, ledger: Ledger) -> None:
    # What is no event of ours is passed over: it must not end the demonstration of those that are.
    with contextlib.suppress(PermanentError):
        if message.topic == IMAGE_PREDICTED.full_name(settings):
            ledger.take_answer(ImagePredicted.from_bytes(message.value))
        elif message.value is not None:
            ledger.take_burst(BurstResolved.from_bytes(message.value))
