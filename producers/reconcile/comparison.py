"""One comparison of the bucket with the topics: page by page, with constant memory; resumes after an interruption."""

import json
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from uncia.producers.reconcile.ledger import Ledger, MovedUpload, UploadLocation, VanishedUpload
from uncia.producers.reconcile.object_state import UNRESOLVED, ObjectState, TimeLimits, is_retry_due, state_of
from uncia.producers.reconcile.upload_facts import object_keys, path_key
from uncia.storage.object_keys import STATUS_PREFIX, is_derived_key
from uncia.storage.object_store import StoredObject

PAGE_SIZE = 1000
_MAX_PENDING = 5000
"""Number of unresolved objects that are collected before the topics are read again and the objects are announced."""

_STALE_S = 24 * 3600
"""A comparison is resumed only within this time after its interruption."""

ReportState = Callable[[ObjectState, str], None]
"""Receives the state and key of each unresolved object, and of each upload that was moved or has vanished."""


@dataclass(frozen=True)
class Scope:
    """The objects to compare: keys with a prefix, stored from `since` on and before `until` by the store's clock."""

    prefix: str = ""
    since: datetime | None = None
    until: datetime | None = None
    again: bool = False
    """Also announce unanswered objects again."""
    accept_vanished: bool = False
    """Take uploads that have vanished for removed on purpose."""

    @property
    def listed_prefix(self) -> str:
        """The prefix to list. The Unicode forms of a key have only their leading ASCII characters in common; `includes`
        selects among the listed keys.
        """
        spelling = unicodedata.normalize("NFC", self.prefix)
        return spelling[: next((at for at, letter in enumerate(spelling) if not letter.isascii()), len(spelling))]

    def covers(self, key: str) -> bool:
        """True for a key that begins with the prefix, in any Unicode form."""
        return unicodedata.normalize("NFC", key).startswith(unicodedata.normalize("NFC", self.prefix))

    def includes(self, stored: StoredObject) -> bool:
        """True for a photograph or a camera's status report in this scope; Uncia's crops and explanations are none."""
        return (
            not stored.key.endswith("/")
            and (not is_derived_key(stored.key) or stored.key.startswith(STATUS_PREFIX))
            and self.covers(stored.key)
            and (self.since is None or stored.modified >= self.since)
            and (self.until is None or stored.modified < self.until)
        )

    def includes_upload(self, location: UploadLocation) -> bool:
        """True for an upload in this scope."""
        return (
            self.covers(location.key)
            and (self.since is None or location.uploaded_at >= self.since.timestamp())
            and (self.until is None or location.uploaded_at < self.until.timestamp())
        )

    def digest(self) -> str:
        """Identifies the scope: a stopped comparison is resumed only for the same one."""
        return json.dumps({name: str(value) for name, value in asdict(self).items()})


@dataclass
class ComparisonProgress:
    """The position and the counts of a comparison."""

    began: float
    after: str = ""
    """The last key that was processed."""
    counts: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    """Uploads that were taken for removed on purpose."""

    def to_json(self, scope: Scope) -> str:
        """Return the progress as the ledger stores it."""
        return json.dumps({"asked": scope.digest(), "began": self.began, "after": self.after, "counts": self.counts})

    @classmethod
    def from_json(cls, text: str | None, scope: Scope, now: float) -> "ComparisonProgress":
        """Return the stored progress if it has the same scope and is recent; else a new one."""
        stored: dict[str, Any] = json.loads(text) if text else {}
        if stored.get("asked") != scope.digest() or not 0 <= now - stored["began"] < _STALE_S:
            return cls(now)
        return cls(stored["began"], stored["after"], Counter(stored["counts"]))

    def count(self, state: ObjectState) -> int:
        """The number of objects in this state."""
        return self.counts[state.value]

    @property
    def is_zero(self) -> bool:
        """True when no object is missing."""
        return not any(self.count(state) for state in (*UNRESOLVED, ObjectState.VANISHED))


