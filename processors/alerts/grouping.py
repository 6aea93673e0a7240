"""Which alert a burst belongs to, and what changes in a camera's alerts when a verdict arrives. Pure.

1. A burst that matches a rule now, and matched in time, is in exactly one alert of that rule.
2. An alert with a matching burst is raised or updated; one without is withdrawn. It keeps its id for ever: when a burst
   of it matches again, it is updated.
3. An event is published when something changes that a person would see, and revisions then increase by one.
4. A rule with `rare` matches the bursts of rare encounters alone (`rarity`); a verdict on one burst can change whether
   others match.
5. The result depends on the messages alone, in their order: reading them again gives the same events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from uncia import ids
from uncia.events import AlertBurst, AlertCause, AlertRaised, AlertState, BurstResolved, BurstStatus
from uncia.processors.alerts.camera_view import CameraView
from uncia.processors.alerts.rarity import Sightings, record, successor
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Found, Rule, Shown
from uncia.processors.alerts.score_history import ScoreHistory
from uncia.processors.alerts.summary import summary_of
from uncia.processors.faust_runtime.stored_state import LogPosition

__all__ = ["KEPT", "MOST_ALERTS", "MOST_BURSTS", "CameraAlerts", "apply"]

KEPT = timedelta(days=30)
"""Log time for which an alert without a change can still be updated or withdrawn."""
MOST_ALERTS = 500
"""Alerts of one camera that can still change; beyond, the one that changed first is forgotten first."""
MOST_BURSTS = 100
"""Bursts of one alert; the next one raises another."""

_ZONES = timedelta(hours=14)
"""The most by which a camera's clock is ahead of UTC or behind it."""


@dataclass
class CameraAlerts(LogPosition):
    """The alerts of one camera that can still change: the last event of each."""

    alerts: dict[str, AlertRaised] = field(default_factory=dict)
    """By id, in the order in which they were raised."""
    heard: datetime | None = None
    """The last contact, in log time (`silence`)."""
    sightings: list[Sightings] = field(default_factory=list)
    """Of the rules with `rare`; in the order in which their subjects were first seen."""
    unsent: list[AlertRaised] = field(default_factory=list)
    """The events that led to this state, in their order, while it is not known that they were published."""
    view: CameraView | None = None
    """What the camera shows (`moved`); None: no rule is about moves of it."""
    scores: ScoreHistory | None = None
    """Its scores (`drift`); None: no rule is about their drift."""


def apply(state: CameraAlerts, burst: BurstResolved, rules: RuleIndex, logged_at: datetime) -> list[AlertRaised]:
    """Change the camera's alerts by one verdict, and return the events to publish, in their order."""
    seen = rules.shown(burst)
    matched = {rule.name: found for rule, found in rules.matches(burst, seen)}
    changed: list[AlertRaised] = []
    known: set[str] = set()
    follows = burst.superseded_by if burst.status is BurstStatus.SUPERSEDED else None
    if follows:
        successor(state.sightings, burst.burst_id, follows)
    entries = {name: [_entry(burst, seen, found)] for name, found in matched.items()}
    if state.sightings or any(rules.limits_rarity(name) for name in matched):
        entries.update(_rare_entries(state, burst, seen, matched, rules))
    for alert in list(state.alerts.values()):
        if (entry := _entry_of(alert, burst.burst_id)) is None:
            continue
        known.add(alert.rule)
        if burst.revision < entry.revision:
            continue
        if follows:
            changed.append(_follow(state, alert, entry, follows, logged_at))
            continue
        own = entries.get(alert.rule) or [_entry(burst, seen, None)]
        changed += _replace(state, alert, entry, own[0], logged_at)
    for name, own in entries.items():
        rule = rules.named(name)
        for entry in own:
            if rule is None or (entry.burst_id == burst.burst_id and name in known):
                continue
            changed += _put(state, rule, entry, burst, logged_at)
    _forget(state, logged_at)
    return changed


def _rare_entries(
    state: CameraAlerts, burst: BurstResolved, seen: Shown, matched: Mapping[str, Found], rules: RuleIndex
) -> dict[str, list[AlertBurst]]:
    """By rule with `rare`, the bursts that may match now or no longer do; the burst of this verdict first."""
    state.sightings = [one for one in state.sightings if rules.limits_rarity(one.rule)]
    names = {one.rule for one in state.sightings if burst.burst_id in one.bursts}
    names.update(name for name in matched if rules.limits_rarity(name))
    found: dict[str, list[AlertBurst]] = {}
    for rule in sorted((rule for name in names if (rule := rules.named(name))), key=lambda rule: rule.name):
        entry = _entry(burst, seen, matched.get(rule.name))
        found[rule.name] = record(state.sightings, rule, entry)
        if found[rule.name] and entry.matches and not _is_stored(state.sightings, rule, entry):
            was_rare = any(
                one.matches
                for alert in state.alerts.values()
                if alert.rule == rule.name
                for one in alert.bursts
                if one.burst_id == entry.burst_id
            )
            found[rule.name][0] = entry.model_copy(update={"matches": was_rare})
    return found


def _is_stored(sightings: Iterable[Sightings], rule: Rule, entry: AlertBurst) -> bool:
    return any(one.rule == rule.name and entry.burst_id in one.bursts for one in sightings)


def _put(
    state: CameraAlerts, rule: Rule, entry: AlertBurst, burst: BurstResolved, logged_at: datetime
) -> list[AlertRaised]:
    """Change the alert that has this burst, or add the burst to one if it matches."""
    for alert in list(state.alerts.values()):
        if alert.rule == rule.name and (before := _entry_of(alert, entry.burst_id)) is not None:
            return _replace(state, alert, before, entry, logged_at)
    return _add(state, rule, entry, burst, logged_at) if entry.matches else []


