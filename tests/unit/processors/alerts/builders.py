"""Bursts and rules of the tests."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import (
    AlertRaised,
    BurstCategory,
    BurstResolved,
    BurstReview,
    BurstStatus,
    ReviewDecision,
    TaxonVerdict,
    Trigger,
)
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule

TAXONOMY = Taxonomy.load()
START = datetime(2026, 5, 1, 21, 30)
NOW = START.replace(tzinfo=UTC)
LEOPARD = "Panthera uncia"


def burst(name: str = "b1", *, revision: int = 1, minute: float = 0, **values: Any) -> BurstResolved:
    """A final burst with a snow leopard; `minute`: after the start."""
    started = START + timedelta(minutes=minute)
    taxon = values.pop("taxon", LEOPARD)
    confidence, certain = values.pop("confidence", 0.9), values.pop("certain", True)
    verdict = (
        TaxonVerdict(taxon=taxon, label="snow leopard", group="x", score=0.9, confidence=confidence, certain=certain)
        if taxon
        else None
    )
    whole: dict[str, Any] = {
        "burst_id": name,
        "revision": revision,
        "status": BurstStatus.FINAL if revision == 1 else BurstStatus.REVISED,
        "station": "ridge",
        "camera": "ridge/north",
        "trigger": Trigger.MOTION,
        "started_at": started,
        "ended_at": started + timedelta(seconds=10),
        "category": BurstCategory.ANIMAL,
        "verdict": verdict,
        "taxa": (verdict,) if verdict else (),
        "rule": "log-odds/1",
        "settings": "set-1",
    }
    return BurstResolved.model_validate({**whole, **values})


def reviewed(decision: ReviewDecision, category: BurstCategory | None = None, taxon: str | None = None) -> BurstReview:
    """The review of a burst."""
    return BurstReview(
        review_id="r1", reviewer="ann", decision=decision.value, category=category, taxon=taxon, reviewed_at=NOW
    )


def replayed(
    events: Iterable[BurstResolved], index: RuleIndex
) -> tuple[dict[str, list[AlertRaised]], dict[str, BurstResolved]]:
    """The alerts of each rule after some events, and the newest event of each burst."""
    state, newest = CameraAlerts(), {}
    for event in events:
        apply(state, event, index, NOW)
        newest[event.burst_id] = event
    alerts = {rule.name: [one for one in state.alerts.values() if one.rule == rule.name] for rule in index.rules}
    return alerts, newest


def rules(*given: Rule) -> RuleIndex:
    """The rules of a file."""
    return RuleIndex(given, TAXONOMY)
