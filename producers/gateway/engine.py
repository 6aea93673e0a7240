"""The main loop of the gateway: scan, read, upload, record. It knows no S3 and never waits for the network."""

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from uncia.errors import DependencyDown
from uncia.producers.gateway import backoff
from uncia.producers.gateway.completion import Completion, Destination
from uncia.producers.gateway.content import SourceChanged, SourceMissing, Stopped
from uncia.producers.gateway.content_reader import ContentReader
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.gateway.file_failures import FileFailures
from uncia.producers.gateway.folder_scan import FolderScan
from uncia.producers.gateway.incomplete_files import IncompleteFiles
from uncia.producers.gateway.options import GatewayOptions
from uncia.producers.gateway.run_context import RunContext
from uncia.producers.gateway.run_summary import RunSummary
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_database import SpoolFull
from uncia.producers.gateway.spool_entry import SpoolEntry
from uncia.producers.gateway.thin.link import LinkParts, ThinLink
from uncia.producers.gateway.upload_pool import Outcome, PollOutcome, UploadOutcome, UploadPool
from uncia.producers.gateway.uploader import Upload
from uncia.producers.gateway.watcher import Watcher
from uncia.settings import StripGps
from uncia.storage.object_store import AccessRefused

_MAX_IDLE_S = 0.25
"""The longest idle wait of the loop, so that it notices a request to end."""

_SPOOL_FULL_WAIT_S = 5

_FINAL_WAIT_S = 0.4
"""Maximum wait for the outcomes of running attempts when the gateway ends."""