def _add(
    state: CameraAlerts, rule: Rule, entry: AlertBurst, burst: BurstResolved, logged_at: datetime
) -> list[AlertRaised]:
    """Put a burst that matches for the first time into an alert of its encounter, or raise one."""
    for alert in reversed(list(state.alerts.values())):
        if alert.rule == rule.name and _takes(alert, rule, entry, logged_at):
            return [_publish(state, alert, (*alert.bursts, entry), logged_at)]
    age = logged_at.replace(tzinfo=None) - entry.started_at
    if rule.max_age is not None and age > rule.max_age + _ZONES:
        return []
    cause = None if rule.rare is None else AlertCause.RARITY
    raised = AlertRaised(
        alert_id=ids.alert_id(rule.name, burst.camera, entry.burst_id),
        revision=1,
        state=AlertState.RAISED,
        cause=cause,
        rule=rule.name,
        severity=rule.severity,
        station=burst.station,
        camera=burst.camera,
        summary=summary_of(burst.camera, (entry,), cause),
        bursts=(entry,),
        channels=rule.channels,
        raised_at=logged_at,
        updated_at=logged_at,
    )
    if raised.alert_id in state.alerts:
        # Its burst was superseded and moved on within the alert, and has now come back.
        alert = state.alerts[raised.alert_id]
        return [_publish(state, alert, (*alert.bursts, entry), logged_at)]
    state.alerts[raised.alert_id] = raised
    return [raised]


def _takes(alert: AlertRaised, rule: Rule, entry: AlertBurst, logged_at: datetime) -> bool:
    if len(alert.bursts) >= MOST_BURSTS:
        return False
    if timedelta(0) <= logged_at - alert.raised_at < rule.cooldown and alert.matching:
        return True
    return any(
        entry.started_at - other.ended_at <= rule.encounter and other.started_at - entry.ended_at <= rule.encounter
        for other in alert.bursts
    )


def _replace(
    state: CameraAlerts, alert: AlertRaised, before: AlertBurst, after: AlertBurst, logged_at: datetime
) -> list[AlertRaised]:
    bursts = tuple(after if one.burst_id == before.burst_id else one for one in alert.bursts)
    if _visible(before) == _visible(after):
        # No event; but a later message must not be compared with an older revision.
        state.alerts[alert.alert_id] = alert.model_copy(update={"bursts": bursts})
        return []
    return [_publish(state, alert, bursts, logged_at)]


def _follow(
    state: CameraAlerts, alert: AlertRaised, entry: AlertBurst, successor: str, logged_at: datetime
) -> AlertRaised:
    """Keep the facts under the id of the burst that has the frames now; its own verdict follows.

    Otherwise the alert would be withdrawn, and raised again a moment later.
    """
    others = [one for one in alert.bursts if one.burst_id != entry.burst_id]
    if not any(one.burst_id == successor for one in others):
        others.append(entry.model_copy(update={"burst_id": successor, "revision": 1}))
    return _publish(state, alert, others, logged_at)


def _publish(state: CameraAlerts, alert: AlertRaised, bursts: Iterable[AlertBurst], logged_at: datetime) -> AlertRaised:
    ordered = _sorted(bursts)
    matching = tuple(one for one in ordered if one.matches)
    event = alert.model_copy(
        update={
            "revision": alert.revision + 1,
            "state": AlertState.UPDATED if matching else AlertState.WITHDRAWN,
            "bursts": ordered,
            "summary": summary_of(alert.camera, matching or ordered, alert.cause, withdrawn=not matching),
            "updated_at": max(logged_at, alert.updated_at),
        }
    )
    state.alerts[alert.alert_id] = event
    return event


def _forget(state: CameraAlerts, logged_at: datetime) -> None:
    # Silence or drift that lasts has no later change; one of each rule can last.
    ended = {
        name: alert
        for name, alert in state.alerts.items()
        if alert.cause not in (AlertCause.SILENCE, AlertCause.SCORE_DRIFT) or alert.state is AlertState.WITHDRAWN
    }
    for name in [name for name, alert in ended.items() if logged_at - alert.updated_at > KEPT]:
        del state.alerts[name], ended[name]
    while len(ended) > MOST_ALERTS:
        oldest = min(ended, key=lambda name: ended[name].updated_at)
        del state.alerts[oldest], ended[oldest]


def _entry(burst: BurstResolved, seen: Shown, found: Found | None) -> AlertBurst:
    best = found or (seen.taxa[0] if seen.taxa and seen.taxa[0].certain else None)
    return AlertBurst(
        burst_id=burst.burst_id,
        revision=burst.revision,
        status=burst.status,
        started_at=burst.started_at,
        ended_at=burst.ended_at,
        matches=found is not None,
        category=found.further if found and found.further else seen.category,
        taxon=best.taxon if best else None,
        label=best.label if best else None,
        confidence=best.confidence if best else None,
        count=None if found and found.further else seen.count,
        reviewed=seen.reviewed,
    )


def _entry_of(alert: AlertRaised, burst_id: str) -> AlertBurst | None:
    return next((one for one in alert.bursts if one.burst_id == burst_id), None)


def _visible(entry: AlertBurst) -> tuple[object, ...]:
    """What a person sees of a burst: a new decimal of a probability is no news."""
    return (entry.matches, entry.category, entry.taxon, entry.count, entry.reviewed)


def _sorted(bursts: Iterable[AlertBurst]) -> tuple[AlertBurst, ...]:
    return tuple(sorted(bursts, key=lambda one: (one.started_at, one.burst_id)))
