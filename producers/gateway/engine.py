"""The gateway's loop: look, read, upload, write down; nothing here knows S3, and nothing here waits for the network."""

import contextlib
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from uncia.errors import DependencyDown, SettingsError
from uncia.producers.gateway import backoff, content
from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.completion import Destination, Endings
from uncia.producers.gateway.object_names import camera_of, digest_of_partial, object_key
from uncia.producers.gateway.report import Report
from uncia.producers.gateway.run import Options, Summary
from uncia.producers.gateway.settling import Settling, Stamp, open_for_writing
from uncia.producers.gateway.spool import UNFINISHED, Certain, Entry, Spool, State
from uncia.producers.gateway.spool_file import SpoolFull
from uncia.producers.gateway.upload_pool import Hands, Outcome
from uncia.producers.gateway.uploader import Upload
from uncia.producers.gateway.watcher import Seen, Watcher
from uncia.storage.object_store import AccessRefused

_LONGEST_WAIT_S = 0.25
"""How long the loop rests at most, so that it notices a request to end."""

_CHECK_PARTIAL_S = 3600.0
"""How often the bytes of a stored file that is no whole photograph are read again."""

_TOUCHED_IN_VAIN = 5
"""After so many changes of a file's change time that changed nothing in it, change times are not looked at any more."""

_LAST_WORDS_S = 0.4
"""How long answers that are on their way are waited for when it ends."""


