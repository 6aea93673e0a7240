"""Alerts about cameras whose scores have drifted. Pure.

1. Final verdicts count, in the order of the log, once each; a later revision or a review of the burst changes nothing.
   Verdicts without a calibrated probability do not count.
2. One drift is one alert of a rule, without bursts, whose time is that of the verdict that filled the window. A drift
   within the rule's cooldown updates the alert before.
3. It is withdrawn when a window is distributed as the reference again, and when there is another reference: after the
   next deployment has begun, and with other weights of what computes the probabilities.
"""

from collections.abc import Iterable
from datetime import datetime

from uncia.events import AlertCause, AlertRaised, AlertState, BurstResolved, BurstStatus, DeploymentChanged
from uncia.processors.alerts.camera_alerts import change_alert, new_alert, open_alerts
from uncia.processors.alerts.grouping import CameraAlerts
from uncia.processors.alerts.rules import Rule
from uncia.processors.alerts.score_history import Comparison, ScoreChange, ScoreHistory

__all__ = ["compare_scores"]


def compare_scores(
    state: CameraAlerts,
    burst: BurstResolved,
    rules: Iterable[Rule],
    deployment: DeploymentChanged | None,
    logged_at: datetime,
) -> list[AlertRaised]:
    """Add a verdict to the scores of its camera, by the rules about drift there. Returns the events to publish.

    `deployment`: the one that covers the time of the log.
    """
    history, score = state.scores or ScoreHistory(), burst.animal_probability
    if burst.status is not BurstStatus.FINAL or score is None or not history.wants(burst.burst_id, burst.started_at):
        return []
    state.scores = history
    found: list[AlertRaised] = []
    if history.begin(deployment.deployment_id if deployment else None, burst.fusion):
        found = _withdraw(state, f"withdrawn: the scores of {burst.camera} are learned again", logged_at)
    compared = history.add(burst.burst_id, burst.started_at, score)
    if compared is None or compared.change is None:
        return found
    if compared.change is ScoreChange.RETURNED:
        summary = f"withdrawn: the scores of {burst.camera} are distributed as before again"
        return [*found, *_withdraw(state, summary, logged_at)]
    raised = (_raise(state, burst, rule, compared, logged_at) for rule in rules)
    return [*found, *(alert for alert in raised if alert is not None)]


def _withdraw(state: CameraAlerts, summary: str, at: datetime) -> list[AlertRaised]:
    before = open_alerts(state, AlertCause.SCORE_DRIFT)
    return [change_alert(state, alert, AlertState.WITHDRAWN, summary, at) for alert in before]


def _raise(
    state: CameraAlerts, burst: BurstResolved, rule: Rule, compared: Comparison, at: datetime
) -> AlertRaised | None:
    camera = burst.camera
    summary = (
        f"{camera}: scores have drifted since {compared.since}: stability index {compared.index:.2f} over "
        f"{compared.bursts} bursts, limit {compared.limit:.2f}"
    )
    own = [
        alert for alert in state.alerts.values() if alert.cause is AlertCause.SCORE_DRIFT and alert.rule == rule.name
    ]
    if any(alert.state is not AlertState.WITHDRAWN for alert in own):
        return None
    if own and at - own[-1].raised_at < rule.cooldown:
        return change_alert(state, own[-1], AlertState.UPDATED, summary, at)
    begin = f"drift {burst.burst_id}"
    raised = new_alert(rule, burst.station, camera, AlertCause.SCORE_DRIFT, summary, at, begin=begin)
    state.alerts[raised.alert_id] = raised
    return raised