class Gateway:
    """One run over one folder, on one thread. Uploads run in the pool; the spool holds all state that must survive."""

    def __init__(
        self,
        options: GatewayOptions,
        spool: Spool,
        watcher: Watcher,
        destination: Destination,
        pool: UploadPool,
        reporter: EventReporter,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        link: LinkParts | None = None,
    ) -> None:
        self._run = RunContext(options, spool, reporter, stop, clock, rng or random.Random())
        self._options = options
        self._spool = spool
        self._destination = destination
        self._pool = pool
        self._completion = Completion(self._run, destination)
        self._scan = FolderScan(self._run, watcher)
        incomplete = IncompleteFiles(options.grace)
        self._failures = FileFailures(self._run, watcher, self._scan, incomplete, self._completion)
        self._reader = ContentReader(self._run, watcher, incomplete, self._completion, self._failures)
        self._thin: ThinLink | None = None
        if options.thin is not None:
            assert link is not None
            self._thin = ThinLink(self._run, self._completion, options.thin, link)
        self._outcomes: deque[Outcome] = deque()
        self._uploads_paused_until = 0.0
        self._store_failures = 0

    def run(self) -> RunSummary:
        """Run until everything is stored (`once`), until the time of `give_up_after_s` is over, or until `stop`."""
        stop, clock = self._run.stop, self._run.clock
        began = clock()
        self._completion.resume()
        while not stop.is_set():
            try:
                was_busy = self._step()
            except SpoolFull as error:
                self._run.reporter.emit("waiting", str(error), error=str(error), seconds=_SPOOL_FULL_WAIT_S)
                stop.wait(_SPOOL_FULL_WAIT_S)
                continue
            except Stopped:
                break
            if self._options.once and self._is_done():
                break
            limit = self._options.give_up_after_s
            if limit is not None and clock() - began > limit:
                break
            if not was_busy:
                self._outcomes.extend(self._pool.finished(_MAX_IDLE_S))
        if stop.is_set() and self._pool.busy:
            with contextlib.suppress(SpoolFull):
                self._record_outcomes(_FINAL_WAIT_S)
                self._completion.save_reported()
        self._scan.report_skipped()
        summary = self._run.summary
        summary.held = self._spool.count_held()
        summary.expired = self._spool.count_expired()
        summary.too_large = self._count_too_large()
        summary.remaining = self._spool.count_unfinished() + self._scan.unsettled
        return summary

    def _step(self) -> bool:
        """Do a little of everything. False when there was nothing to do."""
        busy = self._record_outcomes(0)
        self._scan.scan_if_due()
        busy |= self._reader.read_next() or self._reader.check_partial()
        if self._thin is not None:
            busy |= self._thin.prepare_next()
            busy |= self._thin.answer_requests()
            busy |= self._thin.expire(self._run.clock())
        busy |= self._start_uploads()
        self._completion.save_reported()
        summary = self._run.summary
        self._run.reporter.progress(summary.uploaded + summary.duplicates, self._spool.count_unfinished)
        return busy

    def _is_done(self) -> bool:
        return (
            not (self._pool.busy or self._outcomes or self._completion.pending)
            and self._scan.is_complete
            and self._spool.count_unfinished() == self._count_too_large()
            and self._spool.next_partial_check(self._run.clock()) is None
            and not (self._thin is not None and self._thin.is_expiry_due)
        )

    def _count_too_large(self) -> int:
        """The number of photographs that a thin link can never carry: no wait helps them."""
        return self._thin.count_too_large() if self._thin is not None else 0

    def _start_uploads(self) -> bool:
        """Start as many attempts as the pool has free threads. False when none was started."""
        now = self._run.clock()
        if now < self._uploads_paused_until:
            return False
        if self._thin is not None and not self._pool.busy and (poll := self._thin.due_poll(now)) is not None:
            self._pool.start(poll)
            return True
        started = False
        # While the store is unavailable, one attempt at a time probes it.
        while self._pool.busy < (1 if self._store_failures else self._pool.size):
            claim = self._thin.claim(now) if self._thin is not None else self._spool.claim_upload(now)
            if claim is None:
                break
            started = True
            entry, stored = claim
            if stored is not None:
                self._completion.complete(entry, None)
            else:
                self._pool.start(partial(self._attempt, entry))
        while self._pool.busy < self._pool.size and (entry_to_remove := self._completion.next_removal()) is not None:
            started = True
            upload = self._upload(entry_to_remove, self._spool.stored_entry(entry_to_remove))
            self._pool.start(partial(self._completion.verify_both_sides, entry_to_remove, upload))
        return started

    def _attempt(self, entry: SpoolEntry) -> UploadOutcome:
        """Runs in the pool."""
        upload = self._upload(entry, entry)
        try:
            if self._thin is not None:
                upload = self._thin.upload(entry, upload)
                self._thin.begin(upload)
            # An interrupted attempt may have arrived all the same.
            receipt = self._destination.find_stored(upload) if entry.attempts > 1 else None
            return UploadOutcome(entry, receipt or self._destination.send(upload), None)
        except Exception as error:  # any error: this attempt failed, and the gateway continues
            return UploadOutcome(entry, None, error)
        finally:
            if self._thin is not None:
                self._thin.end()

    def _upload(self, entry: SpoolEntry, stored: SpoolEntry) -> Upload:
        """The upload of `entry` under the key of `stored`: itself, or the file that it repeats."""
        assert entry.sha256 and entry.md5 and stored.key
        return Upload(
            path=self._spool.folder / entry.copy if entry.copy else entry.source,
            name=entry.source.name,
            station=entry.station,
            camera=entry.camera,
            key=stored.key,
            size=entry.size,
            sha256=entry.sha256,
            md5=entry.md5,
            multipart=entry.multipart,
            lane=self._options.lane,
            partial=entry.partial,
            strip_gps=self._options.strip_gps is not StripGps.OFF,
            position_key=self._options.position_key,
            save_multipart_id=lambda upload_id: self._spool.save_multipart_id(entry, upload_id),
        )

    def _record_outcomes(self, wait_s: float) -> bool:
        """Record finished attempts, after waiting up to `wait_s` seconds for one. False when there were none."""
        self._outcomes.extend(self._pool.finished(wait_s))
        any_finished = bool(self._outcomes)
        while self._outcomes:
            self._record(self._outcomes[0])
            self._outcomes.popleft()  # only now: a full disk must not lose the outcome
        return any_finished

    def _record(self, outcome: Outcome) -> None:
        if isinstance(outcome, PollOutcome):
            assert self._thin is not None
            self._thin.record_poll(outcome)
            return
        entry, error = outcome.entry, outcome.error
        if outcome.is_removal_check:
            self._completion.remove_source(outcome)
        elif outcome.receipt is not None:
            self._store_failures = 0
            if self._thin is not None and self._thin.record_thumbnail(entry):
                return
            self._spool.mark_confirmed(entry, etag=outcome.receipt.etag, at=outcome.receipt.at)
            self._completion.complete(self._spool.entry(entry.id), outcome.receipt)
        elif isinstance(error, Stopped):
            return
        elif isinstance(error, DependencyDown | AccessRefused):
            self._store_failed(entry, error)
        elif isinstance(error, SourceMissing | SourceChanged):
            if self._thin is not None and self._thin.make_again(entry):
                return
            self._failures.drop(entry, str(error), vanished=isinstance(error, SourceMissing))
        elif error is not None:
            self._failures.retry_later(entry, error)

    def _store_failed(self, entry: SpoolEntry, error: Exception) -> None:
        """The store is unavailable or refuses access: pause all uploads."""
        now = self._run.clock()
        self._spool.schedule_retry(entry, error=str(error), next_try=now)
        if now < self._uploads_paused_until:
            return  # one of several that were running when the store became unavailable
        self._store_failures += 1
        delays = backoff.ACCESS_REFUSED if isinstance(error, AccessRefused) else backoff.STORE_UNAVAILABLE
        seconds = delays.delay_s(self._store_failures, self._run.rng)
        self._uploads_paused_until = now + seconds
        remaining = self._spool.count_unfinished()
        self._run.reporter.emit(
            "waiting",
            f"{error}. {remaining:,} files wait; next attempt in {seconds:.0f} s",
            error=str(error),
            seconds=round(seconds, 1),
            remaining=remaining,
        )
