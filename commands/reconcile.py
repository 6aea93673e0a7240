"""`uncia reconcile`: compare the bucket with the topics and announce what was never announced."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime

import typer
from kafka.errors import KafkaError

from uncia.errors import UnciaError
from uncia.producers.reconcile.announce import announce, announce_moves
from uncia.producers.reconcile.comparison import BucketComparison, ComparisonProgress, ReportState, Scope
from uncia.producers.reconcile.ledger_sync import catch_up, open_ledger
from uncia.producers.reconcile.object_state import NOT_STORED, ObjectState
from uncia.settings import Settings, settings
from uncia.storage.object_store import ObjectMissing, ObjectStore
from uncia.storage.process_lock import exclusive
from uncia.telemetry import configure_logging, mark_ready
from uncia.terminal import echo, echo_json

_NAMES_SHOWN = 20
_PAUSE_FACTOR = 4
"""A pause is at least this many times as long as the comparison before it, so that at most a fifth of the time is spent
on comparisons."""

_MESSAGES = {
    ObjectState.MISSED: "announced now",
    ObjectState.WAITING: "announced before, no event yet",
    ObjectState.UNANSWERED: "announced, not predicted",
    ObjectState.MOVED: "removed, and its content is stored under another camera: withdrawn now",
    ObjectState.VANISHED: "predicted, and no longer in the store",
}
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def reconcile(
    prefix: str = typer.Option("", help="Compare only keys with this prefix. Default: all."),
    since: datetime | None = typer.Option(
        None, formats=_DATES, help="Compare only objects stored at this time or later (store's clock, UTC)."
    ),
    until: datetime | None = typer.Option(None, formats=_DATES, help="Compare only objects stored before this time."),
    again: bool = typer.Option(
        False,
        "--again",
        help="Also announce unanswered photographs again: those announced earlier and never predicted.",
    ),
    accept_vanished: bool = typer.Option(
        False,
        "--accept-vanished",
        help="Photographs that are no longer in the store were removed on purpose: do not report them any more.",
    ),
    every: bool = typer.Option(False, "--every", help="Repeat every UNCIA_RECONCILE_EVERY_S seconds until stopped."),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object per line: every missing object, then the counts."
    ),
) -> None:
    """Find stored photographs that were never announced and announce them; name those that the store has lost.

    Cameras' status reports are compared as well. Run the same command again to resume an interrupted comparison.
    """
    scope = Scope(prefix, _utc(since), _utc(until), again, accept_vanished)
    if every and accept_vanished:
        raise typer.BadParameter("a person decides once which removals were on purpose", param_hint="--accept-vanished")
    if every:
        _repeat(settings(), scope)
        return
    reported: Counter[ObjectState] = Counter()

    def report(state: ObjectState, key: str) -> None:
        reported[state] += 1
        if as_json:
            echo_json({"state": state.value, "key": key})
        elif reported[state] <= _NAMES_SHOWN:
            echo(f"{_MESSAGES[state]}: {key}")
        elif reported[state] == _NAMES_SHOWN + 1:
            echo(f"{_MESSAGES[state]}: more; --json lists all")

    progress = _run_once(settings(), scope, report)
    if as_json:
        echo_json({"zero": progress.is_zero, **_counts(progress)})
    else:
        if accept_vanished:
            echo(f"accepted as removed on purpose: {progress.accepted}")
        echo(" ".join(f"{name}={count}" for name, count in _counts(progress).items()))
        echo("zero: nothing is missing" if progress.is_zero else "not zero: see above")


def _counts(progress: ComparisonProgress) -> dict[str, int]:
    counts = {state.value.replace("-", "_"): progress.count(state) for state in ObjectState}
    stored = sum(progress.counts.values()) - sum(progress.count(state) for state in NOT_STORED)
    return {"missed": counts.pop("missed"), **counts, "stored": stored}


def _run_once(config: Settings, scope: Scope, report: ReportState) -> ComparisonProgress:
    comparison = _comparison(config, ObjectStore(config))
    # Concurrent comparisons would overwrite each other's progress.
    refusal = UnciaError("another `uncia reconcile` is running: wait until it ends")
    with exclusive(comparison.ledger.path.with_suffix(".once.lock"), refusal):
        return comparison.run(scope, "once", report)


def _repeat(config: Settings, scope: Scope) -> None:
    log = configure_logging(config, "reconcile")
    pause, store = threading.Event(), ObjectStore(config)
    comparison: BucketComparison | None = None
    while True:
        began = time.monotonic()
        report = _UnresolvedCounter()

        try:
            # Opened each time: topics that were recreated in between need a cleared ledger.
            comparison = _comparison(config, store)
            comparison.run(scope, "every", report, on_progress=mark_ready)
            if report.counts:
                counts = {state.name.lower(): count for state, count in report.counts.items()}
                log.warning("objects_unresolved", keys=report.first_keys, **counts)
        except (UnciaError, KafkaError) as error:
            log.warning("comparison_failed", error=str(error))
        finally:
            if comparison is not None:
                comparison.ledger.close()
                comparison = None
        pause.wait(max(config.reconcile_every_s, _PAUSE_FACTOR * (time.monotonic() - began)))


class _UnresolvedCounter:
    """Counts unresolved objects by state, and collects their first five keys for the log."""

    def __init__(self) -> None:
        self.counts: Counter[ObjectState] = Counter()
        self.first_keys: list[str] = []

    def __call__(self, state: ObjectState, key: str) -> None:
        self.counts[state] += 1
        if len(self.first_keys) < 5:
            self.first_keys.append(key)


def _comparison(config: Settings, store: ObjectStore) -> BucketComparison:
    ledger = open_ledger(config)
    return BucketComparison(
        ledger=ledger,
        bucket=config.bucket,
        catch_up=lambda: catch_up(config, ledger),
        list_after=lambda prefix, after: store.list(config.bucket, prefix, after),
        announce=lambda objects: announce(config, objects),
        announce_moves=lambda moves: announce_moves(config, moves),
        etag_at=lambda key: _etag_at(store, config.bucket, key),
        fresh_s=config.reconcile_after_s,
        unanswered_after_s=config.reconcile_unanswered_after_s,
        again_after_s=max(10 * config.reconcile_every_s, 60),
    )


def _etag_at(store: ObjectStore, bucket: str, key: str) -> str | None:
    try:
        return store.etag(bucket, key)
    except ObjectMissing:
        return None


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
