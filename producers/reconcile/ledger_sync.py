"""Applies new messages of the topics to the ledger: uploads, predictions, status reports, dead letters."""

from pathlib import Path

from uncia.errors import LogTruncated
from uncia.ids import digest
from uncia.kafka.broker import Message, read_topics, topic_ids
from uncia.producers.reconcile.ledger import Ledger, UploadFact
from uncia.producers.reconcile.upload_facts import fact_of_prediction, fact_of_refusal, fact_of_report, fact_of_upload
from uncia.settings import Settings, stack_dir
from uncia.topics import DEAD_LETTER, IMAGE_PREDICTED, STATUS_REPORTED, STORAGE_CHANGED, UPLOAD_TOPICS

TOPICS = (*UPLOAD_TOPICS, IMAGE_PREDICTED, STATUS_REPORTED, DEAD_LETTER)
_BATCH = 2000


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of this bucket and namespace; it is cleared where a topic was recreated."""
    name = digest(settings.namespace, settings.bucket, settings.s3_endpoint or "")
    found = topic_ids(settings, TOPICS)
    identity = " ".join(found.get(topic.full_name(settings), "") for topic in TOPICS)
    return Ledger(_folder(settings) / f"{name}.sqlite", identity)


def catch_up(settings: Settings, ledger: Ledger) -> None:
    """Read the new messages of the topics up to now.

    A broker that lost its newest messages in a power cut has lost predictions that the ledger counts: it is cleared.
    """
    try:
        _read_new(settings, ledger)
    except LogTruncated:
        ledger.clear()
        _read_new(settings, ledger)


def _read_new(settings: Settings, ledger: Ledger) -> None:
    facts: list[UploadFact] = []
    positions: dict[tuple[str, int], int] = {}
    for message in read_topics(settings, TOPICS, until_end=True, from_positions=ledger.positions()):
        fact = _fact(settings, message)
        if fact is not None:
            facts.append(fact)
        positions[(message.topic, message.partition)] = message.offset + 1
        if len(facts) >= _BATCH:
            ledger.apply(facts, positions)
            facts.clear()
    if positions:
        ledger.apply(facts, positions)


def _fact(settings: Settings, message: Message) -> UploadFact | None:
    if message.topic == IMAGE_PREDICTED.full_name(settings):
        return fact_of_prediction(message)
    if message.topic == DEAD_LETTER.full_name(settings):
        return fact_of_refusal(message, STORAGE_CHANGED.full_name(settings))
    if message.topic == STATUS_REPORTED.full_name(settings):
        return fact_of_report(message)
    return fact_of_upload(message)


def _folder(settings: Settings) -> Path:
    """In an embedded stack, the command on a terminal and the running part share one folder."""
    stack = stack_dir()
    return (stack / "data" if (stack / "stack.env").exists() else settings.data_dir) / "reconcile"
