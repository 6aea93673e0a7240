"""The loop of a channel: retries, limits, and that one channel never delays another."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from tests.unit.processors.delivery.examples import TAXA, alert, channel, secret_file
from tests.unit.processors.delivery.http_receiver import Answer, receiving
from tests.waiting import wait_until
from uncia.backoff import Backoff
from uncia.events import AlertRaised, AlertState, Severity
from uncia.processors.delivery.channel_sender import ChannelSender, RateLimit, RetrySchedule
from uncia.processors.delivery.channels import Channel, Rate
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.message import AlertMessage, message_of
from uncia.processors.delivery.outbox import Outbox, PartitionOffset
from uncia.processors.delivery.outbox_queue import Queued
from uncia.processors.delivery.quiet_hours import QuietHours
from uncia.processors.delivery.webhook import WebhookSender

PLACE = ("camera.alert.raised.v1", 0)


class Script:
    """A sender with written results: None delivers, an exception fails."""

    def __init__(self, *results: Exception | None) -> None:
        self.results = list(results)
        self.sent: list[str] = []

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        self.sent.append(message.key)
        result = self.results.pop(0) if self.results else None
        if result is not None:
            raise result
        return f"their-{message.alert_id}"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


def queue(box: Outbox, *alerts: object, channel: str = "one") -> None:
    box.apply([Queued(channel, one) for one in alerts], {PLACE: PartitionOffset("id", 1)})  # type: ignore[arg-type]


def runner(box: Outbox, script: Script, one: Channel, clock: Callable[[], float]) -> ChannelSender:
    return ChannelSender(one, script, box, lambda event, its: message_of(event, its, None, None, TAXA), clock)


def run(sender: ChannelSender, clock: Clock, seconds: float) -> None:
    """Let the loop run for so long by its clock."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += min(max(sender.step(), 0.0), end - clock.now) or 0.001


def busy(retry_after_s: float | None = None) -> SendFailed:
    return SendFailed("HTTP 503", may_have_arrived=False, retry_after_s=retry_after_s)


def test_a_failure_is_tried_again_later_and_what_follows_keeps_its_order(box: Outbox) -> None:
    clock, script = Clock(), Script(busy(), busy(), None)
    sender = runner(box, script, channel(), clock)
    queue(box, alert("alr-1"), alert("alr-2"))
    run(sender, clock, 30)
    assert script.sent.count("alr-1:1") + script.sent.count("alr-2:1") == 4
    assert box.counts()["one"].delivered == 2


def test_the_time_that_a_receiver_wants_is_waited(box: Outbox) -> None:
    clock, script = Clock(), Script(busy(retry_after_s=600))
    sender = runner(box, script, channel(), clock)
    queue(box, alert("alr-1"), alert("alr-2"))
    run(sender, clock, 599)
    assert script.sent == ["alr-1:1"]
    run(sender, clock, 20)
    assert sorted(script.sent) == ["alr-1:1", "alr-1:1", "alr-2:1"]


def test_a_message_that_alone_fails_does_not_hold_up_the_others(box: Outbox) -> None:
    script = Script(SendFailed("HTTP 500", may_have_arrived=True, busy=False), None)
    sender = runner(box, script, channel(), Clock())
    queue(box, alert("alr-1"), alert("alr-2"))
    assert [sender.step(), sender.step()] == [0.0, 0.0]
    assert script.sent == ["alr-1:1", "alr-2:1"]


def test_a_refusal_and_too_many_tries_end_in_the_dead_letters(box: Outbox) -> None:
    clock, script = Clock(), Script(RefusedForGood("HTTP 404"), busy(), busy(), busy())
    sender = runner(box, script, channel(tries=3), clock)
    queue(box, alert("alr-1"), alert("alr-2"))
    run(sender, clock, 3600)
    reasons = {one.alert_id: one.reason for one in box.dead_letters("one")}
    assert reasons == {"alr-1": "HTTP 404", "alr-2": "given up after 3 tries, the last one: HTTP 503"}
    assert box.counts()["one"].pending == 0


def refused_key() -> SendFailed:
    return SendFailed("HTTP 401: the receiver refuses the key", may_have_arrived=False, needs_operator=True)


def test_a_refused_key_is_tried_again_until_it_is_mended_and_is_in_the_log_once(box: Outbox) -> None:
    clock, script = Clock(), Script(*(refused_key() for _ in range(30)))
    sender = runner(box, script, channel(tries=3), clock)
    queue(box, alert("alr-1"), alert("alr-2"))
    with capture_logs() as logs:
        run(sender, clock, 12 * 3600)
    assert box.counts()["one"].delivered == 2 and box.dead_letters() == []
    (noted,) = [one for one in logs if one["log_level"] in ("error", "warning")]
    assert noted["event"] == "channel_needs_operator"
    assert "refuses the key. The messages of this channel wait" in noted["reason"]


