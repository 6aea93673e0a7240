"""Which alert a burst belongs to, and what is published."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.processors.alerts.builders import LEOPARD, NOW, burst, replayed, reviewed, rules
from uncia.events import AlertRaised, AlertState, BurstCategory, BurstResolved, BurstStatus, ReviewDecision
from uncia.processors.alerts.grouping import KEPT, MOST_ALERTS, MOST_BURSTS, CameraAlerts, apply
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule, match
from uncia.processors.alerts.state_store import from_bytes, to_bytes

RULE = Rule("leopard", taxa=(LEOPARD,))
INDEX = rules(RULE)


def run(*events: BurstResolved, index: RuleIndex = INDEX) -> list[AlertRaised]:
    state, found = CameraAlerts(), []
    for number, event in enumerate(events):
        found += apply(state, event, index, NOW + timedelta(seconds=number))
    return found


def states(events: list[AlertRaised]) -> list[tuple[int, str]]:
    return [(event.revision, event.state.value) for event in events]


def test_a_matching_burst_raises_an_alert() -> None:
    (alert,) = run(burst())
    assert (alert.state, alert.revision, alert.rule, alert.camera) == (AlertState.RAISED, 1, "leopard", "ridge/north")
    assert alert.summary == "snow leopard (Panthera uncia) at ridge/north, 2026-05-01 21:30"


def test_a_burst_that_does_not_match_raises_nothing() -> None:
    assert not run(burst(taxon="Canis lupus"))


def test_bursts_of_one_encounter_are_one_alert() -> None:
    alerts = run(burst("b1"), burst("b2", minute=20), burst("b3", minute=45))
    assert states(alerts) == [(1, "raised"), (2, "updated"), (3, "updated")]
    assert [one.burst_id for one in alerts[-1].bursts] == ["b1", "b2", "b3"]


def test_a_later_encounter_is_another_alert() -> None:
    alerts = run(burst("b1"), burst("b2", minute=45))
    assert len({alert.alert_id for alert in alerts}) == 2


def test_within_the_cooldown_every_burst_joins_the_alert() -> None:
    index = rules(Rule("leopard", taxa=(LEOPARD,), cooldown=timedelta(hours=6)))
    alerts = run(burst("b1"), burst("b2", minute=200), index=index)
    assert len({alert.alert_id for alert in alerts}) == 1


def test_an_alert_is_withdrawn_when_its_burst_no_longer_matches() -> None:
    alerts = run(burst(), burst(revision=2, review=reviewed(ReviewDecision.BLANK)))
    assert states(alerts) == [(1, "raised"), (2, "withdrawn")]
    assert alerts[-1].summary == "withdrawn: ridge/north, 2026-05-01 21:30: now a blank"


def test_a_withdrawn_alert_is_updated_when_its_burst_matches_again() -> None:
    blank = burst(revision=2, review=reviewed(ReviewDecision.BLANK))
    alerts = run(burst(), blank, burst(revision=3))
    assert states(alerts) == [(1, "raised"), (2, "withdrawn"), (3, "updated")]


def test_a_revision_that_shows_nothing_new_publishes_nothing() -> None:
    assert len(run(burst(), burst(revision=2, confidence=0.95))) == 1


def test_an_older_revision_changes_nothing() -> None:
    assert len(run(burst(revision=3), burst(revision=2, taxon="Canis lupus"))) == 1


def test_a_superseded_burst_is_followed_by_its_successor_without_a_withdrawal() -> None:
    gone = burst("b1", revision=2, status=BurstStatus.SUPERSEDED, superseded_by="b2")
    alerts = run(burst("b1"), gone, burst("b2"))
    assert states(alerts) == [(1, "raised"), (2, "updated")]
    assert [one.burst_id for one in alerts[-1].bursts] == ["b2"]


def test_a_superseded_burst_without_a_successor_withdraws_its_alert() -> None:
    alerts = run(burst(), burst(revision=2, status=BurstStatus.SUPERSEDED))
    assert states(alerts) == [(1, "raised"), (2, "withdrawn")]


def test_an_old_photograph_raises_nothing() -> None:
    assert not apply(CameraAlerts(), burst(), INDEX, NOW + timedelta(days=3))


def test_a_review_of_an_old_burst_still_withdraws_its_alert() -> None:
    state = CameraAlerts()
    apply(state, burst(), INDEX, NOW)
    late = burst(revision=2, review=reviewed(ReviewDecision.BLANK))
    (alert,) = apply(state, late, INDEX, NOW + timedelta(days=10))
    assert alert.state is AlertState.WITHDRAWN


def test_any_age_is_allowed_where_the_rule_says_so() -> None:
    index = rules(Rule("leopard", taxa=(LEOPARD,), max_age=None))
    assert apply(CameraAlerts(), burst(), index, NOW + timedelta(days=300))


def test_a_full_alert_is_followed_by_another() -> None:
    alerts = run(*(burst(f"b{number}", minute=number) for number in range(MOST_BURSTS + 1)))
    assert len({alert.alert_id for alert in alerts}) == 2


def test_the_alerts_of_a_camera_are_bounded() -> None:
    state = CameraAlerts()
    (first,) = apply(state, burst(), INDEX, NOW)
    for number in range(MOST_ALERTS):
        name = f"alr-{number}"
        state.alerts[name] = first.model_copy(update={"alert_id": name, "updated_at": NOW + timedelta(minutes=number)})
    apply(state, burst("b2", minute=600), INDEX, NOW + timedelta(hours=10))
    assert len(state.alerts) == MOST_ALERTS
    assert first.alert_id not in state.alerts


def test_an_alert_without_a_change_is_forgotten() -> None:
    state = CameraAlerts()
    apply(state, burst(), INDEX, NOW)
    apply(state, burst("b2", taxon=None), INDEX, NOW + KEPT + timedelta(days=1))
    assert not state.alerts


def test_an_alert_whose_rule_is_gone_is_withdrawn_at_the_next_revision_of_its_burst() -> None:
    state = CameraAlerts()
    apply(state, burst(), INDEX, NOW)
    (alert,) = apply(state, burst(revision=2), rules(), NOW)
    assert alert.state is AlertState.WITHDRAWN


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from([LEOPARD, "Canis lupus", None]),
        st.sampled_from([BurstStatus.PROVISIONAL, BurstStatus.FINAL, BurstStatus.REVISED, BurstStatus.SUPERSEDED]),
    ),
    max_size=30,
)


def history(changes: list[tuple[int, str | None, BurstStatus]]) -> list[BurstResolved]:
    revisions: dict[int, int] = {}
    found = []
    for number, taxon, status in changes:
        revisions[number] = revisions.get(number, 0) + 1
        found.append(burst(f"b{number}", revision=revisions[number], minute=13 * number, taxon=taxon, status=status))
    return found


SEVERAL = rules(RULE, Rule("early", taxa=("Felidae",), provisional=True), Rule("any", category=BurstCategory.ANIMAL))


@given(CHANGES)
@settings(deadline=None)
def test_the_matching_bursts_of_the_alerts_are_those_that_match_by_their_newest_revision(
    changes: list[tuple[int, str | None, BurstStatus]],
) -> None:
    alerts, newest = replayed(history(changes), SEVERAL)
    for rule in SEVERAL.rules:
        wanted = sorted(name for name, one in newest.items() if match(rule, one, SEVERAL.shown(one)))
        assert sorted(one.burst_id for alert in alerts[rule.name] for one in alert.matching) == wanted
        assert all((alert.state is AlertState.WITHDRAWN) == (not alert.matching) for alert in alerts[rule.name])


@given(CHANGES)
@settings(deadline=None)
def test_revisions_of_an_alert_increase_by_one(changes: list[tuple[int, str | None, BurstStatus]]) -> None:
    seen: dict[str, int] = {}
    for event in run(*history(changes), index=SEVERAL):
        assert event.revision == seen.get(event.alert_id, 0) + 1
        seen[event.alert_id] = event.revision


@given(CHANGES, st.integers(0, 30))
@settings(deadline=None)
def test_a_restart_in_the_middle_changes_nothing(
    changes: list[tuple[int, str | None, BurstStatus]], restart: int
) -> None:
    state, found = CameraAlerts(), []
    for number, event in enumerate(history(changes)):
        if number == restart:
            state = from_bytes("ridge/north", to_bytes(state))
        found += apply(state, event, SEVERAL, NOW + timedelta(seconds=number))
    assert found == run(*history(changes), index=SEVERAL)


@pytest.mark.parametrize("raw", [b"", b"\1", b"\1nonsense"])
def test_a_damaged_state_is_replaced_by_an_empty_one(raw: bytes) -> None:
    assert not from_bytes("ridge/north", raw).alerts
