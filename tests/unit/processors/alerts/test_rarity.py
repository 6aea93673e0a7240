"""Rules with `rare`: the first sighting of a taxon at a camera after a time without one."""

import random
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.processors.alerts.builders import LEOPARD, NOW, burst, replayed, reviewed, rules
from uncia.events import AlertCause, AlertRaised, AlertState, BurstCategory, BurstResolved, BurstStatus, ReviewDecision
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.rarity import MOST_SIGHTINGS, MOST_SUBJECTS
from uncia.processors.alerts.rules import Rule, match
from uncia.processors.alerts.state_store import from_bytes, to_bytes

DAY = 24 * 60.0
MONTH = timedelta(days=30)
RULE = Rule("cat", taxa=("Felidae",), rare=MONTH, max_age=None)
INDEX = rules(RULE)
BLANK = reviewed(ReviewDecision.BLANK)


def run(*events: BurstResolved, state: CameraAlerts | None = None, rule: Rule = RULE) -> list[AlertRaised]:
    index, state = rules(rule), state or CameraAlerts()
    return [alert for event in events for alert in apply(state, event, index, NOW)]


def matching(state: CameraAlerts) -> list[str]:
    return sorted(one.burst_id for alert in state.alerts.values() for one in alert.matching)


def after(*events: BurstResolved, rule: Rule = RULE) -> list[str]:
    state = CameraAlerts()
    run(*events, state=state, rule=rule)
    return matching(state)


def test_a_first_sighting_is_rare() -> None:
    (alert,) = run(burst())
    assert alert.cause is AlertCause.RARITY
    assert alert.summary == "snow leopard (Panthera uncia) at ridge/north, 2026-05-01 21:30 (rare there)"


def test_a_sighting_within_the_time_raises_nothing_and_one_after_it_does() -> None:
    assert after(burst("b1"), burst("b2", minute=29 * DAY), burst("b3", minute=60 * DAY)) == ["b1", "b3"]


def test_every_burst_of_a_rare_encounter_belongs_to_its_alert() -> None:
    alerts = run(burst("b1"), burst("b2", minute=20), burst("b3", minute=45), burst("b4", minute=DAY))
    assert [len(alert.bursts) for alert in alerts] == [1, 2, 3]
    assert len({alert.alert_id for alert in alerts}) == 1


def test_the_next_sighting_becomes_rare_when_the_one_before_it_is_revised_away() -> None:
    state = CameraAlerts()
    run(burst("b1"), burst("b2", minute=DAY), state=state)
    withdrawn, raised = run(burst("b1", revision=2, review=BLANK), state=state)
    assert withdrawn.summary == "withdrawn: ridge/north, 2026-05-01 21:30: no rare sighting, now a blank"
    assert [one.burst_id for one in raised.bursts] == ["b2"]
    assert matching(state) == ["b2"]


def test_a_sighting_that_arrives_late_withdraws_the_alert_of_a_later_one() -> None:
    state = CameraAlerts()
    run(burst("b2", minute=DAY), state=state)
    run(burst("b1"), state=state)
    assert matching(state) == ["b1"]


def test_another_taxon_has_its_own_first_sighting() -> None:
    assert after(burst("b1"), burst("b2", minute=DAY, taxon="Lynx lynx")) == ["b1", "b2"]


def test_by_rule_every_taxon_of_the_rule_counts() -> None:
    rule = Rule("cat", taxa=("Felidae",), rare=MONTH, rare_by_rule=True, max_age=None)
    assert after(burst("b1"), burst("b2", minute=DAY, taxon="Lynx lynx"), rule=rule) == ["b1"]


def test_a_correction_to_another_taxon_moves_the_sighting() -> None:
    lynx = reviewed(ReviewDecision.CORRECT, BurstCategory.ANIMAL, "Lynx lynx")
    events = [burst("b1"), burst("b2", minute=DAY), burst("b1", revision=2, review=lynx)]
    assert after(*events) == ["b1", "b2"]


def test_the_successor_of_a_superseded_burst_has_its_sighting() -> None:
    gone = burst("b1", revision=2, status=BurstStatus.SUPERSEDED, superseded_by="b3")
    assert after(burst("b1"), burst("b2", minute=DAY), gone) == ["b3"]
    assert after(burst("b1"), burst("b2", minute=DAY), gone, burst("b3")) == ["b3"]


def test_an_old_photograph_raises_nothing_but_is_a_sighting() -> None:
    rule = Rule("cat", taxa=("Felidae",), rare=MONTH)
    state = CameraAlerts()
    index = rules(rule)
    apply(state, burst("b1"), index, NOW + timedelta(days=3))
    assert not apply(state, burst("b2", minute=3 * DAY), index, NOW + timedelta(days=3))


def test_photographs_of_a_clock_at_its_factory_time_raise_nothing_and_leave_later_sightings_rare() -> None:
    rule = Rule("cat", taxa=("Felidae",), rare=MONTH)
    reset = datetime(1970, 1, 1)
    early = burst("b0", started_at=reset, ended_at=reset)
    assert after(early, burst("b1"), rule=rule) == ["b1"]


def test_photographs_of_a_clock_in_the_future_leave_present_sightings_as_they_are() -> None:
    ahead = datetime(2099, 1, 1)
    early = burst("b0", started_at=ahead, ended_at=ahead)
    assert after(early, burst("b1"), burst("b2", minute=DAY)) == ["b0", "b1"]


