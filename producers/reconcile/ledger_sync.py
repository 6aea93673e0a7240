"""Brings the ledger up to date with the topics: uploads, predictions, dead letters."""

from pathlib import Path

from uncia.errors import LogTruncated
from uncia.ids import digest
from uncia.kafka.broker import Message, read_topics, topic_ids
from uncia.producers.reconcile.ledger import Fact, Ledger
from uncia.producers.reconcile.upload_facts import announcement, answer, refusal
from uncia.settings import Settings, stack_dir
from uncia.topics import DEAD_LETTER, IMAGE_PREDICTED, STORAGE_CHANGED, UPLOAD_TOPICS

TOPICS = (*UPLOAD_TOPICS, IMAGE_PREDICTED, DEAD_LETTER)
_BATCH = 2000


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of this bucket and namespace; begun anew when a topic or the store is another one."""
    place = digest(settings.namespace, settings.bucket, settings.s3_endpoint or "")
    found = topic_ids(settings, TOPICS)
    identity = " ".join(found.get(topic.full_name(settings), "") for topic in TOPICS)
    return Ledger(_folder(settings) / f"{place}.sqlite", identity)


def catch_up(settings: Settings, ledger: Ledger) -> None:
    """Read what is new on the topics up to now.

    A broker that lost its newest messages in a power cut has lost answers that the ledger counts: it is begun anew.
    """
    try:
        _read_on(settings, ledger)
    except LogTruncated:
        ledger.forget()
        _read_on(settings, ledger)


def _read_on(settings: Settings, ledger: Ledger) -> None:
    facts: list[Fact] = []
    positions: dict[tuple[str, int], int] = {}
    for message in read_topics(settings, TOPICS, until_end=True, from_positions=ledger.positions()):
        fact = _fact(settings, message)
        if fact is not None:
            facts.append(fact)
        positions[(message.topic, message.partition)] = message.offset + 1
        if len(facts) >= _BATCH:
            ledger.learn(facts, positions)
            facts.clear()
    if positions:
        ledger.learn(facts, positions)


def _fact(settings: Settings, message: Message) -> Fact | None:
    if message.topic == IMAGE_PREDICTED.full_name(settings):
        return answer(message)
    if message.topic == DEAD_LETTER.full_name(settings):
        return refusal(message, STORAGE_CHANGED.full_name(settings))
    return announcement(message)


def _folder(settings: Settings) -> Path:
    """In a stack the command at the terminal and the part that runs for ever share one."""
    stack = stack_dir()
    return (stack / "data" if (stack / "stack.env").exists() else settings.data_dir) / "reconcile"
