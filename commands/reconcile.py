"""`uncia reconcile`: bucket against announced against answered; announces what nobody announced."""

import fcntl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer
from kafka.errors import KafkaError

from uncia.errors import UnciaError
from uncia.producers.reconcile.announce import announce, announce_moves
from uncia.producers.reconcile.compare import State
from uncia.producers.reconcile.ledger_sync import catch_up, open_ledger
from uncia.producers.reconcile.rounds import Asked, Comparison, Progress, Tell
from uncia.settings import Settings, settings
from uncia.storage.object_store import ObjectMissing, ObjectStore
from uncia.telemetry import configure_logging, mark_ready
from uncia.terminal import echo, echo_json

_NAMES_SHOWN = 20
_REST = 4
"""Of the time, at most one part in five goes into comparing, however large the bucket is."""

_SAID = {
    State.MISSED: "announced now",
    State.WAITING: "announced before, not seen yet",
    State.UNANSWERED: "announced, not answered",
    State.MOVED: "gone, and its content stands under another camera: withdrawn now",
}
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def reconcile(
    prefix: str = typer.Option("", help="Only keys that begin so."),
    since: datetime | None = typer.Option(
        None, formats=_DATES, help="Only stored from then on (the store's clock, UTC)."
    ),
    until: datetime | None = typer.Option(None, formats=_DATES, help="Only stored before then."),
    again: bool = typer.Option(False, "--again", help="Announce again what was announced and never answered."),
    every: bool = typer.Option(False, "--every", help="Go on for ever, every UNCIA_RECONCILE_EVERY_S seconds."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a line: every name, then the counts."),
) -> None:
    """Find stored photographs that were never announced and announce them.

    Stopped half-way, the same command goes on where it was.
    """
    asked = Asked(prefix, _utc(since), _utc(until), again)
    if every:
        _for_ever(settings(), asked)
        return
    named: Counter[State] = Counter()

    def tell(state: State, key: str) -> None:
        named[state] += 1
        if as_json:
            echo_json({"state": state.value, "key": key})
        elif named[state] <= _NAMES_SHOWN:
            echo(f"{_SAID[state]}: {key}")
        elif named[state] == _NAMES_SHOWN + 1:
            echo(f"{_SAID[state]}: more; --json names all")

    progress = _once(settings(), asked, tell)
    if as_json:
        echo_json({"zero": progress.is_zero, **_counts(progress)})
    else:
        echo(" ".join(f"{name}={count}" for name, count in _counts(progress).items()))
        echo("zero: nothing is missing" if progress.is_zero else "not zero: see above")


def _counts(progress: Progress) -> dict[str, int]:
    counts = {state.value.replace("-", "_"): progress.count(state) for state in State}
    stored = sum(progress.counts.values()) - progress.count(State.MOVED)
    return {"missed": counts.pop("missed"), **counts, "stored": stored}


def _once(config: Settings, asked: Asked, tell: Tell) -> Progress:
    comparison = _comparison(config, ObjectStore(config))
    with _alone(comparison.ledger.path.with_suffix(".once.lock")):
        return comparison.run(asked, "once", tell)


def _for_ever(config: Settings, asked: Asked) -> None:
    log = configure_logging(config, "reconcile")
    pause, store = threading.Event(), ObjectStore(config)
    comparison: Comparison | None = None
    while True:
        began = time.monotonic()
        named: Counter[State] = Counter()
        some: list[str] = []

        def tell(state: State, key: str, named: Counter[State] = named, some: list[str] = some) -> None:
            named[state] += 1
            if len(some) < 5:
                some.append(key)

        try:
            # Opened anew each time: topics that were made anew meanwhile begin another ledger.
            comparison = _comparison(config, store)
            comparison.run(asked, "every", tell, on_page=mark_ready)
            if named:
                log.warning("not all are answered", keys=some, **{state.name.lower(): n for state, n in named.items()})
        except (UnciaError, KafkaError) as error:
            log.warning("could not compare; trying again", error=str(error))
        finally:
            if comparison is not None:
                comparison.ledger.close()
                comparison = None
        pause.wait(max(config.reconcile_every_s, _REST * (time.monotonic() - began)))


def _comparison(config: Settings, store: ObjectStore) -> Comparison:
    ledger = open_ledger(config)
    return Comparison(
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


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two comparisons by hand at once would take each other's place in the listing."""
    with path.open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnciaError("another `uncia reconcile` is at work: wait for it") from error
        yield


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
