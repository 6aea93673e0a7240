"""`python -m benchmarks.alert_delivery`: milliseconds from a verdict on its topic to the webhook that hears of it.

A broker, the worker `alerts` and `uncia deliver` run as in the embedded stack; the verdicts are published at a steady
rate, each of a burst that one rule matches. Counted from before the verdict is sent until the request is received.
"""

import json
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from benchmarks.figures import percentile
from tests.recovery.delivery_stack import delivery_stack
from tests.unit.processors.alerts.builders import burst
from tests.unit.processors.delivery.http_receiver import Answer, Request, receiving
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.topics import BURST_RESOLVED

_CAMERAS = 20
_WARM_UP = 20


def main(
    verdicts: Annotated[int, typer.Option(min=50, help="Number of verdicts.")] = 500,
    rate: Annotated[float, typer.Option(min=0.1, help="Verdicts per second.")] = 10.0,
) -> None:
    """Measure, and print the figures as JSON."""
    arrived: dict[str, float] = {}

    def respond(request: Request) -> Answer:
        moment = time.perf_counter()
        arrived.setdefault(json.loads(request.body)["data"]["camera"] + request.headers["Idempotency-Key"], moment)
        return Answer(204)

    with receiving(respond=respond) as receiver, delivery_stack(receiver.url, ("kafka", "alerts", "deliver")) as stack:
        settings = stack.admin_settings()
        producer = connect_producer(settings, acks="all", linger_ms=0)
        topic, delays = BURST_RESOLVED.full_name(settings), []
        started = time.perf_counter()
        for number in range(verdicts):
            time.sleep(max(0.0, started + number / rate - time.perf_counter()))
            camera = f"peak/cam-{number % _CAMERAS}"
            event = burst(f"bst-{datetime.now(UTC):%H%M%S}-{number}", minute=60 * number).model_copy(
                update={"station": "peak", "camera": camera}
            )
            before, known = time.perf_counter(), set(arrived)
            partition = partition_of(camera, settings.partitions)
            producer.send(topic, value=event.to_bytes(), key=event.burst_id.encode(), partition=partition).get(30)
            while not (new := set(arrived) - known):
                if time.perf_counter() - before > 60:
                    raise typer.Exit(1)
                time.sleep(0.001)
            delays.append(1000 * (arrived[new.pop()] - before))
        producer.close()
    used = sorted(delays[_WARM_UP:])
    figures = {f"p{share}_ms": round(percentile(used, share / 100), 1) for share in (50, 95, 99)}
    typer.echo(json.dumps({"verdicts": len(used), "rate_per_s": rate, **figures}))


if __name__ == "__main__":
    typer.run(main)
