"""Rules about cameras from which nothing comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.alerts.builders import NOW, TAXONOMY, burst
from uncia.camtrap.deployments import Deployments
from uncia.events import AlertCause, AlertRaised, AlertState, DeploymentChanged
from uncia.processors.alerts.contact_order import ContactOrder
from uncia.processors.alerts.grouping import KEPT, CameraAlerts, apply
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule
from uncia.processors.alerts.silence import STEP, hear, judge, replay_silence, step_of
from uncia.processors.alerts.state_store import from_bytes, to_bytes
from uncia.processors.alerts.tracker import AlertTracker

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULE = Rule("silent", silent=True, silent_for=3 * DAY)
CAMERA = "ridge/north"


def deployment(**values: Any) -> DeploymentChanged:
    whole = {"deployment_id": "d1", "camera": CAMERA, "start": NOW - 30 * DAY, "utc_offset_minutes": 0}
    return DeploymentChanged.model_validate({**whole, "latitude": 1, "longitude": 1, **values})


def ticks(state: CameraAlerts, begin: datetime, until: datetime, rule: Rule = RULE, **values: Any) -> list[AlertRaised]:
    found: list[AlertRaised] = []
    now, placed = begin, deployment(**values)
    while now <= until:
        found += judge(state, CAMERA, placed if placed.covers(now) else None, (rule,), now) or ()
        now += HOUR
    return found


def heard(at: datetime = NOW) -> CameraAlerts:
    state = CameraAlerts()
    assert hear(state, at) == []
    return state


def test_a_silence_raises_one_alert_however_long_it_lasts() -> None:
    (alert,) = ticks(heard(), NOW, NOW + 20 * DAY)
    assert (alert.state, alert.cause, alert.bursts) == (AlertState.RAISED, AlertCause.SILENCE, ())
    assert alert.raised_at == NOW + 3 * DAY + STEP
    assert alert.summary == "nothing from ridge/north since 2026-05-01 21:30 UTC"


def test_a_contact_withdraws_the_alert() -> None:
    state = heard()
    ticks(state, NOW, NOW + 4 * DAY)
    (alert,) = hear(state, NOW + 4 * DAY) or []
    assert (alert.state, alert.revision) == (AlertState.WITHDRAWN, 2)
    assert alert.summary == "withdrawn: ridge/north heard again after a silence since 2026-05-01 21:30 UTC"


def test_a_camera_that_is_heard_in_time_raises_nothing() -> None:
    state = heard()
    for day in range(10):
        assert not ticks(state, NOW + day * DAY, NOW + (day + 1) * DAY)
        hear(state, NOW + (day + 1) * DAY)


def test_the_contact_interval_of_the_deployment_is_the_default() -> None:
    rule = Rule("silent", silent=True)
    assert not ticks(heard(), NOW, NOW + 20 * DAY, rule)
    assert ticks(heard(), NOW, NOW + DAY, rule, contact_interval_s=3600.0)[0].raised_at == NOW + HOUR + STEP


def test_a_camera_without_a_deployment_is_not_expected() -> None:
    assert not ticks(heard(), NOW, NOW + 20 * DAY, end=NOW + DAY)


def test_the_time_of_a_new_deployment_begins_with_it() -> None:
    start = NOW + 10 * DAY
    (alert,) = ticks(heard(), NOW, NOW + 20 * DAY, start=start)
    assert alert.raised_at == start + 3 * DAY + STEP


def test_the_end_of_a_deployment_withdraws_the_alert() -> None:
    raised, withdrawn = ticks(heard(), NOW, NOW + 10 * DAY, end=NOW + 5 * DAY)
    assert withdrawn.summary == "withdrawn: ridge/north no longer expected to report"
    assert (raised.alert_id, withdrawn.state) == (withdrawn.alert_id, AlertState.WITHDRAWN)


def test_a_camera_that_was_never_heard_is_silent_from_the_first_tick_on() -> None:
    (alert,) = ticks(CameraAlerts(), NOW, NOW + 10 * DAY)
    assert alert.raised_at == NOW + 3 * DAY + STEP


def test_a_second_silence_within_the_cooldown_updates_the_alert() -> None:
    rule = Rule("silent", silent=True, silent_for=DAY, cooldown=30 * DAY)
    state = heard()
    events = ticks(state, NOW, NOW + 2 * DAY, rule)
    events += hear(state, NOW + 2 * DAY) or ()
    events += ticks(state, NOW + 2 * DAY, NOW + 9 * DAY, rule)
    assert [one.state.value for one in events] == ["raised", "withdrawn", "updated"]
    assert len({one.alert_id for one in events}) == 1


def test_a_silence_that_lasts_is_not_forgotten_when_other_alerts_are() -> None:
    state = heard()
    (alert,) = ticks(state, NOW, NOW + 4 * DAY)
    apply(state, burst(), RuleIndex((RULE,), TAXONOMY), NOW + 2 * KEPT)
    assert list(state.alerts) == [alert.alert_id]


def test_a_rule_about_silence_matches_no_burst() -> None:
    assert not apply(CameraAlerts(), burst(), RuleIndex((RULE,), TAXONOMY), NOW)


def test_an_older_contact_changes_nothing() -> None:
    assert hear(heard(), NOW - DAY) is None
    assert hear(heard(), NOW) is None


def test_a_capture_time_has_no_effect_on_silence() -> None:
    tracker = AlertTracker({}, RuleIndex((RULE,), TAXONOMY))
    ahead = datetime(2099, 1, 1)
    tracker.hear(CAMERA, NOW.timestamp())
    tracker.add(burst(started_at=ahead, ended_at=ahead), 0, NOW.timestamp())
    tracker.tick(CAMERA, deployment(), NOW + 4 * DAY)
    (alert,) = tracker.take_updates()[CAMERA].events
    assert alert.raised_at == NOW + 3 * DAY + STEP


def test_a_silence_that_a_crash_left_unsent_is_published_before_the_contact_that_ends_it() -> None:
    states: dict[bytes, bytes] = {}
    tracker = AlertTracker(states, RuleIndex((RULE,), TAXONOMY))
    tracker.hear(CAMERA, NOW.timestamp())
    tracker.tick(CAMERA, deployment(), NOW + 4 * DAY)
    states[CAMERA.encode()] = tracker.take_updates()[CAMERA].outbox
    # The worker is killed, and the contact is read before the tick.
    tracker = AlertTracker(states, RuleIndex((RULE,), TAXONOMY))
    tracker.hear(CAMERA, (NOW + 4 * DAY + HOUR).timestamp())
    update = tracker.take_updates()[CAMERA]
    assert [(one.revision, one.state) for one in update.events] == [(1, AlertState.RAISED), (2, AlertState.WITHDRAWN)]
    assert update.state is not None
    states[CAMERA.encode()] = update.state
    tracker.restart()
    tracker.tick(CAMERA, deployment(), NOW + 4 * DAY + HOUR)
    assert not tracker.take_updates()


def test_a_tick_waits_for_the_contacts_that_were_written_before_it() -> None:
    order = ContactOrder()
    order.read.update(predicted=5, reports=0)
    assert order.receive(NOW, {"predicted": 7, "reports": 1}) is None
    assert order.complete("predicted", 6) is None
    assert order.receive(NOW + DAY, {"predicted": 7, "reports": 1}) is None
    assert order.complete("reports", 0) == NOW
    assert order.receive(NOW - DAY, {"predicted": 7}) is None
    assert order.receive(NOW + DAY, {"predicted": 7}) == NOW + DAY


def test_ticks_in_quick_succession_are_not_used() -> None:
    order = ContactOrder()
    assert order.wants(NOW, HOUR)
    assert order.receive(NOW, {}) == NOW
    assert not order.wants(NOW + HOUR / 2, HOUR)
    assert order.wants(NOW + HOUR, HOUR)
    order.receive(NOW + HOUR, {"predicted": 1})
    assert not order.wants(NOW + 3 * HOUR, HOUR), "one waits"


def test_the_past_shows_silences_that_ended() -> None:
    deployments = Deployments()
    deployments.apply(deployment().message_key, deployment().to_bytes())
    contacts = [NOW, NOW + 5 * DAY, NOW + 6 * DAY]
    events = list(
        replay_silence(CAMERA, contacts, deployments, RuleIndex((RULE,), TAXONOMY), NOW - DAY, NOW + 20 * DAY)
    )
    assert [one.state.value for one in events] == ["raised", "withdrawn", "raised"]
    assert events[-1].raised_at == NOW + 9 * DAY + STEP


CONTACTS = st.lists(st.integers(1, 30 * 24), unique=True, max_size=12).map(sorted)


def simulate(contacts: list[int], every: int, restart: int = -1, repeat: int = 0) -> dict[str, AlertRaised]:
    """The newest events, with ticks every so many hours, and a restart that reads contacts again."""
    state, newest = heard(), dict[str, AlertRaised]()
    for hour in range(1, 40 * 24):
        found: list[AlertRaised] = []
        if hour in contacts:
            found += hear(state, NOW + hour * HOUR) or ()
        if hour % every == 0:
            found += judge(state, CAMERA, deployment(), (RULE,), NOW + hour * HOUR) or ()
        if hour == restart:
            state = from_bytes(CAMERA, to_bytes(state))
            for again in [one for one in contacts if one <= hour][-repeat:]:
                assert hear(state, NOW + again * HOUR) is None
        for alert in found:
            assert alert.revision == getattr(newest.get(alert.alert_id), "revision", 0) + 1
            newest[alert.alert_id] = alert
    return newest


@given(CONTACTS, st.integers(1, 900), st.integers(0, 5))
def test_there_is_one_alert_for_each_gap_that_is_too_long(contacts: list[int], restart: int, repeat: int) -> None:
    found = simulate(contacts, 1, restart, repeat)
    edges = [0, *contacts]
    limit = timedelta(days=3) + STEP
    # The last tick before a contact is an hour before it.
    last = [*(hour - 1 for hour in contacts), 40 * 24 - 1]
    gaps = [at for at, end in zip(edges, last, strict=True) if (end - at) * HOUR > limit]
    assert sorted(one.raised_at for one in found.values()) == [NOW + at * HOUR + limit for at in gaps]
    assert sum(one.state is not AlertState.WITHDRAWN for one in found.values()) == (edges[-1] in gaps)


@given(CONTACTS, st.integers(2, 48))
def test_the_times_of_alerts_do_not_depend_on_the_ticks(contacts: list[int], every: int) -> None:
    often, seldom = simulate(contacts, 1), simulate(contacts, every)
    assert seldom.keys() <= often.keys()
    assert all(alert == often[name] for name, alert in seldom.items())


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_a_step_begins_at_most_its_length_before(moment: datetime) -> None:
    at = moment.replace(tzinfo=UTC)
    assert timedelta(0) <= at - step_of(at) < STEP
