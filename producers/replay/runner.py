"""Runs a replay until it is done or told to stop; to run it again goes on."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.kafka.broker import create_topics, topic_ids
from uncia.producers.replay.description import Replay, load
from uncia.producers.replay.feed import Fed, everything, feed, wanted
from uncia.producers.replay.log_offsets import asking
from uncia.producers.replay.model_check import NotServed, ensure_served
from uncia.producers.replay.planning import Described, ends_of
from uncia.producers.replay.progress import OpenBursts, Progress, progress_of
from uncia.producers.replay.removal import remove
from uncia.producers.replay.workers import Workers, end_left_behind
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, IMAGE_BACKFILLED, IMAGE_PREDICTED, UPLOAD_TOPICS

TARGET = IMAGE_BACKFILLED
"""Both live lanes are copied here: in the namespace everything waits for live."""

CONTEXT = DEPLOYMENT_CHANGED
"""What the workers read beside photographs: copied whole, before they start."""

OWN_TOPICS = (TARGET, IMAGE_PREDICTED, BURST_RESOLVED)
"""Of the namespace: progress is read from these."""

_ASK_EVERY_S = 0.5

_STUCK_S = 20
"""Without an answer for so long, Triton is asked for the model again: one that was restarted serves live's alone."""

_NOT_SERVED = 3
"""So often in a row Triton may answer that it cannot serve the model; then the run ends."""

_LOOK_EVERY_S = 5
"""The topics are looked for so often: one that was deleted must not pass for one that was read to its end."""

Report = Callable[[Fed, Progress | None], None]


def run(what: Described, live: Settings, report: Report) -> Progress:
    """Run it to its end. A `KeyboardInterrupt` ends its processes and leaves it where it is.

    So does any error, and `Replay.reason` has it from then on; but a new replay that never began, because its model
    is not served or its workers refuse their settings, is taken away again. Raises `UnciaError`.
    """
    replay = what.replay
    running = _Run(what, live, report)
    try:
        with replay.alone():
            try:
                return running.to_its_end()
            except Exception as error:
                if what.new and not running.began(error):
                    _take_away(replay, live)
                else:
                    with contextlib.suppress(OSError):
                        replay.note_reason(_words(error))
                raise
    except OSError as error:
        raise UnciaError(_words(error)) from error


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the replay cannot go on: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
    return str(error) if isinstance(error, UnciaError) else f"{type(error).__name__}: {error}"


def _take_away(replay: Replay, live: Settings) -> None:
    """A refused start leaves nothing."""
    try:
        remove(replay, live)
    except DependencyDown as error:
        with contextlib.suppress(OSError):
            replay.note_reason(
                f"it was refused, and {error}: `uncia replay drop {replay.name}` takes away what is left"
            )


class _Run:
    """One run of a replay."""

    def __init__(self, what: Described, live: Settings, report: Report) -> None:
        self._what = what
        self._replay = what.replay
        self._live = live
        self._config = what.replay.settings(live)
        self._report = report
        self._fed = Fed()
        self._stop = threading.Event()
        self._working = False
        self._answered = 0

    def began(self, error: Exception) -> bool:
        """There is something to go on with: the error is more than a refusal to start."""
        return self._working and (self._answered > 0 or not isinstance(error, SettingsError))

    def to_its_end(self) -> Progress:
        """Start everything, and wait until it is done."""
        end_left_behind(self._replay.mark)
        if self._what.new:
            self._replay.save()
        self._replay.note_reason("")
        self._serve()
        create_topics(self._config)
        self._know_topics()
        self._copy_context()
        with (
            Workers(self._replay.folder, self._replay.variables(self._live), self._replay.mark) as workers,
            ThreadPoolExecutor(1, thread_name_prefix="feeder") as pool,
        ):
            self._working = True
            feeder = pool.submit(self._feed)
            try:
                progress = self._until_done(workers, feeder)
            finally:
                self._stop.set()
        load(self._replay.name).model_copy(update={"completed_at": datetime.now(UTC)}).save()
        return progress

    def _serve(self) -> None:
        """Have the model served; that it is loaded for us is written down first, so that `drop` unloads it anyhow."""

        def note() -> None:
            load(self._replay.name).model_copy(update={"loaded_model": True}).save()

        ensure_served(self._config, self._live, note)

    def _know_topics(self) -> None:
        """Write down which topics these are. Raises `UnciaError` where they are not those of the last run."""
        known = load(self._replay.name)
        found = self._topic_ids()
        if not known.topic_ids:
            known.model_copy(update={"topic_ids": found}).save()
        _must_be_the_same(known.topic_ids or found, found, known.name)

    def _topic_ids(self) -> dict[str, str]:
        return topic_ids(self._live, UPLOAD_TOPICS) | topic_ids(self._config, OWN_TOPICS)

    def _until_done(self, workers: Workers, feeder: Future[None]) -> Progress:
        topics = load(self._replay.name).topic_ids
        bursts = OpenBursts(self._config)
        unanswered, not_served = -1, 0
        moved = looked = time.monotonic()
        while True:
            workers.look_after()
            copied_all = self._fed.finished
            try:
                if time.monotonic() - looked > _LOOK_EVERY_S or copied_all:
                    _must_be_the_same(topics, self._topic_ids(), self._replay.name)
                    looked = time.monotonic()
                with asking(self._config) as log:
                    progress = progress_of(log, bursts, (TARGET,))
            except DependencyDown:
                workers.forgive()
                self._report(self._fed, None)
            else:
                self._note(progress, workers)
                if copied_all and progress.settled:
                    return progress
                if progress.unanswered != unanswered or not unanswered:
                    unanswered, moved, not_served = progress.unanswered, time.monotonic(), 0
            if time.monotonic() - moved > _STUCK_S:
                not_served = self._serve_again(not_served)
                moved = time.monotonic()
            if feeder.done():
                feeder.result()
            time.sleep(_ASK_EVERY_S)

    def _note(self, progress: Progress, workers: Workers) -> None:
        self._answered = progress.answered
        workers.note_done(
            {
                "predict-backfill": progress.copied - progress.unanswered,
                "bursts": progress.answered - progress.unplaced,
            }
        )
        self._report(self._fed, progress)

    def _serve_again(self, not_served: int) -> int:
        """How often in a row Triton has answered by now that it cannot. Raises `NotServed` when that is too often."""
        try:
            self._serve()
        except NotServed:
            if not_served + 1 >= _NOT_SERVED:
                raise
            return not_served + 1
        except DependencyDown:
            pass
        return 0

    def _feed(self) -> None:
        def takes(value: bytes | None) -> bool:
            return wanted(self._replay.plan.selection, value, self._what.times)

        ends = ends_of(self._replay)
        while not self._stop.is_set():
            try:
                feed(self._live, self._config, UPLOAD_TOPICS, TARGET, ends, takes, self._fed, self._stop)
                return
            except DependencyDown:
                self._stop.wait(1)

    def _copy_context(self) -> None:
        """What changes there after that matters to the next replay."""
        with asking(self._live) as log:
            ends = log.ends((CONTEXT,))
        feed(self._live, self._config, (CONTEXT,), CONTEXT, ends, everything, Fed(), threading.Event())


def _must_be_the_same(known: dict[str, str], found: dict[str, str], name: str) -> None:
    for topic, topic_id in known.items():
        if found.get(topic) != topic_id:
            became = "was deleted" if topic not in found else "was deleted and made anew"
            raise UnciaError(f"the topic {topic} {became}: `uncia replay drop {name}`, then start it again")
