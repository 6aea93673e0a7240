"""`python -m benchmarks.broker_sign_in`: what sign-in and encryption cost at Kafka.

One broker with two listeners, one plain and one with SCRAM-SHA-512 over TLS 1.3, as the stack's own broker has. Blocks
of messages are sent and read over one and the other in turns, so that other load on the machine affects both.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from kafka import TopicPartition

from tests.stack.sign_in_broker import PASSWORD, USER, SignInBroker, running_broker
from uncia.kafka.broker import create_topics
from uncia.kafka.connection import connect_consumer, connect_producer
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED

_TIMEOUT_S = 120


def main(
    blocks: Annotated[int, typer.Option(min=2, help="Blocks for each listener.")] = 8,
    messages: Annotated[int, typer.Option(min=100, help="Messages in a block.")] = 10_000,
    size: Annotated[int, typer.Option(min=1, help="Bytes of a message; a prediction has about 2,000.")] = 2_000,
    connections: Annotated[int, typer.Option(min=1, help="Connections that are opened for each listener.")] = 20,
) -> None:
    """Measure, and print the figures as JSON: medians over the blocks, and the ratio of sign-in over plain."""
    with tempfile.TemporaryDirectory(prefix="uncia-sign-in-") as folder, running_broker(Path(folder)) as broker:
        ways = {"plain": _plain(broker), "signed in": _signed_in(broker)}
        create_topics(ways["plain"], (IMAGE_PREDICTED,))
        figures: dict[str, dict[str, list[float]]] = {way: {} for way in ways}
        for block in range(blocks + 1):
            for way, settings in ways.items():
                for name, value in _block(settings, messages, b"x" * size).items():
                    # The first block warms up the broker.
                    if block:
                        figures[way].setdefault(name, []).append(value)
        for _ in range(connections):
            for way, settings in ways.items():
                figures[way].setdefault("connection_ms", []).append(_connection_ms(settings))
    medians = {way: {name: round(statistics.median(v), 2) for name, v in own.items()} for way, own in figures.items()}
    ratios = {name: round(medians["signed in"][name] / plain, 3) for name, plain in medians["plain"].items()}
    typer.echo(json.dumps({**medians, "signed in over plain": ratios}, indent=1))


def _plain(broker: SignInBroker) -> Settings:
    return Settings(_env_file=None, kafka=broker.at["PLAINTEXT"])


def _signed_in(broker: SignInBroker) -> Settings:
    values: dict[str, Any] = {
        "kafka": broker.at["SCRAM"],
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_username": USER,
        "kafka_password": PASSWORD,
        "kafka_cafile": broker.authority.cafile,
    }
    return Settings(_env_file=None, **values)


def _block(settings: Settings, messages: int, value: bytes) -> dict[str, float]:
    """Messages sent and read per second of the clock, and per second of this process's CPU time."""
    topic = IMAGE_PREDICTED.full_name(settings)
    place = TopicPartition(topic, 0)
    consumer = connect_consumer(settings, enable_auto_commit=False)
    producer = connect_producer(settings, acks="all", linger_ms=20)
    try:
        consumer.assign([place])
        consumer.seek_to_end(place)
        consumer.position(place)
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(messages):
            sent = producer.send(topic, value=value, partition=0)
        sent.get(timeout=_TIMEOUT_S)
        producer.flush(_TIMEOUT_S)
        sent_s, sent_cpu_s = time.perf_counter() - began, time.process_time() - cpu
        began, cpu, count = time.perf_counter(), time.process_time(), 0
        while count < messages:
            count += sum(len(records) for records in consumer.poll(timeout_ms=1000, max_records=5000).values())
        read_s, read_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    finally:
        producer.close()
        consumer.close()
    return {
        "sent_per_s": messages / sent_s,
        "sent_per_cpu_s": messages / sent_cpu_s,
        "read_per_s": messages / read_s,
        "read_per_cpu_s": messages / read_cpu_s,
    }


def _connection_ms(settings: Settings) -> float:
    began = time.perf_counter()
    connect_producer(settings).close()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    typer.run(main)
