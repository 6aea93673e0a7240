"""Columns and rows that depend on several other rows: recomputed for what a batch touched, in its transaction.

Each is a function of the rows in the tables alone, so that neither order nor repetition matters:

- `bursts.category` to `confidence`, `reviewed`, `subject`, and the human observations and marks: of the burst as the
  models see it and of its reviews (see `burst_reviews`);
- `bursts.deployment_id`: of the start of the burst and the deployments of its camera;
- `bursts.reached_at` and `gap_s`: of the bursts of the same camera and subject;
- `bursts.change` and `derived_changes`: number this transaction;
- `burst_months`: of all bursts, kept by differences;
- `camera_days`: of the captures of the camera on that day;
- `recordings.counted` and `sound_calls.counted`: of the results of a recording, and of what replaced it (see
  `sound_rows`).
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from uncia.dashboard.catalogue.bulk import Conflict, write_rows
from uncia.dashboard.catalogue.burst_reviews import bursts_of_reviews, reviews_of, select_in
from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.gap_rows import Place, recompute_gaps
from uncia.dashboard.catalogue.gaps import deployment_at
from uncia.dashboard.catalogue.sound_rows import recompute_counted
from uncia.dashboard.catalogue.tables import (
    ALL_MONTHS,
    burst_flags,
    burst_months,
    bursts,
    camera_days,
    captures,
    counters,
    deployments,
    derived_changes,
    observations,
)
from uncia.dashboard.catalogue.verdicts import Shown, counting_review, marks_of, shown_by_review, subject_of
from uncia.events import SOUND_RECORDING, VIDEO_NOT_ANALYSED

__all__ = ["NOTED", "Touched", "complete_bursts", "kinds_of", "recompute"]

_CHUNK = 500

NOTED: dict[str, tuple[str, ...]] = {
    "captures": ("camera", "captured_on"),
    "bursts": ("camera", "subject", "started_at", "category", "taxon", "status", "reviewed", "event_review_id"),
    "individual_sightings": (),
    "recordings": ("recording_id", "bucket", "key"),
    "sound_calls": ("recording_id",),
}
"""What recomputing needs of rows that were replaced."""

_Kind = tuple[date, str, str, str, str, bool]
"""Key of `burst_months`."""


class Touched:
    """What a batch changed."""

    def __init__(self) -> None:
        self.bursts: set[str] = set()
        self.event_reviews: dict[str, str | None] = {}
        """By burst, the review that its new event names."""
        self.named_before: set[str] = set()
        """Bursts whose event named a review before: they may have human observations, and no review any more."""
        self.reviewed: set[str] = set()
        self.reviews: set[str] = set()
        """Ids of the reviews that were written."""
        self.cropped: set[str] = set()
        self.removed: set[str] = set()
        self.cameras: set[str] = set()
        """Cameras whose deployments changed."""
        self.kinds: Counter[_Kind] = Counter()
        """How many bursts more, or fewer, there are of a kind."""
        self.days: set[tuple[str, date]] = set()
        self.subjects: dict[tuple[str, str], set[Place]] = {}
        """By camera and subject, the bursts that came, went or changed."""
        self.recordings: set[str] = set()
        """Ids of sound recordings of which a result or a call was written."""
        self.recording_keys: set[tuple[str, str]] = set()
        """Bucket and key of the results that were written."""
        self._change: int | None = None

    def change(self, connection: Connection) -> int:
        """The number of this transaction, drawn when it is first needed."""
        if self._change is None:
            self._change = _next_change(connection)
        return self._change

    def note(self, table: str, rows: Iterable[Row], replaced: Iterable[Row] = ()) -> None:
        """Note rows that were written, and those that they replaced."""
        if table == "captures":
            self.days |= {
                (row["camera"], row["captured_on"]) for row in (*rows, *replaced) if row.get("captured_on") is not None
            }
        elif table == "bursts":
            self.bursts |= {row["burst_id"] for row in rows}
            self.removed |= {row["burst_id"] for row in replaced} - {row["burst_id"] for row in rows}
            self.event_reviews |= {row["burst_id"]: row["event_review_id"] for row in rows}
            self.named_before |= {row["burst_id"] for row in replaced if row["event_review_id"] is not None}
            for row in (*rows, *replaced):
                self.subject(row)
            self.kinds.update(kinds_of(rows))
            self.kinds.subtract(kinds_of(replaced))
        elif table == "reviews":
            self.reviewed |= {row["burst_id"] for row in rows}
            self.reviews |= {row["review_id"] for row in rows}
        elif table == "crops":
            self.cropped |= {row["burst_id"] for row in rows}
        elif table in ("recordings", "sound_calls"):
            for row in (*rows, *replaced):
                self.recordings.add(row["recording_id"])
                if table == "recordings":
                    self.recording_keys.add((row["bucket"], row["key"]))
        elif table == "deployments":
            self.cameras |= {row["camera"] for row in (*rows, *replaced)}

    def subject(self, row: Row) -> None:
        """Note that a burst is, or was, one of its subject."""
        if row["subject"] is None:
            return
        place = (row["started_at"], row["burst_id"])
        self.subjects.setdefault((row["camera"], row["subject"]), set()).add(place)


def kinds_of(rows: Iterable[Row]) -> Iterator[_Kind]:
    """The keys of `burst_months` under which bursts are counted."""
    for row in rows:
        kind = (row["camera"], row["category"] or "", row["taxon"] or "", row["status"], bool(row["reviewed"]))
        yield row["started_at"].date().replace(day=1), *kind
        yield ALL_MONTHS, *kind


def recompute(connection: Connection, touched: Touched) -> None:
    """Recompute what depends on what was touched."""
    if touched.reviews:
        # A review can be of a burst that has another id by now.
        touched.reviewed |= bursts_of_reviews(connection, touched.reviews)
    if ids := touched.bursts | touched.reviewed:
        _apply_reviews(connection, ids, touched)
    if touched.cameras:
        _assign_deployments(connection, touched)
    _number_changes(connection, touched, recompute_gaps(connection, touched.subjects))
    _count_kinds(connection, touched.kinds)
    if touched.days:
        _recompute_days(connection, touched.days)
    if touched.recordings:
        recompute_counted(connection, touched.recordings, touched.recording_keys)


_VERDICT = ("category", "taxon", "label", "rank", "count", "confidence")
_REVIEW = ("reviewed", "review_id", "reviewer", "subject", "flagged")
_BASE = ("burst_id", *NOTED["bursts"], *(f"model_{name}" for name in _VERDICT))

_SET_VERDICT = (
    update(bursts)
    .where(bursts.c.burst_id == bindparam("the_burst"))
    .values(
        {
            **{name: bindparam(f"new_{name}") for name in (*_VERDICT, *_REVIEW)},
            # Computed anew where there is a subject.
            "reached_at": None,
            "gap_s": None,
        }
    )
)


def complete_bursts(connection: Connection, rows: Sequence[Row], touched: Touched) -> list[Row]:
    """The rows of bursts with their subjects and deployments, as far as no review changes them."""
    number = touched.change(connection)
    places = _deployments_of(connection, {row["camera"] for row in rows})
    return [
        {
            **row,
            "reviewed": False,
            "change": number,
            "subject": subject_of(row["status"], _shown_by_model(row)),
            "deployment_id": deployment_at(places.get(row["camera"], ()), row["started_at"]),
        }
        for row in rows
    ]


def _apply_reviews(connection: Connection, ids: set[str], touched: Touched) -> None:
    """Set what bursts show, and their subjects, where there are reviews of them."""
    stored = select(bursts.c.burst_id, bursts.c.event_review_id)
    rest = select_in(connection, stored, bursts.c.burst_id, ids - touched.event_reviews.keys())
    named = {**touched.event_reviews, **{row["burst_id"]: row["event_review_id"] for row in rest}}
    by_burst = reviews_of(connection, named)
    changed = by_burst.keys() | (touched.named_before & named.keys())
    if not changed:
        return
    rows = select_in(connection, select(*(bursts.c[name] for name in _BASE)), bursts.c.burst_id, changed)
    flagged = select(burst_flags.c.burst_id).where(burst_flags.c.source == "model")
    by_model = {row["burst_id"] for row in select_in(connection, flagged, burst_flags.c.burst_id, changed)}
    verdicts, human, marks = [], [], []
    for row in rows:
        own = by_burst.get(row["burst_id"], [])
        review = counting_review(own)
        shown = _shown_by_model(row) if review is None else shown_by_review(review)
        subject = subject_of(row["status"], shown)
        own_marks = marks_of(own) if row["status"] != "superseded" else ()
        touched.subject(row)
        touched.subject({**row, "subject": subject})
        decided = {"category": shown.category, "taxon": shown.taxon, "reviewed": review is not None}
        touched.kinds.update(kinds_of([{**row, **decided}]))
        touched.kinds.subtract(kinds_of([row]))
        verdicts.append(
            {
                "the_burst": row["burst_id"],
                **{f"new_{name}": getattr(shown, name) for name in _VERDICT},
                "new_reviewed": review is not None,
                "new_review_id": review["review_id"] if review else None,
                "new_reviewer": review["reviewer"] if review else None,
                "new_subject": subject,
                "new_flagged": bool(own_marks) or row["burst_id"] in by_model,
            }
        )
        human += [] if review is None else _human_observations(row["burst_id"], review)
        marks += [{"burst_id": row["burst_id"], "flag": flag, "source": "human"} for flag in own_marks]
    if not verdicts:
        return
    connection.execute(_SET_VERDICT, verdicts)
    for chunk in _chunks([row["the_burst"] for row in verdicts]):
        for table in (observations, burst_flags):
            connection.execute(delete(table).where(table.c.burst_id.in_(chunk), table.c.source == "human"))
    write_rows(connection, observations, human)
    write_rows(connection, burst_flags, marks)


def _next_change(connection: Connection) -> int:
    """The number of this transaction, which becomes visible before the next one is drawn.

    Numbers are near the time in milliseconds, so that they go on rising after a rebuild.
    """
    now = int(1000 * time.time())
    drawn = update(counters).where(counters.c.name == "change")
    raised = drawn.values(value=case((counters.c.value >= now, counters.c.value + 1), else_=now))
    if connection.execute(raised).rowcount == 0:
        connection.execute(insert(counters).values(name="change", value=now))
    number: int = connection.execute(select(counters.c.value).where(counters.c.name == "change")).scalar_one()
    return number


def _number_changes(connection: Connection, touched: Touched, moved: set[str]) -> None:
    """Number this transaction in the rows that it changed. `moved`: bursts with another gap."""
    shown = touched.bursts | touched.reviewed | touched.cropped
    others = touched.removed | (moved - shown)
    if not shown and not others:
        return
    number = touched.change(connection)
    # Bursts were written with their number.
    for chunk in _chunks(sorted(shown - touched.bursts)):
        connection.execute(update(bursts).where(bursts.c.burst_id.in_(chunk)).values(change=number))
    rows = [{"burst_id": burst, "change": number} for burst in sorted(others)]
    write_rows(connection, derived_changes, rows, Conflict.REPLACE)


def _count_kinds(connection: Connection, kinds: Counter[_Kind]) -> None:
    """Add the differences, and remove kinds of which no burst is left."""
    names = [column.name for column in burst_months.primary_key.columns]
    changed = {kind: more for kind, more in sorted(kinds.items()) if more}
    rows = [{**dict(zip(names, kind, strict=True)), "bursts": more} for kind, more in changed.items()]
    write_rows(connection, burst_months, rows, Conflict.ADD)
    if any(more < 0 for more in changed.values()):
        connection.execute(delete(burst_months).where(burst_months.c.bursts == 0))


def _shown_by_model(row: Row) -> Shown:
    return Shown(*(row[f"model_{name}"] for name in _VERDICT))


def _human_observations(burst_id: str, review: Row) -> list[Row]:
    """The rows of the review that counts: one for each observation, and one for a blank."""
    common = {
        "burst_id": burst_id,
        "source": "human",
        "score": None,
        "confidence": None,
        "certain": True,
        "focus": None,
        "observed_by": review["reviewer"],
        "observed_at": review["reviewed_at"],
        "review_id": review["review_id"],
    }
    shown = shown_by_review(review)
    seen = review["observations"]
    if not seen or shown.category in (None, "blank"):
        verdict = {name: getattr(shown, name) for name in ("category", "taxon", "label", "rank", "count")}
        return [{**common, "number": 0, **verdict, "boxes": None}]
    return [
        {
            **common,
            "number": number,
            **{name: observation.get(name) for name in ("category", "taxon", "label", "rank", "count", "boxes")},
        }
        for number, observation in enumerate(seen)
    ]


def _assign_deployments(connection: Connection, touched: Touched) -> None:
    """Assign all bursts of cameras whose deployments changed, which is rare."""
    places = _deployments_of(connection, touched.cameras)
    wanted = select(*(bursts.c[name] for name in ("burst_id", "camera", "started_at", "subject", "deployment_id")))
    for camera in sorted(touched.cameras):
        changed = []
        for row in connection.execute(wanted.where(bursts.c.camera == camera)).mappings().all():
            deployment = deployment_at(places.get(camera, ()), row["started_at"])
            if deployment != row["deployment_id"]:
                touched.subject(row)
                changed.append({"the_burst": row["burst_id"], "new_deployment": deployment})
        if changed:
            statement = update(bursts).where(bursts.c.burst_id == bindparam("the_burst"))
            connection.execute(statement.values(deployment_id=bindparam("new_deployment")), changed)


def _recompute_days(connection: Connection, days: set[tuple[str, date]]) -> None:
    # A video is no fault of the camera: it is a capture, and not among the rejected files.
    failed = and_(
        captures.c.state == "rejected", captures.c.rejection_reason.not_in((SOUND_RECORDING, VIDEO_NOT_ANALYSED))
    )
    rejected = func.sum(case((failed, 1), else_=0))
    for chunk in _chunks(sorted(days)):
        connection.execute(delete(camera_days).where(tuple_(camera_days.c.camera, camera_days.c.day).in_(chunk)))
        counted = (
            select(
                captures.c.camera,
                captures.c.captured_on,
                func.count(),
                rejected,
                func.min(captures.c.captured_at),
                func.max(captures.c.captured_at),
                func.max(captures.c.uploaded_at),
                func.min(captures.c.temperature_c),
                func.max(captures.c.temperature_c),
                func.min(captures.c.battery_v),
            )
            .where(tuple_(captures.c.camera, captures.c.captured_on).in_(chunk))
            .group_by(captures.c.camera, captures.c.captured_on)
        )
        connection.execute(insert(camera_days).from_select(list(camera_days.columns), counted))


def _deployments_of(connection: Connection, cameras: Iterable[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in select_in(connection, select(deployments), deployments.c.camera, set(cameras)):
        found.setdefault(row["camera"], []).append(row)
    return found


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
