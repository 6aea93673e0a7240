"""The counts of pages from the columns in memory: the same numbers as those of `facets` and `numbers` in SQL."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from uncia.dashboard.catalogue.burst_columns import BurstColumns, moment_of
from uncia.dashboard.catalogue.facets import CONFIDENCE_RANGES, FacetCounts
from uncia.dashboard.catalogue.filters import NO_TAXON, BurstFilter, Scope
from uncia.dashboard.catalogue.number_rows import (
    BurstNumbers,
    CameraCount,
    ConfusedPair,
    DayCount,
    HourCount,
    SubjectCount,
)
from uncia.dashboard.catalogue.rows import ConfidenceCount, RangeCounts

__all__ = ["column_facets", "column_numbers", "column_ranges"]

_Mask = NDArray[np.bool_]
_Counts = NDArray[np.int64]

_MINUTES = 1440


def column_facets(columns: BurstColumns, chosen: BurstFilter, scope: Scope) -> tuple[FacetCounts, dict[str, int]]:
    """Counts by facet, and by flag."""
    counts = _by_kind(columns, _rows(columns, chosen))
    counts[~_allowed_kinds(columns, chosen, scope)] = 0
    masks = _facet_masks(columns, chosen, scope)
    failed = np.sum([~mask for mask in (masks.camera, masks.category, masks.taxon, masks.status, masks.reviewed)], 0)
    passed = np.where(failed == 0, counts, 0)

    def but_for(mask: _Mask) -> _Counts:
        """Counts by kind of bursts that pass all other facets."""
        return np.where((failed == 0) | ((failed == 1) & ~mask), counts, 0)

    named = {
        name: _by_name(columns, name, but_for(mask))
        for name, mask in (
            ("category", masks.category),
            ("taxon", masks.taxon),
            ("camera", masks.camera),
            ("status", masks.status),
        )
    }
    no, yes = np.bincount(columns.kind("reviewed"), weights=but_for(masks.reviewed), minlength=2)
    found = FacetCounts(
        total=int(passed.sum()),
        category=Counter({name or "": count for name, count in named["category"].items()}),
        taxon=named["taxon"],
        camera=Counter({name or "": count for name, count in named["camera"].items()}),
        status=Counter({name or "": count for name, count in named["status"].items()}),
        reviewed=Counter({value: int(count) for value, count in ((False, no), (True, yes)) if count}),
    )
    flags: Counter[str] = Counter()
    by_set = np.bincount(columns.kind("flags"), weights=passed, minlength=len(columns.flag_sets))
    for number in np.flatnonzero(by_set):
        flags.update(dict.fromkeys(columns.flag_sets[number], int(by_set[number])))
    return found, dict(sorted(flags.items()))


def column_ranges(columns: BurstColumns, chosen: BurstFilter, scope: Scope) -> RangeCounts:
    """Counts by month, by time of the day and by confidence."""
    kinds = _allowed_kinds(columns, chosen, scope) & _facet_masks(columns, chosen, scope).all()
    allowed = kinds[columns.row("kind")]
    masks = _row_masks(columns, chosen)

    def passed(*others: _Mask | None) -> _Mask:
        mask = _both(allowed, *others)
        return allowed if mask is None else mask

    by_day = np.bincount(columns.row("day")[passed(masks.hours, masks.confidence)], minlength=len(columns.day_ordinals))
    months: Counter[date] = Counter()
    for number in np.flatnonzero(by_day):
        months[date.fromordinal(int(columns.day_ordinals[number])).replace(day=1)] += int(by_day[number])
    by_minute = np.bincount(columns.row("minute")[passed(masks.days, masks.confidence)], minlength=_MINUTES)
    confidence = columns.row("confidence")[passed(masks.days, masks.hours)]
    return RangeCounts(
        month=dict(sorted(months.items())),
        hour=tuple(by_minute.reshape(24, 60).sum(axis=1).tolist()),
        confidence=tuple(
            ConfidenceCount(least, most, int(np.count_nonzero((confidence >= least) & (confidence <= most))))
            for least, most in CONFIDENCE_RANGES
        ),
    )


def column_numbers(columns: BurstColumns, chosen: BurstFilter, interval_s: float, scope: Scope) -> BurstNumbers:
    """The numbers of bursts that a filter allows."""
    if not len(columns):
        return BurstNumbers([], [], [], [], {})
    rows = _rows(columns, chosen)
    masks = _facet_masks(columns, chosen, scope)
    allowed = _allowed_kinds(columns, chosen, scope) & masks.all()
    # NaN: the first of its deployment.
    independent = ~(columns.row("gap_s") <= interval_s)
    if rows is not None:
        independent &= rows
    counts = np.where(allowed, _by_kind(columns, rows), 0)
    alone = np.where(allowed, _by_kind(columns, independent), 0)
    return BurstNumbers(
        subjects=_subjects(columns, rows, counts, alone),
        hours=_hours(columns, independent, allowed),
        days=_days(columns, rows, allowed),
        confusion=_confusion(columns, counts),
        by_camera=_by_camera(columns, counts, alone, chosen),
    )


@dataclass(frozen=True)
class _FacetMasks:
    """By kind, whether it passes the filter of each facet."""

    camera: _Mask
    category: _Mask
    taxon: _Mask
    status: _Mask
    reviewed: _Mask

    def all(self) -> _Mask:
        return self.camera & self.category & self.taxon & self.status & self.reviewed


def _facet_masks(columns: BurstColumns, chosen: BurstFilter, scope: Scope) -> _FacetMasks:
    everything = np.ones(columns.kinds, dtype=np.bool_)
    cameras = scope.cameras(chosen)
    taxon = everything
    if chosen.taxon is not None:
        taxon = columns.is_named("taxon", [None] if chosen.taxon == NO_TAXON else scope.below(chosen.taxon))
    return _FacetMasks(
        camera=everything if cameras is None else columns.is_named("camera", cameras),
        category=columns.is_named("category", chosen.categories) if chosen.categories else everything,
        taxon=taxon,
        status=columns.is_named("status", chosen.statuses)
        if chosen.statuses
        else ~columns.is_named("status", ["superseded"]),
        reviewed=everything if chosen.reviewed is None else columns.kind("reviewed") == chosen.reviewed,
    )


def _allowed_kinds(columns: BurstColumns, chosen: BurstFilter, scope: Scope) -> _Mask:
    """By kind, whether the caller may see it and it passes the filters that are no facets."""
    mask = columns.is_named("camera", scope.stations) if scope.restricted else np.ones(columns.kinds, dtype=np.bool_)
    if chosen.reviewer is not None:
        mask &= columns.is_named("reviewer", [chosen.reviewer])
    if chosen.focus is not None:
        mask &= columns.kind("focus") == chosen.focus
    for wanted, column in ((chosen.model_verdict, "model_verdict"), (chosen.verdict, "verdict")):
        if wanted is not None:
            mask &= columns.is_named(column, ["" if wanted == NO_TAXON else wanted])
    if chosen.flags:
        has_all = np.array([flags.issuperset(chosen.flags) for flags in columns.flag_sets], dtype=np.bool_)
        mask &= has_all[columns.kind("flags")]
    return mask


@dataclass(frozen=True)
class _RowMasks:
    """By burst, whether it passes the filter of days, hours and confidence; None: there is none."""

    days: _Mask | None
    hours: _Mask | None
    confidence: _Mask | None

    def all(self) -> _Mask | None:
        return _both(self.days, self.hours, self.confidence)


def _row_masks(columns: BurstColumns, chosen: BurstFilter) -> _RowMasks:
    days = hours = confidence = None
    if chosen.since is not None or chosen.until is not None:
        ordinals = columns.day_ordinals
        wanted = np.ones(len(ordinals), dtype=np.bool_)
        if chosen.since is not None:
            wanted &= ordinals >= chosen.since.toordinal()
        if chosen.until is not None:
            wanted &= ordinals <= chosen.until.toordinal()
        days = wanted[columns.row("day")]
    if chosen.hours is not None:
        minutes = np.arange(_MINUTES)
        after, before = minutes >= chosen.hours.first, minutes < chosen.hours.end
        hours = (after & before if chosen.hours.first < chosen.hours.end else after | before)[columns.row("minute")]
    if chosen.confidence_min is not None or chosen.confidence_max is not None:
        least = 0.0 if chosen.confidence_min is None else chosen.confidence_min
        most = 1.0 if chosen.confidence_max is None else chosen.confidence_max
        # NaN, for bursts without a confidence, passes neither.
        confidence = (columns.row("confidence") >= least) & (columns.row("confidence") <= most)
    return _RowMasks(days, hours, confidence)


def _rows(columns: BurstColumns, chosen: BurstFilter) -> _Mask | None:
    """By burst, whether it passes the filters of days, hours and confidence; None: there are none."""
    return _row_masks(columns, chosen).all()


def _both(*masks: _Mask | None) -> _Mask | None:
    given = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(given) if given else None


def _by_kind(columns: BurstColumns, rows: _Mask | None) -> _Counts:
    kinds = columns.row("kind")
    return np.bincount(kinds if rows is None else kinds[rows], minlength=columns.kinds)


def _by_name(columns: BurstColumns, name: str, counts: _Counts) -> Counter[str | None]:
    """Sums of counts by kind, by the name in a column; names without any are left out."""
    sums = np.bincount(columns.kind(name), weights=counts, minlength=len(columns.names))
    return Counter({columns.names[number]: int(sums[number]) for number in np.flatnonzero(sums)})


def _subjects(columns: BurstColumns, rows: _Mask | None, counts: _Counts, alone: _Counts) -> list[SubjectCount]:
    kinds = np.flatnonzero((counts > 0) & (columns.kind("subject") != 0))
    subjects = columns.kind("subject")[kinds]
    first_of_kind = np.full(columns.kinds, np.iinfo(np.int64).max, dtype=np.int64)
    own, started = columns.row("kind"), columns.row("started_at")
    np.minimum.at(first_of_kind, own if rows is None else own[rows], started if rows is None else started[rows])
    first_seen = np.full(len(columns.names), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first_seen, subjects, first_of_kind[kinds])
    labels, categories, cameras = (
        _names_by(columns, subjects, columns.kind(name)[kinds]) for name in ("label", "category", "camera")
    )
    independent = _by_name(columns, "subject", alone)
    found = []
    for subject, count in _by_name(columns, "subject", counts).items():
        if subject is None:
            continue
        (number,) = columns.numbers_of([subject])
        found.append(
            SubjectCount(
                subject,
                max(filter(None, labels[number]), default="") or subject,
                max(filter(None, categories[number]), default=""),
                count,
                independent[subject],
                len(cameras[number]),
                moment_of(int(first_seen[number])),
            )
        )
    return sorted(found, key=SubjectCount.rank)


def _names_by(
    columns: BurstColumns, groups: NDArray[np.int32], numbers: NDArray[np.int32]
) -> dict[int, list[str | None]]:
    """The different names of each group."""
    size = len(columns.names)
    found: dict[int, list[str | None]] = {}
    for pair in np.unique(size * groups.astype(np.int64) + numbers).tolist():
        found.setdefault(pair // size, []).append(columns.names[pair % size])
    return found


def _hours(columns: BurstColumns, independent: _Mask, allowed: _Mask) -> list[HourCount]:
    subjects, numbers = np.unique(np.where(allowed, columns.kind("subject"), 0), return_inverse=True)
    hour = (np.arange(_MINUTES) // 60).astype(np.int32)
    bins = 24 * numbers.astype(np.int32)[columns.row("kind")[independent]] + hour[columns.row("minute")[independent]]
    counted = np.bincount(bins, minlength=24 * len(subjects)).reshape(len(subjects), 24)
    return [
        HourCount(columns.names[subjects[at]] or "", int(number), int(counted[at, number]))
        for at, number in np.argwhere(counted)
        if subjects[at] != 0
    ]


def _days(columns: BurstColumns, rows: _Mask | None, allowed: _Mask) -> list[DayCount]:
    # Number -1, which nothing has, stands for all that is left out.
    categories, numbers = np.unique(np.where(allowed, columns.kind("category"), -1), return_inverse=True)
    kinds, days = columns.row("kind"), columns.row("day")
    if rows is not None:
        kinds, days = kinds[rows], days[rows]
    size = len(categories)
    bins = size * days.astype(np.int64) + numbers[kinds]
    counted = np.bincount(bins, minlength=size * len(columns.day_ordinals)).reshape(-1, size)
    ordinals, names = columns.day_ordinals.tolist(), [columns.names[number] or "" for number in categories.tolist()]
    left_out = set(np.flatnonzero(categories == -1).tolist())
    found = [
        DayCount(date.fromordinal(ordinals[day]), names[at], count)
        for (day, at), count in zip(np.argwhere(counted).tolist(), counted[counted > 0].tolist(), strict=True)
        if at not in left_out
    ]
    return sorted(found, key=lambda one: (one.day, one.category))


def _confusion(columns: BurstColumns, counts: _Counts) -> list[ConfusedPair]:
    kinds = np.flatnonzero((counts > 0) & columns.kind("reviewed"))
    size, names = len(columns.names), columns.names
    both = size * columns.kind("model_verdict")[kinds].astype(np.int64) + columns.kind("verdict")[kinds]
    pairs, numbers = np.unique(both, return_inverse=True)
    sums = np.bincount(numbers, weights=counts[kinds], minlength=len(pairs))
    return [
        ConfusedPair(names[pair // size] or "", names[pair % size] or "", int(count))
        for pair, count in zip(pairs.tolist(), sums, strict=True)
    ]


def _by_camera(columns: BurstColumns, counts: _Counts, alone: _Counts, chosen: BurstFilter) -> dict[str, CameraCount]:
    blank, animal = columns.is_named("category", ["blank"]), columns.is_named("category", ["animal"])
    counted = columns.is_named("category", chosen.categories or ("animal",)) & (columns.kind("subject") != 0)
    bursts = _by_name(columns, "camera", counts)
    blanks = _by_name(columns, "camera", np.where(blank, counts, 0))
    independent = _by_name(columns, "camera", np.where(counted, alone, 0))
    named = np.flatnonzero((counts > 0) & animal & (columns.kind("taxon") != 0))
    taxa = {
        columns.names[camera]: len(taxa)
        for camera, taxa in _names_by(columns, columns.kind("camera")[named], columns.kind("taxon")[named]).items()
    }
    return {
        camera or "": CameraCount(count, blanks[camera], independent[camera], taxa.get(camera, 0))
        for camera, count in bursts.items()
    }