class Gateway:
    """One run over one folder. `run` returns when it is done (`once`), gives up, or `stop` is set."""

    def __init__(
        self,
        options: Options,
        spool: Spool,
        watcher: Watcher,
        destination: Destination,
        hands: Hands,
        report: Report,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._options = options
        self._spool = spool
        self._watcher = watcher
        self._destination = destination
        self._hands = hands
        self._report = report
        self._stop = stop
        self._clock = clock
        self._rng = rng or random.Random()
        self.summary = Summary()
        self._endings = Endings(options, spool, destination, report, stop, self.summary)
        self._outcomes: deque[Outcome] = deque()
        self._settling = Settling(options.patience)
        self._bad_names: set[str] = set()
        self._left_noted = ""
        self._touched: Counter[Path] = Counter()
        self._next_look = 0.0
        self._looked = False
        self._ever_looked = False
        self._not_before = 0.0
        self._store_failures = 0

    def run(self) -> Summary:
        """The loop."""
        began = self._clock()
        self._endings.catch_up()
        while not self._stop.is_set():
            try:
                moved = self._turn()
            except SpoolFull as error:
                self._report.tell("waiting", str(error), error=str(error), seconds=5)
                self._stop.wait(5)
                continue
            except content.Stopped:
                break
            if self._options.once and self._done():
                break
            limit = self._options.give_up_after_s
            if limit is not None and self._clock() - began > limit:
                break
            if not moved:
                self._outcomes.extend(self._hands.finished(_LONGEST_WAIT_S))
        if self._stop.is_set() and self._hands.busy:
            with contextlib.suppress(SpoolFull):
                self._record_all(_LAST_WORDS_S)
                self._endings.note()
        self.summary.remaining = self._spool.remaining() + self._watcher.unsettled
        return self.summary

    def _turn(self) -> bool:
        """A little of everything; False when there was nothing to do."""
        moved = self._record_all(0)
        if self._clock() >= self._next_look:
            self._look()
        moved |= self._read_next() or self._check_partial()
        moved |= self._start_uploads()
        self._endings.note()
        self._report.progress(self.summary.uploaded + self.summary.duplicates, self._spool.remaining)
        return moved

    def _record_all(self, wait_s: float) -> bool:
        self._outcomes.extend(self._hands.finished(wait_s))
        moved = bool(self._outcomes)
        while self._outcomes:
            self._record(self._outcomes[0])
            self._outcomes.popleft()  # only now: a full disk must not make us forget it
        return moved

    def _done(self) -> bool:
        busy = self._hands.busy or self._outcomes or self._endings.pending
        return (
            not busy
            and self._looked
            and not self._watcher.unsettled
            and not self._spool.remaining()
            and self._spool.partial_due(self._clock()) is None
        )

    # Looking and reading.

    def _look(self) -> None:
        began = time.monotonic()
        try:
            ready = self._watcher.look(began)
        except OSError as error:
            text = f"cannot read {self._options.folder} ({error.strerror}); looking again until it is there"
            self._report.tell("waiting", text, error=text, seconds=self._options.poll_s * 10)
            self._next_look = self._clock() + self._options.poll_s * 10
            self._looked = self._ever_looked  # a card that was read and pulled out is not waited for
            return
        cameras: dict[str, list[Seen]] = {}
        for seen in ready:
            try:
                camera = camera_of(seen.path, self._options.folder, self._options.camera)
            except SettingsError as error:
                self._ignore(seen, error)
                continue
            cameras.setdefault(camera, []).append(seen)
        try:
            for camera, files in cameras.items():
                self._spool.add(self._options.station, camera, files)
        except SpoolFull:
            # Not written down: to be found again when there is room.
            for seen in (each for files in cameras.values() for each in files):
                self._watcher.forget(seen.path)
            raise
        self._note_left()
        self._looked = self._ever_looked = True
        # A card of 100,000 files must not keep the board busy with looking.
        self._next_look = self._clock() + max(self._options.poll_s, 5 * (time.monotonic() - began))

    def _ignore(self, seen: Seen, error: SettingsError) -> None:
        self.summary.ignored += 1
        if str(error) not in self._bad_names:
            self._bad_names.add(str(error))
            self._report.tell("ignored", f"{seen.path} is passed over: {error}", path=str(seen.path), error=str(error))

    def _note_left(self) -> None:
        left = self._watcher.left
        self.summary.left, self.summary.unreadable = dict(left.kinds), len(left.unreadable)
        for path, why in left.unreadable.items():
            if str(path) not in self._bad_names:
                self._bad_names.add(str(path))
                self._report.tell("unreadable", f"cannot read {path}: {why}", path=str(path), error=why)
        noted = json.dumps({"kinds": left.kinds, "unreadable": len(left.unreadable)}, sort_keys=True)
        if noted != self._left_noted:
            self._spool.note_left(noted)
            self._left_noted = noted

    def _read_next(self) -> bool:
        entry = self._spool.found(self._clock())
        if entry is None:
            return False
        stamp = Stamp.of(entry.source)
        reason = self._settling.reason(entry.id, stamp)
        if stamp is not None and reason is not None and self._wait_for(entry, stamp, reason):
            return True  # just as it was: no need to read it again
        copy = self._copy_path(entry) if self._options.copy else None
        try:
            try:
                told = self._read(entry, copy)
            except content.NoRoom:
                text = f"{entry.source.name} stays where it is: no room for a copy beside {self._spool.path.name}"
                self._report.tell("kept", text + "; do not pull the card out", path=str(entry.source))
                copy, told = None, self._read(entry, None)
        except content.SourceMissing as error:
            self._lost(entry, str(error), vanished=True)
        except content.SourceChanged as error:
            self._lost(entry, str(error), vanished=False)
        except content.SourceUnreadable as error:
            self._failed(entry, error)
        else:
            if not self._is_awaited(entry, told):
                self._take(entry, told, copy)
            elif copy is not None:
                copy.unlink(missing_ok=True)  # of bytes that are not all there
        return True

    def _read(self, entry: Entry, copy: Path | None) -> content.Content:
        try:
            return content.read(entry.source, entry.size, entry.mtime_ns, copy=copy, stop=self._stop)
        except (content.SourceMissing, content.SourceUnreadable):
            if copy and copy.exists() and copy.stat().st_size == entry.size:
                # A run that was cut off between the copy and the note, and then the card was pulled out.
                return content.read(copy, entry.size, None, copy=None, stop=self._stop)
            raise

    def _is_awaited(self, entry: Entry, told: content.Content) -> bool:
        """Whether the rest of the file may still be on its way, and is waited for."""
        shape = told.completeness.shape
        if shape is Shape.WHOLE or not self._options.patience.grace_s:
            return False
        if shape is Shape.OTHER and not open_for_writing(entry.source):
            return False
        reason = told.completeness.reason or "a program is writing it"
        return self._wait_for(entry, Stamp(entry.size, entry.mtime_ns, told.ctime_ns), reason)

    def _wait_for(self, entry: Entry, stamp: Stamp, reason: str) -> bool:
        now, known = self._clock(), entry.id in self._settling
        seconds = self._settling.waits(entry.id, stamp, reason, now)
        if seconds is None and open_for_writing(entry.source):
            seconds = self._settling.waits(entry.id, stamp, reason, now, written=True)
        if seconds is None:
            return False
        if not known:
            self._report.tell("incomplete", "", path=str(entry.source), camera=entry.camera, error=reason)
        self._spool.failed(entry, error=f"waiting for the rest of it: {reason}", next_try=now + seconds)
        return True

    def _take(self, entry: Entry, told: content.Content, copy: Path | None) -> None:
        """Its content will be uploaded: under a key of its own, or in place of the content that it goes on with."""
        bytes_of = copy or entry.source
        partial = told.completeness.reason if told.completeness.shape is Shape.PARTIAL else None
        certain = None
        if told.completeness.certain < entry.size:
            sha256_of_first = content.digest_of_first(bytes_of, told.completeness.certain)
            if sha256_of_first is None:
                self._lost(entry, "it changed after it was read", vanished=False)
                return
            certain = Certain(told.completeness.certain, sha256_of_first)
        replaces = None
        for earlier in self._spool.earlier(entry):
            if earlier.state is State.UPLOADING:
                self._spool.failed(entry, error="waiting for its earlier content", next_try=self._clock() + 1)
                return
            same = earlier.sha256 == told.sha256 and earlier.state not in UNFINISHED
            if same and (earlier.size, earlier.mtime_ns) == (entry.size, entry.mtime_ns):
                self._spool.unchanged(entry, earlier, told.ctime_ns)
                self._settling.forget(entry.id)
                self._touched[entry.source] += 1
                if self._touched[entry.source] >= _TOUCHED_IN_VAIN:
                    self._watcher.trusts_change_times = False  # every look has another one on some mounts
                if copy is not None:
                    copy.unlink(missing_ok=True)
                return
            size, sha256 = earlier.beginning
            if earlier.state is State.DUPLICATE or (same and earlier.partial is None):
                continue  # nothing of its own is in the store, or just these bytes are
            if content.digest_of_first(bytes_of, size) != sha256:
                continue  # another photograph under the name of an earlier one
            if earlier.state in UNFINISHED:
                self._spool.gone(earlier, "it went on")
                self._endings.drop_copy(earlier)
            else:
                replaces = earlier
        self._settling.forget(entry.id)
        capture = content.time_of_capture(told.exif, entry.source.name, entry.mtime_ns)
        digest = digest_of_partial(told.sha256, entry.source) if partial else told.sha256
        key = replaces.key if replaces else None
        key = key or object_key(entry.station, entry.camera, capture, digest, entry.source.suffix)
        self._spool.spooled(
            entry,
            told,
            key=key,
            copy=copy.name if copy is not None else None,
            partial=partial,
            certain=certain,
            replaces=replaces,
        )

    def _copy_path(self, entry: Entry) -> Path:
        return self._spool.folder / f"{entry.id}-{entry.size}-{entry.mtime_ns}"

    def _check_partial(self) -> bool:
        """Read a stored file again that was no whole photograph: some file systems tell of no change but the size's."""
        now = self._clock()
        entry = self._spool.partial_due(now)
        if entry is None:
            return False
        try:
            told = content.read(entry.source, entry.size, entry.mtime_ns, copy=None, stop=self._stop)
            if told.sha256 != entry.sha256:
                self._spool.changed_unseen(entry)
        except (content.SourceMissing, content.SourceChanged, content.SourceUnreadable):
            pass  # a change of size or time is found by looking
        self._spool.check_again(entry, now + _CHECK_PARTIAL_S)
        return True

    # Uploading.

    def _start_uploads(self) -> bool:
        now = self._clock()
        if now < self._not_before:
            return False
        started = False
        # While the store is down one attempt at a time feels for it.
        while self._hands.busy < (1 if self._store_failures else self._hands.number):
            claim = self._spool.claim(now)
            if claim is None:
                break
            started = True
            entry, twin = claim
            if twin is not None:
                self._endings.take(entry, None)
            else:
                self._hands.start(partial(self._attempt, entry))
        while self._hands.busy < self._hands.number and (done := self._endings.next_removal()) is not None:
            started = True
            upload = self._upload(done, self._spool.stored(done))
            self._hands.start(partial(self._endings.check_both_sides, done, upload))
        return started

    def _attempt(self, entry: Entry) -> Outcome:
        upload = self._upload(entry, entry)
        try:
            # An attempt that was cut off may have arrived all the same.
            receipt = self._destination.look_up(upload) if entry.attempts > 1 else None
            return Outcome(entry, receipt or self._destination.send(upload), None)
        except Exception as error:  # whatever it is, it is this attempt's and not the end of the gateway
            return Outcome(entry, None, error)

    def _upload(self, entry: Entry, stored: Entry) -> Upload:
        """What to send for `entry`, under the key of `stored` (itself, or the file that it repeats)."""
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
            remember=lambda number: self._spool.multipart(entry, number),
        )

    def _record(self, outcome: Outcome) -> None:
        entry, error = outcome.entry, outcome.error
        if outcome.removing:
            self._endings.remove(outcome)
        elif outcome.receipt is not None:
            self._store_failures = 0
            self._spool.confirmed(entry, etag=outcome.receipt.etag, at=outcome.receipt.at)
            self._endings.take(self._spool.entry(entry.id), outcome.receipt)
        elif isinstance(error, content.Stopped):
            return
        elif isinstance(error, DependencyDown | AccessRefused):
            self._store_failed(entry, error)
        elif isinstance(error, content.SourceMissing | content.SourceChanged):
            self._lost(entry, str(error), vanished=isinstance(error, content.SourceMissing))
        elif error is not None:
            self._failed(entry, error)

    def _store_failed(self, entry: Entry, error: Exception) -> None:
        now = self._clock()
        self._spool.failed(entry, error=str(error), next_try=now)
        if now < self._not_before:
            return  # one of several that were on their way when the store went
        self._store_failures += 1
        delays = backoff.REFUSED if isinstance(error, AccessRefused) else backoff.STORE_DOWN
        seconds = delays.delay_s(self._store_failures, self._rng)
        self._not_before = now + seconds
        remaining = self._spool.remaining()
        text = f"{error}. {remaining:,} files wait; next try in {seconds:.0f} s"
        self._report.tell("waiting", text, error=str(error), seconds=round(seconds, 1), remaining=remaining)

    def _failed(self, entry: Entry, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        seconds = backoff.ONE_FILE.delay_s(max(entry.attempts, 1), self._rng)
        self._spool.failed(entry, error=reason, next_try=self._clock() + seconds)
        text = f"{entry.source}: {reason}; next try in {seconds:.0f} s"
        self._report.tell("failed", text, path=str(entry.source), error=reason, seconds=round(seconds, 1))

    def _lost(self, entry: Entry, why: str, *, vanished: bool) -> None:
        awaited = entry.id in self._settling
        self._settling.forget(entry.id)
        self._spool.gone(entry, why)
        self._endings.drop_copy(entry)  # it was damaged: it must never be taken for the file
        self._watcher.forget(entry.source)
        self._looked = False
        self._next_look = 0
        self.summary.vanished += vanished
        event = "vanished" if vanished else "changed"
        text = f"{entry.source}: {why}" if vanished or not awaited else ""  # a transfer goes on: nothing to tell people
        self._report.tell(event, text, path=str(entry.source), camera=entry.camera, error=why)
