"""`alerts` and `redact` are killed under load: no alert and no public event is lost or becomes two."""

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.recovery.delivery_stack import kill
from tests.recovery.verdict_load import TAXA, EncounterLoad, PublicLoad
from tests.recovery.verdict_stack import RULES, SILENT, SILENT_FOR_S, Messages, report_status, verdict_stack
from tests.waiting import wait_until
from uncia.events import AlertCause, AlertRaised, AlertState, BurstResolved, ClockTicked, PublicBurstResolved
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import send_to_cameras
from uncia.kafka.partitioning import partition_of
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.rule_file import parse_rules
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.silence import STEP, step_of
from uncia.topics import BURST_RESOLVED, CLOCK_TICKED

pytestmark = [pytest.mark.recovery, pytest.mark.timeout(1800)]

KILLS, BURSTS_PER_KILL, ENCOUNTERS_PER_S = 5, 100, 50
INDEX = RuleIndex(parse_rules(RULES, "rules", TAXA.taxonomy).rules, TAXA.taxonomy)


@dataclass
class Killed:
    """What both workers made of a log of verdicts, while they were killed several times."""

    stack: Stack
    messages: Messages
    load: PublicLoad


@pytest.fixture(scope="module")
def killed() -> Iterator[Killed]:
    """Verdicts that were published continuously, while both workers were killed `KILLS` times at work."""
    with verdict_stack() as stack, Messages(stack.admin_settings()).reading() as messages:
        settings, load = stack.admin_settings(), PublicLoad(seed=1)

        def publish(bursts: list[BurstResolved]) -> None:
            sent = [(one.camera, one.burst_id.encode(), one.to_bytes()) for one in bursts]
            send_to_cameras(settings, BURST_RESOLVED, sent)

        encounters = EncounterLoad(seed=1)
        with encounters.publishing(settings, ENCOUNTERS_PER_S):
            for _ in range(KILLS):
                alerts, public = len(messages.alerts), len(messages.public)
                bursts = load.first(BURSTS_PER_KILL)
                publish(bursts)
                wait_until(lambda alerts=alerts: len(messages.alerts) > alerts, 60, "alerts")  # type: ignore[misc]
                wait_until(lambda public=public: len(messages.public) > public + 9, 60, "public events")  # type: ignore[misc]
                assert kill(stack, "redact")
                assert kill(stack, "alerts")
                # Before the workers are back: on what was just published as well as on what waits.
                names = list(load.newest)[-5 * BURSTS_PER_KILL // 4 : -BURSTS_PER_KILL // 4]
                publish(load.changed(names))
        sent = encounters.verdicts + sum(map(len, load.seen.values()))
        wait_until(lambda: len(messages.verdicts) == sent, 30, "the verdicts themselves")
        yield Killed(stack, messages, load)


@functools.cache
def decoded(value: bytes | None) -> AlertRaised:
    """An alert. The tests decode thousands in each round of a wait, and must not delay the thread that reads them."""
    return AlertRaised.from_bytes(value)


@functools.cache
def decoded_event(value: bytes | None) -> PublicBurstResolved | None:
    """A public event; None: a tombstone."""
    return PublicBurstResolved.from_bytes(value) if value else None


def alerts_of(messages: Messages) -> list[AlertRaised]:
    """The alerts on bursts that were published, in their order."""
    found = [decoded(message.value) for message in list(messages.alerts)]
    return [alert for alert in found if alert.cause is not AlertCause.SILENCE]


def alerts_by_the_log(messages: Messages) -> list[AlertRaised]:
    """The alerts that follow from the log of verdicts alone."""
    states: dict[str, CameraAlerts] = {}
    found: list[AlertRaised] = []
    for message in list(messages.verdicts):
        burst = BurstResolved.from_bytes(message.value)
        logged_at = datetime.fromtimestamp(message.timestamp_ms / 1000, UTC)
        found += apply(states.setdefault(burst.camera, CameraAlerts()), burst, INDEX, logged_at)
    return found


def test_kills_lose_no_alert_and_give_none_another_id_or_content(killed: Killed) -> None:
    wanted = {(alert.alert_id, alert.revision): alert for alert in alerts_by_the_log(killed.messages)}

    def published() -> list[tuple[str, int]]:
        return [(alert.alert_id, alert.revision) for alert in alerts_of(killed.messages)]

    with contextlib.suppress(AssertionError):  # the next line names them
        wait_until(lambda: wanted.keys() <= set(published()), 60)
    assert wanted.keys() ^ set(published()) == set()
    # A repetition is the same message.
    assert [one for one in alerts_of(killed.messages) if one != wanted[one.alert_id, one.revision]] == []
    assert len(wanted) > 1000
    states = Counter(one.state for one in wanted.values())
    assert min(states[state] for state in AlertState) > 100
    # In the order of each alert, but for what a kill repeats: no revision is skipped.
    newest: dict[str, int] = {}
    for name, revision in published():
        assert revision <= newest.get(name, 0) + 1
        newest[name] = max(revision, newest.get(name, 0))


def test_kills_publish_each_burst_under_one_id_and_withdraw_what_became_secret(killed: Killed) -> None:
    load, wanted, owners = killed.load, killed.load.wanted(), killed.load.owners()

    def history() -> dict[str, list[PublicBurstResolved | None]]:
        """What was published under each public id."""
        found: dict[str, list[PublicBurstResolved | None]] = {}
        for message in list(killed.messages.public):
            found.setdefault((message.key or b"").decode(), []).append(decoded_event(message.value))
        return found

    def differences() -> set[tuple[str, bytes]]:
        """What the public sees and is not to see, and what it is to see and does not; with the names of the bursts."""
        last = [events[-1].model_copy(update={"public_id": ""}) for events in history().values() if events[-1]]
        shown = {(owners[event.period, event.taxon], event.to_bytes()) for event in last}
        return shown ^ {(name, event.to_bytes()) for name, event in wanted.items()}

    with contextlib.suppress(AssertionError):  # the next line names them
        wait_until(lambda: not differences(), 60)
    assert differences() == set()
    ids: dict[str, set[str]] = {}
    for public_id, events in history().items():
        if not any(events):
            continue  # the worker was killed before it sent what it withdrew later
        (name,) = {owners[event.period, event.taxon] for event in events if event}
        ids.setdefault(name, set()).add(public_id)
        # Nothing that a verdict did not make public.
        assert {event.model_copy(update={"public_id": ""}) for event in events if event} <= set(load.seen[name])
    assert all(len(own) == 1 for own in ids.values())
    assert wanted.keys() <= ids.keys()
    assert len(wanted) > 150
    withdrawn = [events for events in history().values() if events[-1] is None]
    assert len(withdrawn) > 10
    repeated = sum(before == after for events in history().values() for before, after in pairwise(events))
    assert repeated <= KILLS


def test_a_silent_camera_raises_an_alert_that_a_contact_ends_after_a_kill(killed: Killed) -> None:
    settings, heard = killed.stack.admin_settings(), step_of(datetime.now(UTC) - timedelta(seconds=SILENT_FOR_S))

    def alerts() -> list[AlertRaised]:
        found = [decoded(message.value) for message in list(killed.messages.alerts)]
        return [alert for alert in found if alert.camera == SILENT]

    def ticked() -> bool:
        # As the worker's own timer does, once a minute.
        tick = ClockTicked(partition=partition_of(SILENT, settings.partitions), now=datetime.now(UTC), position=0)
        send_to_cameras(settings, CLOCK_TICKED, [(SILENT, b"", tick.to_bytes())])
        return bool(alerts())

    wait_until(ticked, 60, "an alert about the silent camera")
    raised = alerts()[-1]
    assert (raised.rule, raised.cause, raised.state) == ("silent", AlertCause.SILENCE, AlertState.RAISED)
    assert heard - 2 * STEP <= raised.raised_at - timedelta(hours=1) - STEP <= heard
    assert kill(killed.stack, "alerts")
    report_status(settings, SILENT, time.time())
    wait_until(lambda: len(set(alerts())) == 2, 60, "the end of the silence")
    ended = alerts()[-1]
    assert (ended.alert_id, ended.revision, ended.state) == (raised.alert_id, 2, AlertState.WITHDRAWN)
    # The next tick after it changes nothing.
    ticked()
    assert len(set(alerts())) == 2
