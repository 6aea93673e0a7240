"""A rule, and whether a burst matches it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import BurstCategory, BurstResolved, BurstStatus, ReviewDecision, Severity

__all__ = ["Found", "Rule", "Shown", "match", "shown"]

SETTLED = (BurstStatus.FINAL, BurstStatus.REVISED)


@dataclass(frozen=True)
class Rule:
    """One rule. What it does not name, it does not limit."""

    name: str
    category: BurstCategory | None = None
    taxa: tuple[str, ...] = ()
    """One of these, or anything below it."""
    min_confidence: float | None = None
    """Of the taxon, or of an animal; a verdict without a probability does not reach it, a reviewer's does."""
    uncertain: bool = False
    """Also for a taxon below its calibrated threshold."""
    stations: tuple[str, ...] = ()
    """Names, or patterns with `*`."""
    cameras: tuple[str, ...] = ()
    """`<station>/<camera>`, or patterns with `*`."""
    hours: tuple[int, int] | None = None
    """Minutes of the day by the camera's clock, from the first up to but without the last; across midnight if that is
    smaller."""
    min_count: int = 1
    provisional: bool = False
    """Also on provisional verdicts."""
    encounter: timedelta = timedelta(minutes=30)
    """Matching bursts of a camera that are at most this far apart belong to one alert."""
    cooldown: timedelta = timedelta(0)
    """For so long after it was raised, an alert takes every matching burst of its camera."""
    max_age: timedelta | None = timedelta(days=1)
    """Bursts that were taken longer before they were known raise nothing."""
    rare: timedelta | None = None
    """Only where nothing of the same taxon was seen at the camera for so long before the encounter."""
    rare_by_rule: bool = False
    """Nothing that the rule matches, of whichever taxon, was seen for so long."""
    silent: bool = False
    """About cameras from which nothing comes; then not about bursts."""
    silent_for: timedelta | None = None
    """For so long; None: for the contact interval of the camera's deployment, where it has one."""
    moved: bool = False
    """About cameras that show another view than before; then not about bursts."""
    drift: bool = False
    """About cameras whose scores are distributed otherwise than before; then not about single bursts."""
    severity: Severity = Severity.WARNING
    channels: tuple[str, ...] = ()

    @property
    def subject(self) -> str | None:
        """The field that says what the rule is about; None: bursts."""
        fields = (("silent_for", self.silent), ("moved", self.moved), ("drift", self.drift))
        return next((name for name, is_set in fields if is_set), None)

    def is_at(self, station: str, camera: str) -> bool:
        """Whether the rule is about this camera."""
        return _fits(self.stations, station) and _fits(self.cameras, camera)

    def is_open(self, moment: datetime) -> bool:
        """Whether the rule is about this time of the day."""
        if self.hours is None:
            return True
        first, end = self.hours
        minute = moment.hour * 60 + moment.minute
        return first <= minute < end if first < end else minute >= first or minute < end


@dataclass(frozen=True)
class Shown:
    """What a burst is called: by the review that counts, or else by the models."""

    category: BurstCategory | None
    taxa: tuple["Found", ...] = ()
    count: int | None = None
    animal_probability: float | None = None
    reviewed: bool = False
    further: frozenset[BurstCategory] = frozenset()
    """Categories of the further observations of a review."""

    @property
    def categories(self) -> frozenset[BurstCategory]:
        """All that the burst shows."""
        return self.further if self.category is None else self.further | {self.category}


@dataclass(frozen=True)
class Found:
    """A taxon, or only a category, with its probability where it is known."""

    taxon: str | None = None
    label: str | None = None
    confidence: float | None = None
    certain: bool = True
    names: frozenset[str] = field(default=frozenset(), repr=False)
    """The taxon and all above it."""
    further: BurstCategory | None = None
    """The category, of a further observation of a review; None: that of the burst."""


_Observation = tuple[str | None, str | None, BurstCategory | None]
"""Taxon, label, and the category of a further one."""


def shown(burst: BurstResolved, taxonomy: Taxonomy) -> Shown:
    """What a burst is called. A superseded burst is called nothing."""
    if burst.status is BurstStatus.SUPERSEDED:
        return Shown(None)
    if (review := burst.review) is not None:
        if review.decision == ReviewDecision.BLANK:
            return Shown(BurstCategory.BLANK, reviewed=True)
        observations: list[_Observation] = [(review.taxon, review.label, None)]
        observations += [(one.taxon, one.label, one.category) for one in review.further or ()]
        seen = tuple(
            Found(taxon, label, 1.0, names=_names(taxon, taxonomy), further=category)
            for taxon, label, category in observations
            if taxon
        )
        known = 1.0 if review.category is BurstCategory.ANIMAL else None
        further = frozenset(one.category for one in review.further or ())
        return Shown(review.category, seen, review.count, known, reviewed=True, further=further)
    found = burst.taxa or ((burst.verdict,) if burst.verdict else ())
    # A category of its own (a person, a blank) outvotes what the classifier called the picture.
    if burst.category not in (None, BurstCategory.ANIMAL):
        found = ()
    taxa = tuple(Found(one.taxon, one.label, one.confidence, one.certain, _names(one.taxon, taxonomy)) for one in found)
    return Shown(burst.category, taxa, burst.count, burst.animal_probability)


def match(rule: Rule, burst: BurstResolved, seen: Shown) -> Found | None:
    """What of a burst the rule matches; None: nothing."""
    if burst.status not in SETTLED and not (rule.provisional and burst.status is BurstStatus.PROVISIONAL):
        return None
    if not rule.is_at(burst.station, burst.camera) or not rule.is_open(burst.started_at):
        return None
    if rule.category is not None and rule.category not in seen.categories:
        return None
    # A review counts the individuals of its first observation alone.
    if rule.category is not None and rule.category is not seen.category and not rule.taxa:
        return Found(confidence=1.0, further=rule.category) if rule.min_count <= 1 else None
    if (seen.count or 1) < rule.min_count:
        return None
    if rule.taxa:
        wanted = (one for one in seen.taxa if not one.names.isdisjoint(rule.taxa))
        counted = (one for one in wanted if one.further is None or rule.min_count <= 1)
        return next((one for one in counted if _is_sure(rule, one)), None)
    if seen.category is None and not seen.taxa:
        return None
    best = seen.taxa[0] if seen.taxa and seen.taxa[0].further is None else Found()
    whole = Found(best.taxon if best.certain else None, best.label if best.certain else None, seen.animal_probability)
    return whole if rule.min_confidence is None or _reaches(rule.min_confidence, whole.confidence) else None


def _is_sure(rule: Rule, found: Found) -> bool:
    if not (found.certain or rule.uncertain):
        return False
    return rule.min_confidence is None or _reaches(rule.min_confidence, found.confidence)


def _reaches(least: float, confidence: float | None) -> bool:
    return confidence is not None and confidence >= least


def _names(taxon: str | None, taxonomy: Taxonomy) -> frozenset[str]:
    return frozenset((taxon, *taxonomy.ancestors(taxon))) if taxon else frozenset()


def _fits(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(
        pattern == name or ("*" in pattern and _expression(pattern).fullmatch(name) is not None) for pattern in patterns
    )


def _expression(pattern: str) -> re.Pattern[str]:
    # `re` caches the last 512 expressions.
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