def test_what_was_forgotten_still_counts_as_seen() -> None:
    state = CameraAlerts()
    run(*(burst(f"b{n:03}", minute=n * DAY) for n in range(3 * MOST_SIGHTINGS)), state=state)
    (group,) = state.sightings
    assert len(group.bursts) == MOST_SIGHTINGS
    assert matching(state) == ["b000"]
    assert not run(burst("late", minute=10 * DAY), state=state)
    assert not run(burst("b000", revision=2), burst("b001", revision=2, minute=DAY), state=state)
    (alert,) = run(burst("b000", revision=3, review=BLANK), state=state)
    assert alert.state is AlertState.WITHDRAWN


def test_the_subjects_of_a_camera_are_bounded() -> None:
    given_rules = [Rule(f"r{n}", category=BurstCategory.ANIMAL, rare=MONTH) for n in range(MOST_SUBJECTS + 20)]
    state = CameraAlerts()
    apply(state, burst(), rules(*given_rules), NOW)
    assert len(state.sightings) == MOST_SUBJECTS


def test_the_sightings_of_a_rule_that_is_gone_are_forgotten() -> None:
    state = CameraAlerts()
    run(burst(), state=state)
    apply(state, burst("b2", minute=DAY), rules(), NOW)
    assert not state.sightings


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from([LEOPARD, LEOPARD, "Lynx lynx", "Canis lupus", None]),
        st.sampled_from([BurstStatus.PROVISIONAL, BurstStatus.FINAL, BurstStatus.REVISED, BurstStatus.SUPERSEDED]),
    ),
    max_size=30,
)
# Days after the start: some sightings are one encounter, some are within a month, some are not.
DAYS = [0.0, 0.01, 10, 39.99, 40.02, 60, 95, 95.01, 100, 140]
PLAIN: dict[str, Any] = {"taxa": ("Felidae",), "max_age": None}
SEVERAL = rules(Rule("plain", **PLAIN), RULE, Rule("early", provisional=True, rare=MONTH, rare_by_rule=True, **PLAIN))


def history(changes: list[tuple[int, str | None, BurstStatus]]) -> list[BurstResolved]:
    revisions: dict[int, int] = {}
    found = []
    for number, taxon, status in changes:
        revisions[number] = revisions.get(number, 0) + 1
        minute = DAYS[number] * DAY
        found.append(burst(f"b{number}", revision=revisions[number], minute=minute, taxon=taxon, status=status))
    return found


def expected(rule: Rule, newest: dict[str, BurstResolved]) -> list[str]:
    """By the definition, pair by pair."""
    seen = {}
    for name, one in newest.items():
        if (found := match(rule, one, SEVERAL.shown(one))) is not None:
            seen[name] = (one.started_at, one.ended_at, "" if rule.rare_by_rule else found.taxon)
    if rule.rare is None:
        return sorted(seen)

    def first(name: str) -> datetime:
        """The beginning of the encounter of a sighting."""
        begin = seen[name][0]
        near = [a for a, b, subject in seen.values() if subject == seen[name][2] and a < begin <= b + rule.encounter]
        earlier = [other for other in seen if seen[other][0] in near and seen[other][2] == seen[name][2]]
        return min((first(other) for other in earlier), default=begin)

    def rare(name: str) -> bool:
        begin = first(name)
        ends = [b for a, b, subject in seen.values() if subject == seen[name][2] and a < begin]
        return all(begin - end > (rule.rare or timedelta(0)) for end in ends)

    return sorted(name for name in seen if rare(name))


@given(CHANGES)
@settings(deadline=None)
def test_the_bursts_of_the_alerts_are_the_rare_ones_by_their_newest_revisions(
    changes: list[tuple[int, str | None, BurstStatus]],
) -> None:
    alerts, newest = replayed(history(changes), SEVERAL)
    for rule in SEVERAL.rules:
        assert sorted(one.burst_id for alert in alerts[rule.name] for one in alert.matching) == expected(rule, newest)


@given(CHANGES, st.integers(0, 30))
@settings(deadline=None)
def test_a_restart_changes_nothing_and_revisions_increase_by_one(
    changes: list[tuple[int, str | None, BurstStatus]], restart: int
) -> None:
    state, other, found, again = CameraAlerts(), CameraAlerts(), [], []
    for number, event in enumerate(history(changes)):
        if number == restart:
            other = from_bytes("ridge/north", to_bytes(other))
        found += apply(state, event, SEVERAL, NOW)
        again += apply(other, event, SEVERAL, NOW)
    assert found == again
    revisions: dict[str, int] = {}
    for alert in found:
        assert alert.revision == revisions.get(alert.alert_id, 0) + 1
        revisions[alert.alert_id] = alert.revision


@given(CHANGES, st.randoms())
@settings(deadline=None)
def test_the_order_in_which_the_final_verdicts_arrive_does_not_matter(
    changes: list[tuple[int, str | None, BurstStatus]], chance: random.Random
) -> None:
    newest = {event.burst_id: event for event in history(changes)}
    shuffled = list(newest.values())
    chance.shuffle(shuffled)
    assert after(*newest.values()) == after(*shuffled)
