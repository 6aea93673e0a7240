"""Rules about cameras whose scores have drifted."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.unit.processors.alerts.builders import NOW, TAXONOMY, burst, reviewed
from tests.unit.processors.alerts.test_score_history import LEARNED, scores
from uncia.events import (
    AlertCause,
    AlertRaised,
    AlertState,
    BurstResolved,
    BurstStatus,
    DeploymentChanged,
    ReviewDecision,
)
from uncia.processors.alerts.drift import compare_scores
from uncia.processors.alerts.grouping import KEPT, CameraAlerts, apply
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule
from uncia.processors.alerts.state_store import from_bytes, to_bytes
from uncia.processors.alerts.tracker import AlertTracker
from uncia.processors.faust_runtime.stored_state import StateTooNew, unpack_state

CAMERA = "ridge/north"
DAY = timedelta(days=1)
RULE = Rule("drift", drift=True, channels=("operators",))
WINDOW = 57
USUAL, OTHER = 0.3, 0.97
"""Shares of animals among the bursts."""


def verdict(number: int, score: float | None, **values: Any) -> BurstResolved:
    """A final burst; one each three hours."""
    return burst(f"b{number}", minute=180 * number, animal_probability=score, **{"fusion": "presence@1", **values})


def verdicts(*periods: tuple[int, float], first: int = 0, **values: Any) -> list[BurstResolved]:
    """Bursts of some periods, each with the number of its bursts and its share of animals."""
    random = np.random.default_rng(3)
    drawn = [score for number, share in periods for score in scores(random, number, share)]
    return [verdict(number, score, **values) for number, score in enumerate(drawn, first)]


def logged(number: int) -> datetime:
    return NOW + number * timedelta(hours=3)


def deployment(name: str) -> DeploymentChanged:
    return DeploymentChanged.model_validate(
        {
            "deployment_id": name,
            "camera": CAMERA,
            "start": NOW - DAY,
            "utc_offset_minutes": 0,
            "latitude": 1,
            "longitude": 1,
        }
    )


def compare(
    state: CameraAlerts,
    bursts: list[BurstResolved],
    rules: tuple[Rule, ...] = (RULE,),
    first: int = 0,
    placed: DeploymentChanged | None = None,
) -> list[AlertRaised]:
    return [
        alert
        for number, one in enumerate(bursts, first)
        for alert in compare_scores(state, one, rules, placed, logged(number))
    ]


DRIFTED = verdicts((LEARNED, USUAL), (WINDOW, OTHER))


def test_drifted_scores_raise_one_alert_without_bursts() -> None:
    (alert,) = compare(CameraAlerts(), DRIFTED)
    assert (alert.state, alert.cause, alert.bursts) == (AlertState.RAISED, AlertCause.SCORE_DRIFT, ())
    assert (alert.rule, alert.camera, alert.station, alert.channels) == ("drift", CAMERA, "ridge", ("operators",))
    assert alert.summary.startswith("ridge/north: scores have drifted since 2026-05-30: stability index ")
    assert alert.raised_at == alert.updated_at == logged(LEARNED + 55)


def test_a_drift_that_lasts_raises_no_other_alert() -> None:
    assert len(compare(CameraAlerts(), verdicts((LEARNED, USUAL), (10 * WINDOW, OTHER)))) == 1


def test_each_rule_raises_its_own_alert() -> None:
    both = compare(CameraAlerts(), DRIFTED, (RULE, Rule("again", drift=True)))
    assert [one.rule for one in both] == ["drift", "again"]
    assert len({one.alert_id for one in both}) == 2


BACK = verdicts((LEARNED, USUAL), (WINDOW, OTHER), (2 * WINDOW, USUAL))


def test_scores_as_before_withdraw_the_alert() -> None:
    raised, withdrawn = compare(CameraAlerts(), BACK)
    assert (raised.alert_id, withdrawn.revision, withdrawn.state) == (withdrawn.alert_id, 2, AlertState.WITHDRAWN)
    assert withdrawn.summary == "withdrawn: the scores of ridge/north are distributed as before again"


@pytest.mark.parametrize("cooldown, alerts", [(0 * DAY, 2), (60 * DAY, 1)])
def test_a_drift_within_the_cooldown_updates_the_alert(cooldown: timedelta, alerts: int) -> None:
    rule = Rule("drift", drift=True, cooldown=cooldown)
    bursts = verdicts((LEARNED, USUAL), (WINDOW, OTHER), (2 * WINDOW, USUAL), (2 * WINDOW, OTHER))
    found = compare(CameraAlerts(), bursts, (rule,))
    assert len({one.alert_id for one in found}) == alerts
    assert found[-1].state is (AlertState.UPDATED if alerts == 1 else AlertState.RAISED)


def test_a_new_deployment_withdraws_the_alert_and_learns_again() -> None:
    state, first = CameraAlerts(), len(DRIFTED)
    compare(state, DRIFTED, placed=deployment("d1"))
    (withdrawn,) = compare(state, verdicts((LEARNED, OTHER), first=first), first=first, placed=deployment("d2"))
    assert withdrawn.summary == "withdrawn: the scores of ridge/north are learned again"
    assert state.scores is not None and state.scores.limits[0] > 700


def test_other_weights_withdraw_the_alert_and_learn_again() -> None:
    state, first = CameraAlerts(), len(DRIFTED)
    compare(state, DRIFTED)
    (withdrawn,) = compare(state, verdicts((1, OTHER), first=first, fusion="presence@2"), first=first)
    assert withdrawn.state is AlertState.WITHDRAWN


@pytest.mark.parametrize(
    "values",
    [
        {"status": BurstStatus.PROVISIONAL},
        {"status": BurstStatus.REVISED, "review": reviewed(ReviewDecision.BLANK)},
        {"status": BurstStatus.SUPERSEDED},
        {"animal_probability": None},
    ],
)
def test_other_verdicts_do_not_count(values: dict[str, Any]) -> None:
    state = CameraAlerts()
    one = verdict(0, 0.5)
    assert compare_scores(state, one.model_copy(update=values), (RULE,), None, NOW) == []
    assert state.scores is None


def test_a_drift_that_lasts_is_remembered_until_it_ends() -> None:
    state = CameraAlerts()
    compare(state, DRIFTED)
    last = burst("later", minute=180 * 1000)
    apply(state, last, RuleIndex((RULE,), TAXONOMY), NOW + 3 * KEPT)
    assert len(state.alerts) == 1


def test_the_state_survives_a_restart_at_any_burst() -> None:
    whole, state = compare(CameraAlerts(), BACK), CameraAlerts()
    found = []
    for number, one in enumerate(BACK):
        found += compare(state, [one], first=number)
        state = from_bytes(CAMERA, to_bytes(state))
    assert found == whole


def test_an_earlier_version_refuses_a_state_with_such_an_alert() -> None:
    state = CameraAlerts()
    compare(state, DRIFTED)
    with pytest.raises(StateTooNew):
        unpack_state(2, to_bytes(state), "the state")
    state.alerts.clear()
    assert unpack_state(1, to_bytes(state), "the state")


def test_the_state_is_small() -> None:
    state = CameraAlerts()
    compare(state, DRIFTED[: LEARNED - 1])
    assert len(to_bytes(state)) < 2_000
    compare(state, DRIFTED[LEARNED - 1 :], first=LEARNED - 1)
    assert len(to_bytes(state)) < 1_000


def test_the_tracker_learns_for_cameras_with_a_rule_alone() -> None:
    tracker = AlertTracker({}, RuleIndex((Rule("drift", drift=True, cameras=("valley/*",)),), TAXONOMY))
    tracker.add(verdict(0, 0.5), 0, NOW.timestamp())
    assert [update.alerts.scores for update in tracker.take_updates().values()] == [None]


def test_a_message_that_is_read_again_counts_once() -> None:
    tracker = AlertTracker({}, RuleIndex((RULE,), TAXONOMY))
    for _ in range(2):
        for number, one in enumerate(DRIFTED):
            tracker.add(one, number, logged(number).timestamp())
    (update,) = tracker.take_updates().values()
    assert [alert.state for alert in update.events] == [AlertState.RAISED]
