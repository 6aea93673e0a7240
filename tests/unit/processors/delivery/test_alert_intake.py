"""From the log into the outbox: what mutes, removed channels, unreadable events and a log that begins again change."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.delivery.examples import MOMENT, alert, channel
from uncia.errors import DependencyDown
from uncia.events import AlertAction, AlertHandled, AlertRaised, AlertState
from uncia.kafka.broker import Message
from uncia.processors.delivery.alert_intake import AlertIntake
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.mutes import Mutes
from uncia.processors.delivery.outbox import Outbox, PartitionOffset, Retried
from uncia.processors.delivery.outbox_queue import Pick

PLACE = ("camera.alert.raised.v1", 0)
RAISED, UPDATED, WITHDRAWN = AlertState
START = MOMENT.timestamp()
HOUR = 3600.0


def handled(action: AlertAction, at_s: float, hours: float | None = None, **names: str) -> AlertHandled:
    """A mute of the rule of the examples, `at_s` seconds after their time; `hours`: how long."""
    at = MOMENT + timedelta(seconds=at_s)
    return AlertHandled(
        handling_id=f"hdl-{action}-{at_s}",
        action=action,
        until=None if hours is None else at + timedelta(hours=hours),
        by="ana",
        at=at,
        **(names or {"rule": "snow leopard at night"}),
    )


class Log:
    """One partition whose messages are stored one by one."""

    def __init__(self, box: Outbox, *channels: Channel) -> None:
        self.mutes = Mutes()
        self.box, self.intake = box, AlertIntake(box, self.mutes)
        self.channels = {one.name: one for one in channels}
        self.offsets = {PLACE: PartitionOffset("id", 0)}

    def add(self, event: AlertRaised | bytes, at_s: float = 0) -> None:
        value = event if isinstance(event, bytes) else event.to_bytes()
        place = self.offsets[PLACE]
        message = Message(PLACE[0], 0, place.next_offset, int(1000 * (START + at_s)), b"key", value, [])
        self.offsets |= self.intake.queue([message], self.offsets, self.channels)[0]

    def without(self, name: str) -> None:
        del self.channels[name]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


def sent(box: Outbox, name: str = "one", **options: Any) -> list[tuple[int, AlertState]]:
    """Deliver all that waits for a channel."""
    found = []
    while pick := box.take(name, **options):
        found.append((pick.alert.revision, pick.alert.state))
        box.delivered(name, pick, None)
    return found


def take(box: Outbox, name: str = "one") -> Pick:
    pick = box.take(name)
    assert pick is not None
    return pick


# Mutes


def test_what_is_raised_while_it_is_muted_is_held_back_and_counted(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.mutes.apply(handled(AlertAction.MUTED, 0, hours=1))
    log.add(alert(), at_s=60)
    assert sent(box) == []
    assert (box.counts()["one"].muted, box.counts()["one"].dead) == (1, 0)


def test_after_the_mute_the_next_revision_is_the_first_message(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.mutes.apply(handled(AlertAction.MUTED, 0, hours=1))
    log.add(alert(), at_s=60)
    log.add(alert(revision=2, state=UPDATED), at_s=HOUR + 1)
    assert not take(box).reached
    assert sent(box) == [(2, UPDATED)]


def test_after_the_mute_a_channel_of_raised_alerts_alone_gets_the_next_revision_once(box: Outbox) -> None:
    log = Log(box, channel(default=True, states=frozenset({RAISED})))
    log.mutes.apply(handled(AlertAction.MUTED, 0, hours=1))
    log.add(alert(), at_s=60)
    for revision in (2, 3):
        log.add(alert(revision=revision, state=UPDATED), at_s=HOUR + revision)
        assert sent(box) == ([(2, UPDATED)] if revision == 2 else [])


def test_a_withdrawal_of_what_was_delivered_before_passes_a_mute(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.add(alert())
    assert sent(box) == [(1, RAISED)]
    log.mutes.apply(handled(AlertAction.MUTED, 10, hours=1))
    log.add(alert(revision=2, state=UPDATED), at_s=60)
    assert sent(box) == []
    log.add(alert(revision=3, state=WITHDRAWN), at_s=61)
    assert sent(box) == [(3, WITHDRAWN)]


def test_a_withdrawal_of_what_was_held_back_is_not_sent(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.mutes.apply(handled(AlertAction.MUTED, 0, hours=1))
    log.add(alert(), at_s=60)
    log.add(alert(revision=2, state=WITHDRAWN), at_s=61)
    assert sent(box) == []
    assert box.counts()["one"].pending == 0


def test_what_was_held_back_stays_so_when_the_log_is_read_twice(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.mutes.apply(handled(AlertAction.MUTED, 0, hours=1))
    log.add(alert(), at_s=60)
    log.mutes.clear()
    log.add(alert(), at_s=60)
    assert sent(box) == []


def test_a_dead_letter_can_be_retried_although_its_later_revision_was_held_back(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.add(alert())
    box.give_up("one", take(box), "HTTP 404")
    log.mutes.apply(handled(AlertAction.MUTED, 10, hours=1))
    log.add(alert(revision=2, state=UPDATED), at_s=60)
    assert box.retry("one") == Retried(1, 0)


# Events of a newer version


def newer(revision: int = 1, **changes: Any) -> bytes:
    """An event with a severity that this version does not know."""
    body = json.loads(alert(revision=revision, channels=("one",)).to_bytes())
    return json.dumps({**body, "severity": "emergency", **changes}).encode()


def test_an_event_of_a_newer_version_is_a_dead_letter_of_the_channels_that_it_names(box: Outbox) -> None:
    log = Log(box, channel("one"), channel("two", default=True))
    log.add(newer())
    (letter,) = box.dead_letters()
    assert (letter.channel, letter.alert_id, letter.revision, letter.alert) == ("one", "alr-1", 1, None)
    assert "this version of Uncia cannot read the event" in letter.reason and "severity" in letter.reason
    assert box.take("one") is None
    assert box.retry("one") == Retried(0, 1)


def test_a_newer_major_version_is_a_dead_letter_too(box: Outbox) -> None:
    log = Log(box, channel("one"))
    log.add(newer(event="camera.alert.raised.v2"))
    assert [one.alert_id for one in box.dead_letters("one")] == ["alr-1"]


def test_bytes_that_are_no_event_are_a_dead_letter_of_the_default_channels_by_their_place(box: Outbox) -> None:
    log = Log(box, channel("one"), channel("two", default=True))
    log.add(b"\xff{")
    (letter,) = box.dead_letters()
    assert (letter.channel, letter.alert_id) == ("two", "camera.alert.raised.v1/0@0")


def test_after_an_update_of_uncia_such_a_dead_letter_is_sent(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(box, channel("one"))
    log.add(newer())
    read = AlertRaised.from_bytes

    def of_the_newer_version(raw: bytes | None) -> AlertRaised:
        return read((raw or b"").replace(b'"emergency"', b'"critical"'))

    monkeypatch.setattr(AlertRaised, "from_bytes", of_the_newer_version)
    assert box.retry("one") == Retried(1, 0)
    assert sent(box) == [(1, RAISED)]


def test_a_channel_that_has_the_alert_gets_the_next_revision_that_can_be_read(box: Outbox) -> None:
    log = Log(box, channel("one"))
    log.add(alert(channels=("one",)))
    assert sent(box) == [(1, RAISED)]
    log.add(newer(revision=2))
    log.add(alert(revision=3, state=WITHDRAWN))
    assert sent(box) == [(3, WITHDRAWN)]
    assert [one.revision for one in box.dead_letters("one")] == [2]


# A channel that is removed, and added again


def test_a_channel_that_was_away_gets_the_withdrawal_of_what_it_delivered(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    log.add(alert())
    assert sent(box) == [(1, RAISED)]
    log.without("one")
    log.add(alert(revision=2, state=WITHDRAWN))
    assert sent(box) == [(2, WITHDRAWN)]


def test_a_channel_that_was_away_gets_what_is_true_at_its_return(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    log.add(alert())
    assert sent(box) == [(1, RAISED)]
    log.without("one")
    log.add(alert(revision=2, state=WITHDRAWN))
    log.add(alert(revision=3, state=UPDATED))
    assert sent(box) == [(3, UPDATED)]


def test_a_channel_that_was_away_gets_no_state_that_it_does_not_want(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    log.add(alert())
    assert sent(box) == [(1, RAISED)]
    log.without("one")
    log.add(alert(revision=2, state=UPDATED))
    assert sent(box, states={RAISED, WITHDRAWN}) == []
    assert box.counts()["one"].pending == 0


def test_a_channel_that_is_away_gets_no_new_alert(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    log.without("one")
    log.add(alert())
    log.add(newer())
    assert "one" not in box.counts()


# A log that begins again


def begins_again(log: Log, end: int) -> None:
    """The log lost its newest messages: it is read again, and all up to 100 s after the start was read before."""
    log.offsets = {PLACE: replace(PartitionOffset("id", 0), again_end=end, again_before=START + 100)}


def test_old_alerts_are_not_sent_when_the_log_begins_again_although_a_channel_never_had_them(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    begins_again(log, end=2)
    log.add(alert("before"), at_s=50)
    assert sent(box) == []
    # Stored again after the loss, and one that was never read.
    log.add(alert("lost"), at_s=200)
    assert sent(box) == [(1, RAISED)]


def test_what_a_channel_has_is_changed_when_the_log_begins_again(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    log.add(alert())
    assert sent(box) == [(1, RAISED)]
    begins_again(log, end=2)
    log.add(alert(), at_s=10)
    log.add(alert(revision=2, state=WITHDRAWN), at_s=20)
    assert sent(box) == [(2, WITHDRAWN)]


def test_a_wrong_clock_makes_nothing_old_that_is_stored_after_the_log_began_again(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    begins_again(log, end=0)
    log.add(alert(), at_s=-1_000_000)
    assert sent(box) == [(1, RAISED)]


def test_messages_that_come_twice_are_noticed(box: Outbox) -> None:
    log = Log(box, channel("one", default=True))
    log.add(alert())
    message = Message(PLACE[0], 0, 0, 0, b"key", alert("alr-2").to_bytes(), [])
    with pytest.raises(DependencyDown, match="recreated"):
        log.intake.queue([message], log.offsets, log.channels)


@pytest.mark.parametrize("states", [{RAISED}, {RAISED, WITHDRAWN}], ids=["raised", "raised and withdrawn"])
def test_an_alert_that_was_withdrawn_before_it_was_sent_is_sent_when_it_matches_again(
    box: Outbox, states: set[AlertState]
) -> None:
    log = Log(box, channel(default=True, states=frozenset(states)))
    log.add(alert())
    log.add(alert(revision=2, state=WITHDRAWN), 1)
    log.add(alert(revision=3, state=UPDATED), 2)
    assert sent(box) == [(3, UPDATED)]


def test_an_id_that_no_database_can_store_is_replaced_by_the_place(box: Outbox) -> None:
    log = Log(box, channel(default=True))
    log.add(b'{"event":"camera.alert.raised.v1","alert_id":"\\ud800","revision":1}')
    assert [one.alert_id for one in box.dead_letters("one")] == ["camera.alert.raised.v1/0@0"]
