"""The loop of one channel: take a message from the outbox, send it, mark it; wait after a failure."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from uncia.backoff import Backoff
from uncia.events import AlertRaised
from uncia.processors.delivery.channels import Channel, Rate
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.loop_failures import described, write_until_stored
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.outbox import Outbox
from uncia.processors.delivery.outbox_queue import Pick
from uncia.processors.delivery.sender_loop import BACKOFF, IDLE_S, SenderLoop
from uncia.processors.delivery.senders import Sender

__all__ = ["ChannelSender", "RateLimit", "RetrySchedule"]

_WAITS = (
    "The messages of this channel wait, and are tried again at least every 15 minutes: mend the cause, nothing must be "
    "restarted"
)

log = structlog.get_logger("uncia")


class RetrySchedule:
    """When the next attempt may be made: of a channel, and of each alert. Pure; times are those of a steady clock.

    Nothing of it is stored, and no calendar time is used: after a restart everything may be tried at once, and a clock
    that jumps by a year delays nothing.
    """

    def __init__(self, backoff: Backoff = BACKOFF) -> None:
        self._backoff = backoff
        self._failures = 0
        self._channel_from = float("-inf")
        self._alert_from: dict[str, float] = {}

    def wait_s(self, now: float) -> float:
        """Seconds until the channel may be used."""
        return max(0.0, self._channel_from - now)

    def waiting(self, now: float) -> set[str]:
        """The alerts that are not tried yet."""
        for alert_id in [alert_id for alert_id, moment in self._alert_from.items() if moment <= now]:
            del self._alert_from[alert_id]
        return set(self._alert_from)

    def next_alert_s(self, now: float) -> float:
        """Seconds until the first of these may be tried; infinite without one."""
        return max(0.0, min(self._alert_from.values(), default=float("inf")) - now)

    def succeeded(self) -> None:
        """Note that the channel works."""
        self._failures = 0
        self._channel_from = float("-inf")

    def failed(self, alert_id: str, attempts: int, failure: SendFailed, now: float) -> None:
        """Note a failed attempt; `attempts`: of this message, this one included."""
        wanted_s = failure.retry_after_s or 0.0
        self._alert_from[alert_id] = now + max(wanted_s, self._backoff.delay_s(attempts))
        if failure.busy:
            self._failures += 1
            self._channel_from = now + max(wanted_s, self._backoff.delay_s(self._failures))


class RateLimit:
    """At most so many messages in any period. Pure. A restart forgets what was sent before it."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._sent: deque[float] = deque()

    def wait_s(self, now: float) -> float:
        """Seconds until a message may be sent."""
        if self._rate is None or len(self._sent) < self._rate.messages:
            return 0.0
        return max(0.0, self._sent[0] + self._rate.seconds - now)

    def sent(self, now: float) -> None:
        """Note an attempt."""
        if self._rate is not None:
            self._sent.append(now)
            while len(self._sent) > self._rate.messages:
                self._sent.popleft()


class ChannelSender(SenderLoop):
    """A thread that sends the messages of one channel. What it waits for delays no other channel."""

    def __init__(
        self,
        channel: Channel,
        sender: Sender,
        outbox: Outbox,
        render: Callable[[AlertRaised, Channel], AlertMessage],
        clock: Callable[[], float] = time.monotonic,
        calendar: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(channel, "channel")
        self._sender, self._outbox, self._render, self._clock = sender, outbox, render, clock
        self._calendar = calendar
        self._schedule, self._rate = RetrySchedule(), RateLimit(channel.rate)
        # Of a channel whose key is refused, or that an operator must mend otherwise: the alerts that were tried in this
        # turn, those of earlier turns although others were delivered since, and whether it is in the log.
        self._refused: set[str] = set()
        self._suspects: set[str] = set()
        self._needs_operator = False

    def step(self) -> float:
        """Send one message if one is due. Returns the seconds until the next one may be, 0 for now."""
        now = self._clock()
        if (wait_s := max(self._schedule.wait_s(now), self._rate.wait_s(now))) > 0:
            return wait_s
        pick = self._take(self._schedule.waiting(now))
        if pick is None:
            return min(IDLE_S, self._schedule.next_alert_s(now))
        self._rate.sent(now)
        self._deliver(pick)
        return 0.0

    def _take(self, waiting: set[str]) -> Pick | None:
        quiet, states = self.channel.quiet, self.channel.states
        least = quiet.least_rank(self._calendar()) if quiet is not None else 0

        def take(without: set[str]) -> Pick | None:
            return self._outbox.take(self.channel.name, without, states=states, least_rank=least)

        # In turn: a receiver may refuse some alerts as it refuses a wrong key, and take the others.
        if (pick := take(waiting | self._refused)) or not self._refused:
            return pick
        self._refused.clear()
        return take(waiting)

    def _deliver(self, pick: Pick) -> None:
        name, alert = self.channel.name, pick.alert
        fields = {"channel": name, "alert_id": alert.alert_id, "revision": alert.revision}
        try:
            remote_id = self._sender.send(self._render(alert, self.channel), pick.remote_id, pick.reached)
        except RefusedForGood as refusal:
            reason = refusal.reason
            log.error("alert_undeliverable", **fields, reason=reason)
            self._store(lambda: self._outbox.give_up(name, pick, reason))
        except SendFailed as failure:
            self._failed(pick, failure, fields)
        except Exception as error:
            # A mistake of this program about one message must not end the deliveries of all others.
            self._failed(pick, SendFailed(described(error), may_have_arrived=True, busy=False), fields)
        else:
            log.info("alert_delivered", **fields, state=alert.state, attempts=pick.attempts + 1)
            self._schedule.succeeded()
            self._suspects = (self._suspects | self._refused) - {alert.alert_id}
            self._refused.clear()
            self._needs_operator = False
            self._store(lambda: self._outbox.delivered(name, pick, remote_id, picture=self.channel.picture))

    def _failed(self, pick: Pick, failure: SendFailed, fields: dict[str, object]) -> None:
        attempts = pick.attempts + 1
        if failure.needs_operator and pick.alert.alert_id in self._suspects:
            # Others were delivered meanwhile: it is refused for what it is.
            failure = SendFailed(failure.reason, may_have_arrived=failure.may_have_arrived, busy=False)
        self._schedule.failed(pick.alert.alert_id, attempts, failure, self._clock())
        if failure.needs_operator:
            self._refused.add(pick.alert.alert_id)
            if not self._needs_operator:
                self._needs_operator = True
                log.error("channel_needs_operator", channel=self.channel.name, reason=f"{failure.reason}. {_WAITS}")
            self._note_failure(pick, failure, counted=False)
            return
        if (counted := attempts - pick.uncounted) >= self.channel.tries:
            reason = f"given up after {counted} tries, the last one: {failure.reason}"
            log.error("alert_undeliverable", **fields, reason=reason)
            self._suspects.discard(pick.alert.alert_id)
            arrived = failure.may_have_arrived
            self._store(lambda: self._outbox.give_up(self.channel.name, pick, reason, may_have_arrived=arrived))
            return
        log.warning("delivery_failed", **fields, attempts=attempts, reason=failure.reason)
        self._note_failure(pick, failure)

    def _note_failure(self, pick: Pick, failure: SendFailed, *, counted: bool = True) -> None:
        arrived = failure.may_have_arrived
        self._store(
            lambda: self._outbox.failed(
                self.channel.name, pick, failure.reason, may_have_arrived=arrived, counted=counted
            )
        )

    def _store(self, write: Callable[[], None]) -> None:
        write_until_stored(write, self.channel.name, self._stop)
