"""Runs a replay until it is complete or stopped; running it again resumes."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.identities import replay_identity
from uncia.kafka.broker import create_topics, topic_ids
from uncia.producers.replay.description import Replay, load_replay
from uncia.producers.replay.feed import FeedProgress, feed, is_second_look_selected, is_selected, select_all
from uncia.producers.replay.kafka_log import connect_to_log
from uncia.producers.replay.planning import PreparedReplay, upload_ends
from uncia.producers.replay.progress import BurstCounter, ReplayProgress, read_progress
from uncia.producers.replay.removal import remove_replay
from uncia.producers.replay.replay_model import ModelNotServed, ensure_served
from uncia.producers.replay.worker_processes import WorkerProcesses, end_processes
from uncia.replay_keys import issue_keys
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    DEPLOYMENT_CHANGED,
    IMAGE_BACKFILLED,
    IMAGE_PREDICTED,
    SECOND_LOOK_COMPLETED,
    UPLOAD_TOPICS,
)

TARGET = IMAGE_BACKFILLED
"""Both live lanes are copied to this topic: in the namespace, every upload waits for live ones."""

OWN_TOPICS = (TARGET, IMAGE_PREDICTED, BURST_RESOLVED)
"""Topics of the namespace from which the progress is read."""

_POLL_INTERVAL_S = 0.5

_STALLED_S = 20
"""Seconds without progress after which the model is loaded again: a restarted Triton serves the live one only."""

_MAX_NOT_SERVED = 3
"""Number of consecutive refusals by Triton after which the run fails."""

_TOPIC_CHECK_INTERVAL_S = 5
"""Interval of the check of topic ids, in seconds: a deleted topic looks like one that was read to its end."""

ReportProgress = Callable[[FeedProgress, ReplayProgress | None], None]
"""Receives the progress twice a second; None for the second argument while Kafka is unavailable."""


def run_replay(prepared: PreparedReplay, live: Settings, report: ReportProgress) -> ReplayProgress:
    """Run a replay until it is complete. A `KeyboardInterrupt` ends its processes and leaves its progress.

    So does any error, which `Replay.reason` then returns. A new replay that never began, because its model is not
    served or its workers refuse their settings, is removed again. Raises `UnciaError`.
    """
    replay = prepared.replay
    run = _Run(prepared, live, report)
    try:
        with replay.locked():
            try:
                return run.to_completion()
            except Exception as error:
                if prepared.is_new and not run.has_begun(error):
                    _remove_refused(replay, live)
                else:
                    with contextlib.suppress(OSError):
                        replay.save_reason(_message(error))
                raise
    except OSError as error:
        raise UnciaError(_message(error)) from error


def _message(error: Exception) -> str:
    if isinstance(error, OSError):
        return (
            f"the replay cannot continue: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        )
    return str(error) if isinstance(error, UnciaError) else f"{type(error).__name__}: {error}"


def _remove_refused(replay: Replay, live: Settings) -> None:
    """Remove a new replay whose start was refused."""
    try:
        remove_replay(replay, live)
    except UnciaError as error:
        with contextlib.suppress(OSError):
            replay.save_reason(f"it was refused, and {error}: `uncia replay drop {replay.name}` removes what is left")


class _Run:
    """One run of a replay."""

    def __init__(self, prepared: PreparedReplay, live: Settings, report: ReportProgress) -> None:
        self._prepared = prepared
        self._replay = prepared.replay
        self._live = live
        self._config = prepared.replay.settings(live)
        self._report = report
        self._feed_progress = FeedProgress()
        self._stop = threading.Event()
        self._workers_started = False
        self._answered = 0

    def has_begun(self, error: Exception) -> bool:
        """True where there is progress to resume from: the error is more than a refusal to start."""
        return self._workers_started and (self._answered > 0 or not isinstance(error, SettingsError))

    def to_completion(self) -> ReplayProgress:
        """Start everything, and wait until it is complete."""
        end_processes(self._replay.process_mark)
        if self._prepared.is_new:
            self._replay.save()
        self._replay.save_reason("")
        self._serve_model()
        create_topics(self._config)
        self._save_topic_ids()
        self._copy_context()
        variables = {
            **self._replay.variables(self._live),
            **issue_keys(replay_identity(self._replay.name).name, self._live),
        }
        with (
            WorkerProcesses(self._replay.folder, variables, self._replay.process_mark) as workers,
            ThreadPoolExecutor(1, thread_name_prefix="feeder") as pool,
        ):
            self._workers_started = True
            feeder = pool.submit(self._feed)
            try:
                progress = self._wait_until_complete(workers, feeder)
            finally:
                self._stop.set()
        self._update(completed_at=datetime.now(UTC))
        return progress

    def _update(self, **changes: object) -> None:
        load_replay(self._replay.name).model_copy(update=changes).save()

    def _serve_model(self) -> None:
        """Load the model in Triton. First stores that it is loaded for this replay, so that `drop` unloads it."""
        ensure_served(self._config, self._live, lambda: self._update(loaded_model=True))

    def _save_topic_ids(self) -> None:
        """Store the ids of the topics. Raises `UnciaError` where they are not those of the last run."""
        stored = load_replay(self._replay.name).topic_ids
        found = self._topic_ids()
        if not stored:
            self._update(topic_ids=found)
        _check_topic_ids(stored or found, found, self._replay.name)

    def _topic_ids(self) -> dict[str, str]:
        return topic_ids(self._live, UPLOAD_TOPICS) | topic_ids(self._config, OWN_TOPICS)

    def _wait_until_complete(self, workers: WorkerProcesses, feeder: Future[None]) -> ReplayProgress:
        stored_ids = load_replay(self._replay.name).topic_ids
        bursts = BurstCounter(self._config)
        unanswered, not_served = -1, 0
        progressed_at = checked_at = time.monotonic()
        while True:
            workers.restart_exited()
            copied_all = self._feed_progress.finished
            try:
                if time.monotonic() - checked_at > _TOPIC_CHECK_INTERVAL_S or copied_all:
                    _check_topic_ids(stored_ids, self._topic_ids(), self._replay.name)
                    checked_at = time.monotonic()
                with connect_to_log(self._config) as log:
                    progress = read_progress(log, bursts, (TARGET,))
            except DependencyDown:
                workers.reset_exits()
                self._report(self._feed_progress, None)
            else:
                self._record(progress, workers)
                if copied_all and progress.settled:
                    return progress
                if progress.unanswered != unanswered or not unanswered:
                    unanswered, progressed_at, not_served = progress.unanswered, time.monotonic(), 0
            if time.monotonic() - progressed_at > _STALLED_S:
                not_served = self._serve_again(not_served)
                progressed_at = time.monotonic()
            if feeder.done():
                feeder.result()
            time.sleep(_POLL_INTERVAL_S)

    def _record(self, progress: ReplayProgress, workers: WorkerProcesses) -> None:
        self._answered = progress.answered
        workers.record_progress(
            {
                "predict-backfill": progress.copied - progress.unanswered,
                "bursts": progress.answered - progress.unplaced,
            }
        )
        self._report(self._feed_progress, progress)

    def _serve_again(self, not_served: int) -> int:
        """Load the model again. Returns the number of consecutive refusals; raises `ModelNotServed` at the third."""
        try:
            self._serve_model()
        except ModelNotServed:
            if not_served + 1 >= _MAX_NOT_SERVED:
                raise
            return not_served + 1
        except DependencyDown:
            pass
        return 0

    def _feed(self) -> None:
        def selects(value: bytes | None) -> bool:
            return is_selected(self._replay.plan.selection, value, self._prepared.times)

        ends = upload_ends(self._replay)
        while not self._stop.is_set():
            try:
                feed(self._live, self._config, UPLOAD_TOPICS, TARGET, ends, selects, self._feed_progress, self._stop)
                return
            except DependencyDown:
                self._stop.wait(1)

    def _copy_context(self) -> None:
        """Copy the current deployments and second looks; later ones affect later replays only.

        A second look counts in the replay as it does live: where the replay has the same version of the detector.
        """

        def is_of_camera(value: bytes | None) -> bool:
            return is_second_look_selected(self._replay.plan.selection, value)

        for topic, selects in ((DEPLOYMENT_CHANGED, select_all), (SECOND_LOOK_COMPLETED, is_of_camera)):
            with connect_to_log(self._live) as log:
                ends = log.ends((topic,))
            feed(self._live, self._config, (topic,), topic, ends, selects, FeedProgress(), threading.Event())


def _check_topic_ids(stored: dict[str, str], found: dict[str, str], name: str) -> None:
    for topic, topic_id in stored.items():
        if found.get(topic) != topic_id:
            change = "was deleted" if topic not in found else "was deleted and created again"
            raise UnciaError(f"the topic {topic} {change}: run `uncia replay drop {name}`, then start the replay again")
