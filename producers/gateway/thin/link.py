"""What the gateway's loop does behind a thin link: prepares thumbnails, chooses transfers, looks up requests."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from uncia.errors import UnciaError
from uncia.events import Lane
from uncia.fetch_requests import LONGEST_LIST, MAX_BYTES, parse_requests, request_list_key, thumbnail_key
from uncia.imaging.gps_removal import MAX_BYTES as MAX_PHOTOGRAPH_BYTES
from uncia.imaging.gps_removal import remove_gps
from uncia.producers.gateway.completion import Completion
from uncia.producers.gateway.options import ThinOptions
from uncia.producers.gateway.run_context import RunContext
from uncia.producers.gateway.spool_entry import FileState, SpoolEntry
from uncia.producers.gateway.thin.budget import day_of, most_bytes, transfer_cost
from uncia.producers.gateway.thin.ledger import Ledger, Purpose
from uncia.producers.gateway.thin.plan import (
    Transfer,
    Urgency,
    is_poll_due,
    most_for_photograph,
    most_for_thumbnail,
    next_transfer,
)
from uncia.producers.gateway.thin.records import ThinRecords
from uncia.producers.gateway.thin.thumbnail import NoThumbnail, make_thumbnail
from uncia.producers.gateway.upload_pool import PollOutcome
from uncia.producers.gateway.uploader import Upload
from uncia.settings import StripGps
from uncia.storage.durable import replace_durably
from uncia.storage.object_store import AccessRefused, ObjectMissing

_PLAN_INTERVAL_S = 5.0
"""While the budget permits no transfer, the plan is made again after so long."""

_DISK_WAIT_S = 30
"""After a thumbnail could not be written, the next attempt is made so much later."""

_DAY_S = 86_400

_JUMP_S = 3600
"""A clock that differs by more from the time that has really passed was set."""

_EARLIEST_S = 1_735_689_600
"""Unix time of 2025-01-01: a clock that shows an earlier one was not set yet since the board was switched on."""


class RequestSource(Protocol):
    """Where lists of requests are read. Called by the thread of the pool."""

    def read_if_changed(self, key: str, etag: str, *, max_bytes: int) -> tuple[bytes, str] | None:
        """Bytes and ETag of an object; None where its ETag is still this one."""


@dataclass(frozen=True)
class LinkParts:
    """What a gateway needs behind a thin link."""

    ledger: Ledger
    requests: RequestSource
    tls: bool
    """Whether connections are encrypted: the handshake is part of what a transfer costs."""


class ThinLink:
    """Runs on the thread of the gateway, but for `begin`, `end` and `poll`, which run in its pool."""

    def __init__(self, run: RunContext, completion: Completion, options: ThinOptions, parts: LinkParts) -> None:
        self._run = run
        self._spool = run.spool
        self._completion = completion
        self._options = options
        self._parts = parts
        self._ledger = parts.ledger
        self._records = ThinRecords(run.spool)
        budget, tls = parts.ledger.budget, parts.tls
        self._kept_for_poll = transfer_cost(LONGEST_LIST, tls=tls)
        self._most = most_for_photograph(budget, self._kept_for_poll)
        self._most_thumbnail_bytes = most_bytes(most_for_thumbnail(budget, self._kept_for_poll), tls=tls)
        self._is_budget_applied = False
        self._last_poll: float | None = None
        self._last_answer: float | None = None
        """When the last poll began of which the answer is recorded, in this run."""
        self._steady_since = self._last_time = run.clock()
        """Since when the clock was not set, and what it showed last."""
        self._last_elapsed = _elapsed()
        self._was_clock_set = False
        self._prepare_again_at = 0.0
        self._plan_again_at = 0.0
        self._reported_day = ""
        self._reported_files: set[int] = set()
        self._was_refused = False

    @property
    def is_prepared(self) -> bool:
        """True where it is decided of every file that was read what is sent first."""
        return self._records.next_to_prepare() is None

    # Thumbnails.

    def prepare_next(self) -> bool:
        """Make the next thumbnail. False when there is none to make, or none can be written now."""
        if not self._is_budget_applied:
            self._records.prepare_again(self._most_thumbnail_bytes, most_bytes(self._most, tls=self._parts.tls))
            self._is_budget_applied = True
        now = self._run.clock()
        if now < self._prepare_again_at:
            return False
        entry = self._records.next_to_prepare()
        if entry is None:
            return False
        known = self._records.thumbnail(entry.id)
        key = known.key if known is not None else thumbnail_key(entry.key or "")
        try:
            if entry.replaces is not None or entry.partial is not None:
                raise NoThumbnail("it replaces a stored one" if entry.replaces is not None else "it is incomplete")
            thumbnail = make_thumbnail(self._content(entry), self._options.thumbnail_px, self._most_thumbnail_bytes)
        except NoThumbnail as error:
            self._records.add_whole(entry.id, key)
            self._plan_again_at = 0.0
            message = f"{entry.source} is sent whole, without a thumbnail: {error}"
            self._run.reporter.emit("no-thumbnail", message, path=str(entry.source), error=str(error))
            return True
        path = self._path(entry)
        new = path.with_name(f"{path.name}.part")  # removed by the next start where this one ends here
        try:
            new.write_bytes(thumbnail)
            replace_durably(new, path)
        except OSError as error:  # a full disk: what is uploaded meanwhile may free it
            self._prepare_again_at = now + _DISK_WAIT_S
            reason = f"no thumbnail can be written to {self._spool.folder} ({error.strerror})"
            message = f"{reason}: free some space; nothing is lost"
            self._run.reporter.emit("waiting", message, error=str(error), seconds=_DISK_WAIT_S)
            return False
        self._records.add_thumbnail(
            entry.id,
            key,
            size=len(thumbnail),
            sha256=hashlib.sha256(thumbnail).hexdigest(),
            md5=hashlib.md5(thumbnail, usedforsecurity=False).hexdigest(),
        )
        self._plan_again_at = 0.0
        return True

    def _content(self, entry: SpoolEntry) -> bytes:
        """The content that was spooled. Raises `NoThumbnail` where it cannot be read now: its upload says why."""
        path = self._spool.folder / entry.copy if entry.copy else entry.source
        if entry.size > MAX_PHOTOGRAPH_BYTES:
            raise NoThumbnail("it is too large")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise NoThumbnail(f"it cannot be read ({error.strerror})") from error
        if self._run.options.strip_gps is not StripGps.OFF:
            removal = remove_gps(data)
            data = removal.data if removal.problem is None else data
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise NoThumbnail("it changed after it was read")
        return data

    def _path(self, entry: SpoolEntry) -> Path:
        return self._spool.folder / f"{entry.id}-thumbnail.jpg"

    # Uploads.

    def claim(self, now: float) -> tuple[SpoolEntry, SpoolEntry | None] | None:
        """As `Spool.claim_upload`: the next file to send something of; None when nothing is due or affordable."""
        if now < self._plan_again_at:
            return None
        waiting = self._waiting(now)
        if not waiting:
            return None
        chosen = next_transfer(waiting, self._ledger.budget, self._ledger.spent(), self._kept_for_poll)
        if chosen is None:
            self._plan_again_at = now + _PLAN_INTERVAL_S
            self._report_blocked(waiting, now)
            return None
        return self._records.claim(chosen.file)

    def _waiting(self, now: float) -> list[Transfer]:
        return [
            Transfer(one.file, one.urgency, transfer_cost(one.bytes, tls=self._parts.tls))
            for one in self._records.waiting(now)
        ]

    def count_too_large(self) -> int:
        """The number of photographs that wait, need more than a day's budget has for one, and were named."""
        if not self._reported_files:
            return 0
        return sum(one.file in self._reported_files for one in self._waiting(math.inf) if self._is_too_large(one))

    def _is_too_large(self, one: Transfer) -> bool:
        return one.urgency is not Urgency.THUMBNAIL and one.cost > self._most

    def upload(self, entry: SpoolEntry, whole: Upload) -> Upload:
        """What is sent of a file: its thumbnail, or all of it."""
        thumbnail = self._records.thumbnail(entry.id)
        if thumbnail is None or thumbnail.urgency is not Urgency.THUMBNAIL:
            requested = thumbnail is not None and thumbnail.urgency is not Urgency.WHOLE
            # Requested means awaited, however long ago it was taken.
            return replace(whole, lane=Lane.LIVE) if requested else whole
        assert thumbnail.size is not None and thumbnail.sha256 and thumbnail.md5
        return replace(
            whole,
            path=self._path(entry),
            key=thumbnail.key,
            size=thumbnail.size,
            sha256=thumbnail.sha256,
            md5=thumbnail.md5,
            multipart=None,
            strip_gps=False,  # it was made of the content without a position
            position_key=None,
        )

    def begin(self, upload: Upload) -> None:
        """The bytes that follow are those of this upload."""
        is_thumbnail = upload.path.parent == self._spool.folder and upload.path.name.endswith("-thumbnail.jpg")
        self._ledger.begin(Purpose.THUMBNAIL if is_thumbnail else Purpose.PHOTOGRAPH)

    def end(self) -> None:
        """Give back what was leased and not used."""
        self._ledger.settle()

    def record_thumbnail(self, entry: SpoolEntry) -> bool:
        """The store has what was sent of this file. False where that was all of it."""
        thumbnail = self._records.thumbnail(entry.id)
        if thumbnail is None or thumbnail.urgency is not Urgency.THUMBNAIL:
            return False
        self._records.mark_held(entry, self._run.clock())
        self._path(entry).unlink(missing_ok=True)
        self._run.summary.thumbnails += 1
        self._run.reporter.emit(
            "thumbnail",
            f"{entry.source} -> {thumbnail.key} (thumbnail, {thumbnail.size:,} of {entry.size:,} bytes)",
            path=str(entry.source),
            camera=entry.camera,
            key=thumbnail.key,
            size=thumbnail.size,
        )
        return True

    def make_again(self, entry: SpoolEntry) -> bool:
        """A thumbnail could not be read: make it again. False where all of the file was to be sent."""
        thumbnail = self._records.thumbnail(entry.id)
        if thumbnail is None or thumbnail.urgency is not Urgency.THUMBNAIL:
            return False
        self._records.drop_thumbnail(entry)
        return True

    def _report_blocked(self, waiting: list[Transfer], now: float) -> None:
        most, budget = self._most, self._ledger.budget
        for transfer in waiting:
            if self._is_too_large(transfer) and transfer.file not in self._reported_files:
                self._reported_files.add(transfer.file)
                source = self._spool.entry(transfer.file).source
                message = (
                    f"{source} needs {transfer.cost:,} bytes, and at most {most:,} of a day's budget are for one "
                    "photograph: it stays here. Raise UNCIA_THIN_DAILY_KB, or collect the card"
                )
                self._run.reporter.emit("too-large", message, path=str(source), cost=transfer.cost, most=most)
        day = day_of(now)
        thumbnails = sum(one.urgency is Urgency.THUMBNAIL for one in waiting)
        photographs = sum(one.urgency is not Urgency.THUMBNAIL and one.cost <= most for one in waiting)
        if day != self._reported_day and thumbnails + photographs:
            self._reported_day = day
            message = (
                f"of today's {budget.limit:,} bytes too few are left: {thumbnails:,} thumbnails and "
                f"{photographs:,} photographs wait for the next UTC day"
            )
            self._run.reporter.emit(
                "budget", message, thumbnails=thumbnails, photographs=photographs, limit=budget.limit
            )

    # Requests.

    def due_poll(self, now: float) -> Callable[[], PollOutcome] | None:
        """The attempt to look up requests, if it is due. Without a photograph that could be requested it never is."""
        cost = transfer_cost(0, tls=self._parts.tls)  # the list is unchanged most of the time
        spent, budget = self._ledger.spent(), self._ledger.budget
        if not self._spool.count_held() or not is_poll_due(
            now, self._last_poll, self._options.poll_s, cost, budget, spent
        ):
            return None
        self._last_poll = now
        etag = self._records.list_etag()
        return lambda: self._poll(etag)

    def _poll(self, etag: str) -> PollOutcome:
        self._ledger.begin(Purpose.POLL)
        try:
            key = request_list_key(self._run.options.station)
            return PollOutcome(self._parts.requests.read_if_changed(key, etag, max_bytes=MAX_BYTES), None)
        except ObjectMissing:
            return PollOutcome(None, None)
        except Exception as error:  # any error: the next poll repeats it
            return PollOutcome(None, error)
        finally:
            self._ledger.settle()

    def record_poll(self, outcome: PollOutcome) -> None:
        """Store what the list names."""
        if isinstance(outcome.error, AccessRefused):
            if not self._was_refused:
                self._was_refused = True
                message = f"requests of photographs cannot be looked up: {outcome.error}"
                self._run.reporter.emit("fetch", message, error=str(outcome.error))
        elif outcome.error is not None:
            problem = outcome.error
            text = str(problem) if isinstance(problem, UnciaError) else type(problem).__name__
            self._run.reporter.emit("fetch", "", error=text)
        elif outcome.content is not None:
            data, etag = outcome.content
            self._records.add_requests(parse_requests(data), etag)
        if outcome.error is None:
            self._last_answer = self._last_poll

    def answer_requests(self) -> bool:
        """Answer requests that were not answered yet, each in a sentence. False when there were none to answer."""
        answered = False
        for request in self._records.unanswered():
            found = self._records.requested(request)
            if found is None:
                answer, source = "unknown", None
                sentence = f"the photograph {request.id} was requested, and this gateway knows no such thumbnail"
            else:
                entry, thumbnail = found
                source = entry.source
                match entry.state:
                    case FileState.HELD | FileState.SPOOLED | FileState.WAITING if (
                        entry.state is FileState.HELD or thumbnail.urgency is not Urgency.THUMBNAIL
                    ):
                        answer, sentence = (
                            "sending",
                            f"{source} was requested, and is sent as soon as the budget permits",
                        )
                    case FileState.CONFIRMED | FileState.DUPLICATE | FileState.SUPERSEDED:
                        answer, sentence = "sent", f"{source} was requested, and is stored already"
                    case FileState.EXPIRED | FileState.GONE:
                        answer, sentence = "gone", f"{source} was requested, and is not kept any more"
                    case _:
                        continue  # its thumbnail, or all of it, is on the way
            self._records.answer(request, answer, found[0] if found is not None and answer == "sending" else None)
            self._run.reporter.emit(
                "fetch", sentence, id=request.id, answer=answer, path=str(source) if source else None
            )
            self._plan_again_at = 0.0
            answered = True
        return answered

    def expire(self, now: float) -> bool:
        """End the time of one photograph that was not requested. False when there is none."""
        self._check_clock(now)
        entry = self._next_expired()
        if entry is None:
            return False
        self._records.mark_expired(entry)
        self._completion.remove_copy(entry)
        message = (
            f"{entry.source} was not requested in {self._options.keep_days:g} days: its copy in the spool is removed; "
            "the store has the thumbnail"
        )
        self._run.reporter.emit("expired", message, path=str(entry.source), camera=entry.camera)
        return True

    @property
    def is_expiry_due(self) -> bool:
        """True where the time of a photograph that was not requested is over."""
        return self._next_expired() is not None

    def _next_expired(self) -> SpoolEntry | None:
        """A photograph that the list did not name when it was read after the end of its time.

        Before an outage of the link it may have been requested in time.
        """
        if self._options.keep_days is None or self._last_answer is None:
            return None
        return self._records.next_expired(self._last_answer - self._options.keep_days * _DAY_S)

    def _check_clock(self, now: float) -> None:
        """Where the clock was set, count the time of those anew that are held since a time that it showed before."""
        elapsed = _elapsed()
        before = self._last_time + (elapsed - self._last_elapsed)
        if abs(now - before) > _JUMP_S:
            self._records.hold_anew(self._steady_since, before, now)
            self._steady_since = now
            self._prepare_again_at = self._plan_again_at = 0.0
            self._last_poll = self._last_answer = None
        if now >= _EARLIEST_S and not self._was_clock_set:
            self._records.hold_anew(0, _EARLIEST_S, now)
            self._was_clock_set = True
        self._last_time, self._last_elapsed = now, elapsed


def _elapsed() -> float:
    """Seconds that no setting of the clock changes, with the time in which the computer was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
