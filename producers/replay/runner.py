"""Runs a replay until it is done or told to stop; to run it again goes on."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from producers.replay.description import Plan, Replay, find, load
from producers.replay.feed import Fed, everything, feed, wanted
from producers.replay.log import Place, asking
from producers.replay.models import ensure_served
from producers.replay.progress import OpenBursts, Progress, progress_of
from producers.replay.workers import Workers, end_left_behind
from uncia.broker import create_topics
from uncia.errors import DependencyDown, UnciaError
from uncia.settings import Settings
from uncia.topics import DEPLOYMENT_CHANGED, IMAGE_BACKFILLED, UPLOAD_TOPICS

TARGET = IMAGE_BACKFILLED
"""Both live lanes are copied here: in the namespace everything waits for live."""

CONTEXT = DEPLOYMENT_CHANGED
"""What the workers read beside photographs: copied whole, before they start."""

_ASK_EVERY_S = 0.5

_STUCK_S = 20
"""Without an answer for so long, Triton is asked for the model again: one that was restarted serves live's alone."""

Report = Callable[[Fed, Progress | None], None]


def described(name: str, plan: Plan, live: Settings) -> Replay:
    """The replay of that name: the one that there is if the plan is the same, else a new one.

    Raises `UnciaError` when one of that name has another plan.
    """
    if found := find(name):
        if plan not in (Plan(), found.plan):
            raise UnciaError(
                f"the replay {name} is another one: {found.plan.words()}. Choose another name, or "
                f"`uncia replay drop {name}` first"
            )
        return found
    with asking(live) as log:
        ends: dict[str, dict[int, int]] = {}
        for (topic, partition), end in log.ends(UPLOAD_TOPICS).items():
            ends.setdefault(topic, {})[partition] = end
    replay = Replay.make(name, plan, ends)
    replay.settings(live)
    replay.save()
    return replay


def ends_of(replay: Replay) -> dict[Place, int]:
    """Where the selection ends, by place."""
    return {(topic, partition): end for topic, ends in replay.ends.items() for partition, end in ends.items()}


def run(replay: Replay, live: Settings, report: Report) -> Progress:
    """Run it to its end. A `KeyboardInterrupt`, or any error, ends its processes and leaves it where it is."""
    config = replay.settings(live)
    with replay.alone():
        end_left_behind(replay.mark)
        _serve(replay, config, live)
        create_topics(config)
        _copy_context(live, config)
        fed, stop = Fed(), threading.Event()
        with (
            Workers(replay.folder, replay.variables(live), replay.mark) as workers,
            ThreadPoolExecutor(1, thread_name_prefix="feeder") as pool,
        ):
            feeder = pool.submit(_feed, replay, live, config, fed, stop)
            try:
                progress = _until_done(lambda: _serve(replay, config, live), config, workers, fed, feeder, report)
            finally:
                stop.set()
        load(replay.name).model_copy(update={"completed_at": datetime.now(UTC)}).save()
    return progress


def _serve(replay: Replay, config: Settings, live: Settings) -> None:
    """Have the model served; that it is loaded for us is written down first, so that `drop` unloads it in any case."""

    def note() -> None:
        load(replay.name).model_copy(update={"loaded_model": True}).save()

    ensure_served(config, live, note)


def _until_done(
    serve: Callable[[], None], config: Settings, workers: Workers, fed: Fed, feeder: Future[None], report: Report
) -> Progress:
    bursts = OpenBursts(config)
    unanswered, moved = -1, time.monotonic()
    while True:
        workers.look_after()
        copied_all = fed.finished
        try:
            with asking(config) as log:
                progress = progress_of(log, bursts, (TARGET,))
        except DependencyDown:
            report(fed, None)
        else:
            report(fed, progress)
            if copied_all and progress.settled:
                return progress
            if progress.unanswered != unanswered or not unanswered:
                unanswered, moved = progress.unanswered, time.monotonic()
        if time.monotonic() - moved > _STUCK_S:
            with contextlib.suppress(DependencyDown):
                serve()
            moved = time.monotonic()
        if feeder.done():
            feeder.result()
        time.sleep(_ASK_EVERY_S)


def _feed(replay: Replay, live: Settings, config: Settings, fed: Fed, stop: threading.Event) -> None:
    def takes(value: bytes | None) -> bool:
        return wanted(replay.plan.selection, value)

    while not stop.is_set():
        try:
            feed(live, config, UPLOAD_TOPICS, TARGET, ends_of(replay), takes, fed, stop)
            return
        except DependencyDown:
            stop.wait(1)


def _copy_context(live: Settings, config: Settings) -> None:
    """What changes there after that matters to the next replay."""
    with asking(live) as log:
        ends = log.ends((CONTEXT,))
    feed(live, config, (CONTEXT,), CONTEXT, ends, everything, Fed(), threading.Event())
