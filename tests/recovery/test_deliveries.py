"""`uncia deliver` is killed under load: every alert arrives, and a kill doubles one message at most."""

import json
from collections import Counter

import pytest

from tests.recovery.delivery_stack import delivery_stack, kill
from tests.unit.processors.delivery.examples import alert
from tests.unit.processors.delivery.http_receiver import Answer, Request, receiving
from tests.waiting import wait_until
from uncia.events import AlertRaised, AlertState
from uncia.kafka.broker import send_to_cameras
from uncia.topics import ALERT_RAISED

pytestmark = [pytest.mark.recovery, pytest.mark.timeout(1800)]

ALERTS, KILLS = 400, 6


def test_kills_lose_no_alert_and_double_one_message_each_at_most() -> None:
    served = 0

    def respond(_: Request) -> Answer:
        # Some answers are lost or refused, as on a bad line.
        nonlocal served
        served += 1
        return Answer(503) if served % 50 == 0 else Answer(204)

    with receiving(respond=respond) as receiver, delivery_stack(receiver.url) as stack:
        settings = stack.admin_settings()

        def publish(*events: AlertRaised) -> None:
            sent = [(one.camera, one.alert_id.encode(), one.to_bytes()) for one in events]
            send_to_cameras(settings, ALERT_RAISED, sent)

        newest: dict[str, AlertRaised] = {}
        kills = 0
        for batch in range(KILLS):
            names = [f"alr-{number}" for number in range(batch * ALERTS // KILLS, (batch + 1) * ALERTS // KILLS)]
            events = [alert(name, station=f"s{number % 7}") for number, name in enumerate(names)]
            publish(*events)
            earlier = [newest[name] for name in list(newest)[-20:]]
            changed = [
                alert(one.alert_id, one.revision + 1, state, station=one.station)
                for one, state in zip(earlier, [AlertState.UPDATED, AlertState.WITHDRAWN] * 10, strict=False)
            ]
            publish(*changed)
            newest |= {one.alert_id: one for one in (*events, *changed)}
            before = len(receiver.requests)
            wait_until(lambda before=before: len(receiver.requests) > before + 5, limit_s=60)  # type: ignore[misc]
            kills += kill(stack, "deliver")

        def received() -> dict[str, int]:
            bodies = [json.loads(request.body)["data"] for request in list(receiver.requests)]
            return {body["alert_id"]: body["revision"] for body in bodies}

        shown = {name for name, one in newest.items() if one.state is not AlertState.WITHDRAWN}
        wait_until(
            lambda: all(received().get(name) == newest[name].revision for name in shown), limit_s=120, what="all alerts"
        )
    counts = Counter(request.headers["Idempotency-Key"] for request in receiver.requests)
    bodies: dict[str, set[bytes]] = {}
    for request in receiver.requests:
        bodies.setdefault(request.headers["Idempotency-Key"], set()).add(request.body)
    assert kills == KILLS
    refused = served // 50
    assert sum(counts.values()) - len(counts) <= kills + refused
    # A repetition is the same request: its receiver can recognise it.
    assert all(len(same) == 1 for same in bodies.values())
    # A withdrawn alert was either never sent, or its withdrawal was.
    for name, one in newest.items():
        if one.state is AlertState.WITHDRAWN:
            assert received().get(name) in (None, one.revision)
    # In the order of each alert.
    order: dict[str, list[int]] = {}
    for request in receiver.requests:
        body = json.loads(request.body)["data"]
        order.setdefault(body["alert_id"], []).append(body["revision"])
    assert all(revisions == sorted(revisions) for revisions in order.values())