def test_what_failed_by_a_refused_key_has_all_its_tries_left(box: Outbox) -> None:
    clock, script = Clock(), Script(*(refused_key() for _ in range(5)), busy(), busy(), None)
    sender = runner(box, script, channel(tries=3), clock)
    queue(box, alert("alr-1"))
    run(sender, clock, 3600)
    assert box.counts()["one"].delivered == 1


class RefusesSome(Script):
    """Refuses the alerts whose id begins with `bad`, as some receivers refuse a wrong key."""

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        self.sent.append(message.key)
        if message.alert_id.startswith("bad"):
            raise refused_key()
        return None


def test_alerts_that_are_refused_as_a_wrong_key_hold_up_no_others_and_end_in_the_dead_letters(box: Outbox) -> None:
    clock, script = Clock(), RefusesSome()
    sender = runner(box, script, channel(tries=3), clock)
    queue(box, *(alert(f"bad-{number}") for number in range(15)), alert("alr-1"), alert("alr-2"))
    run(sender, clock, 6 * 3600)
    assert box.counts()["one"].delivered == 2
    assert {one.alert_id for one in box.dead_letters("one")} == {f"bad-{number}" for number in range(15)}


def test_in_quiet_hours_messages_wait_but_the_urgent_ones(box: Outbox) -> None:
    script, local = Script(), [datetime(2026, 5, 1, 23, 30, tzinfo=ZoneInfo("Asia/Bishkek"))]
    one = channel(quiet=QuietHours(22 * 60, 6 * 60, "Asia/Bishkek", Severity.CRITICAL))
    sender = ChannelSender(one, script, box, rendered, Clock(), lambda: local[0].astimezone(UTC))
    queue(box, alert("alr-1"), alert("alr-2"), alert("alr-3", severity=Severity.CRITICAL))
    queue(box, alert("alr-2", 2, AlertState.WITHDRAWN), alert("alr-1", 2, AlertState.UPDATED))
    for _ in range(3):
        sender.step()
    assert script.sent == ["alr-3:1"]
    local[0] += timedelta(hours=6, minutes=30)
    for _ in range(3):
        sender.step()
    assert script.sent == ["alr-3:1", "alr-1:2"]


def rendered(event: AlertRaised, one: Channel) -> AlertMessage:
    return message_of(event, one, None, None, TAXA)


def test_events_that_come_meanwhile_are_one_message(box: Outbox) -> None:
    clock, script = Clock(), Script(None)
    sender = runner(box, script, channel(rate=Rate(1, 60)), clock)
    queue(box, alert(revision=1))
    sender.step()
    for revision in range(2, 8):
        queue(box, alert(revision=revision, state=AlertState.UPDATED))
        run(sender, clock, 5)
    run(sender, clock, 60)
    assert script.sent == ["alr-1:1", "alr-1:7"]


def test_a_rate_is_kept() -> None:
    limit = RateLimit(Rate(2, 60))
    for now in (0.0, 10.0):
        assert limit.wait_s(now) == 0
        limit.sent(now)
    assert limit.wait_s(20.0) == 40
    assert limit.wait_s(60.0) == 0


def test_delays_double_up_to_their_cap_and_begin_anew_after_a_success() -> None:
    schedule = RetrySchedule(Backoff(first_s=1, max_s=8))
    for number in range(1, 9):
        schedule.failed("alr-1", number, busy(), now=0)
        assert min(8, 2 ** (number - 1)) / 2 <= schedule.wait_s(0) <= min(8, 2 ** (number - 1))
    schedule.succeeded()
    assert schedule.wait_s(0) == 0
    assert schedule.waiting(0) == {"alr-1"}
    assert schedule.waiting(9) == set()


def test_a_channel_that_hangs_delays_no_other(box: Outbox, tmp_path: Path) -> None:
    with receiving(Answer(hang=True)) as hanging, receiving() as working:
        senders = []
        for name, receiver in (("hangs", hanging), ("works", working)):
            one = channel(name, address=receiver.url, secret_file=secret_file(tmp_path), timeout_s=60)
            queue(box, *(alert(f"alr-{number}") for number in range(20)), channel=name)
            senders.append(
                ChannelSender(one, WebhookSender(one), box, lambda e, its: message_of(e, its, None, None, TAXA))
            )
        for sender in senders:
            sender.start()
        wait_until(lambda: box.counts()["works"].delivered == 20, limit_s=10)
        assert box.counts()["hangs"].delivered == 0
        for sender in senders:
            sender.stop()
        hanging.ended.set()
        assert all(sender.join(60) for sender in senders)
    assert len(working.requests) == 20


def test_a_mistake_in_one_message_ends_no_thread(box: Outbox) -> None:
    seen = threading.Event()

    class Broken(Script):
        def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
            if message.alert_id == "alr-1":
                raise ValueError("a mistake of the program")
            seen.set()
            return None

    sender = runner(box, Broken(), channel(), Clock())
    queue(box, alert("alr-1"), alert("alr-2"))
    sender.start()
    try:
        assert seen.wait(60)
    finally:
        sender.stop()
        assert sender.join(60)