@dataclass(frozen=True)
class BucketComparison:
    """Compares a listing of the bucket with the ledger. Kafka and S3 are functions that the caller passes."""

    ledger: Ledger
    bucket: str
    catch_up: Callable[[], None]
    """Applies new messages of the topics to the ledger."""
    list_after: Callable[[str, str], Iterator[StoredObject]]
    """Lists the objects with a prefix, after a key."""
    announce: Callable[[list[StoredObject]], None]
    announce_moves: Callable[[list[MovedUpload]], None]
    etag_at: Callable[[str], str | None]
    """The ETag of the object under a key; None where there is none."""
    fresh_s: float
    unanswered_after_s: float
    again_after_s: float
    clock: Callable[[], float] = time.time

    def run(
        self, scope: Scope, name: str, report: ReportState, on_progress: Callable[[], None] = lambda: None
    ) -> ComparisonProgress:
        """Compare all objects of the scope, and announce those that are missing.

        After an interruption at any point, the next run with the same `name` resumes after the last processed key.
        """
        self.catch_up()
        on_progress()
        progress = ComparisonProgress.from_json(self.ledger.round_state(name), scope, self.clock())
        whole = not progress.after
        self.ledger.begin_listing()
        listing = self.list_after(scope.listed_prefix, progress.after)
        pending: list[StoredObject] = []
        while page := list(islice(listing, PAGE_SIZE)):
            self.ledger.add_listed([object_keys(self.bucket, stored.key, stored.etag)[0] for stored in page])
            for stored, state in self._states_of([stored for stored in page if scope.includes(stored)]):
                if state in (*UNRESOLVED, ObjectState.RETRIED):
                    pending.append(stored)
                else:
                    progress.counts[state.value] += 1
            progress.after = page[-1].key
            if len(pending) >= _MAX_PENDING:
                self._announce_pending(pending, scope, progress, report)
                pending = []
            if not pending:
                self.ledger.save_round(name, progress.to_json(scope))
            on_progress()
        self._announce_pending(pending, scope, progress, report)
        self._announce_moved(scope, progress, report)
        if whole:
            self._report_vanished(scope, progress, report)
        self.ledger.save_round(name, None)
        return progress

    def _states_of(self, objects: list[StoredObject]) -> list[tuple[StoredObject, ObjectState]]:
        keys = [object_keys(self.bucket, stored.key, stored.etag) for stored in objects]
        records = self.ledger.records([upload for upload, _ in keys])
        refused = self.ledger.refused([key for pair in keys for key in pair])
        limits = TimeLimits(self.clock(), self.fresh_s, self.unanswered_after_s, self.again_after_s)

        def refused_at(pair: tuple[bytes, bytes]) -> float | None:
            return max((refused[key] for key in pair if key in refused), default=None)

        def state(stored: StoredObject, pair: tuple[bytes, bytes]) -> ObjectState:
            modified = stored.modified.timestamp()
            found = state_of(records.get(pair[0]), refused_at(pair), modified, limits)
            # A dead letter of an upload means that it could not be read; one of a path, that its key is invalid.
            is_unreadable = found is ObjectState.REFUSED and refused.get(pair[0], 0.0) >= refused.get(pair[1], 0.0)
            is_due = is_unreadable and is_retry_due(refused[pair[0]], modified, limits.now)
            return ObjectState.RETRIED if is_due else found

        return [(stored, state(stored, pair)) for stored, pair in zip(objects, keys, strict=True)]

    def _announce_pending(
        self, pending: list[StoredObject], scope: Scope, progress: ComparisonProgress, report: ReportState
    ) -> None:
        """Read the topics once more, then report, claim and announce what is still unresolved."""
        if not pending:
            return
        self.catch_up()
        states = self._states_of(pending)
        to_announce = {ObjectState.MISSED, ObjectState.RETRIED} | ({ObjectState.UNANSWERED} if scope.again else set())
        ids = {
            stored.key: object_keys(self.bucket, stored.key, stored.etag)[0]
            for stored, state in states
            if state in to_announce
        }
        claimed_ids = self.ledger.claim(ids.values(), self.clock(), self.again_after_s)
        to_send = [stored for stored, _ in states if stored.key in ids and ids[stored.key] in claimed_ids]
        if to_send:
            self.announce(to_send)
        for stored, state in states:
            if state is ObjectState.MISSED and ids[stored.key] not in claimed_ids:
                state = ObjectState.WAITING  # claimed by another comparison in the meantime
            progress.counts[state.value] += 1
            if state in UNRESOLVED:
                report(state, stored.key)

    def _announce_moved(self, scope: Scope, progress: ComparisonProgress, report: ReportState) -> None:
        """Report and announce uploads whose objects were moved to another camera.

        An object that was only removed, because of its age or because it shows a person, keeps its results: a move
        requires the same bytes under another camera, with a prediction.
        """
        moves = [move for move in self.ledger.moves() if scope.covers(move.location.key)]
        moves = [move for move in moves if self._is_moved(move)]
        claimed_ids = self.ledger.claim([move.id for move in moves], self.clock(), self.again_after_s)
        if to_send := [move for move in moves if move.id in claimed_ids]:
            self.announce_moves(to_send)
        for move in to_send:
            progress.counts[ObjectState.MOVED.value] += 1
            report(ObjectState.MOVED, move.location.key)

    def _report_vanished(self, scope: Scope, progress: ComparisonProgress, report: ReportState) -> None:
        """Report the uploads that the store has lost, or accept them as removed on purpose.

        A listing does not show why an object is gone. Each is therefore reported until a person accepts it.
        """
        gone = [
            upload
            for upload in self.ledger.vanished()
            if scope.includes_upload(upload.location) and self._is_gone(upload)
        ]
        if scope.accept_vanished:
            self.ledger.accept_removal(gone)
            progress.accepted = len(gone)
            return
        for upload in gone:
            progress.counts[ObjectState.VANISHED.value] += 1
            report(ObjectState.VANISHED, upload.location.key)

    def _is_gone(self, upload: VanishedUpload) -> bool:
        """Check the store, also for copies: the listing is older, and may have covered only part of the bucket."""
        location = upload.location
        if location.path != path_key(f"{self.bucket}/{location.key}"):
            return False  # of a bucket that was used earlier
        if self.etag_at(location.key) is not None:
            return False
        return not any(self.etag_at(key) == etag for key, etag in self.ledger.copies(upload.id))

    def _is_moved(self, move: MovedUpload) -> bool:
        """Check the store: the listing is older than this moment, and may have covered only part of the bucket."""
        return self.etag_at(move.location.key) is None and self.etag_at(move.new_key) == move.new_etag
