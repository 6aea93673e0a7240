"""Connects the dashboard's pages of replays with the replays of this machine, as `uncia replay` manages them."""

import threading
import time
from collections.abc import Sequence

import structlog

from uncia.dashboard.web.operations import PromotedReplay, ReplayComparison, ReplayRow
from uncia.errors import PermanentError, UnciaError
from uncia.ids import digest
from uncia.producers.replay import diff_report
from uncia.producers.replay.compare import ReplayComparison as Comparison
from uncia.producers.replay.description import Replay, all_replays, find_replay
from uncia.producers.replay.promotion import plan_promotion
from uncia.producers.replay.removal import remove_replay
from uncia.producers.replay.snapshot_reader import compare_with_live, publish_live
from uncia.settings import Settings

__all__ = ["StoredReplays"]

_FRESH_S = 30
"""A comparison reads whole topics: the page, its JSON twin and its pictures use the same one."""

log = structlog.get_logger(__name__)


class StoredReplays:
    """The replays in the folder of the stack. Thread-safe; methods raise `UnciaError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._last: tuple[str, float, ReplayComparison] | None = None

    def list(self) -> Sequence[ReplayRow]:
        """All, the oldest first."""
        return [_row(replay) for replay in all_replays()]

    def row(self, name: str) -> ReplayRow:
        """One. Raises `PermanentError` where there is none."""
        return _row(_find(name))

    def compare(self, name: str) -> ReplayComparison:
        """Its differences from the live bursts, at most `_FRESH_S` old. One comparison at a time."""
        replay = _find(name)
        with self._lock:
            if self._last is not None and self._last[0] == name and time.monotonic() - self._last[1] < _FRESH_S:
                return self._last[2]
            comparison = compare_with_live(replay, self._settings).comparison
            body = diff_report.to_json_object(replay, comparison)
            compared = ReplayComparison(body, _fingerprint(comparison))
            self._last = (name, time.monotonic(), compared)
            return compared

    def promote(self, name: str, fingerprint: str, account: str) -> PromotedReplay:
        """Publish its differences; refused where they are not those of the fingerprint any more."""
        replay = _find(name)
        if replay.completed_at is None:
            raise UnciaError(f"the replay {name} is not complete: `uncia replay start {name}` resumes it")
        with replay.locked():
            compared = compare_with_live(replay, self._settings)
            self._forget()
            if _fingerprint(compared.comparison) != fingerprint:
                raise UnciaError("the differences have changed since the page was shown: look at them again")
            events = plan_promotion(compared.comparison, compared.revisions, replay.cause(account))
            publish_live(events, self._settings)
        return PromotedReplay(len(compared.comparison.to_promote()), len(events))

    def drop(self, name: str) -> None:
        """Remove its processes, topics and files."""
        replay = _find(name)
        with replay.locked():
            removed = remove_replay(replay, self._settings)
        self._forget()
        if removed.left_loaded:
            log.warning("model_left_loaded", replay=name, model=replay.plan.model, error=removed.left_loaded)

    def _forget(self) -> None:
        with self._lock:
            self._last = None


def _find(name: str) -> Replay:
    replay = find_replay(name)
    if replay is None:
        raise PermanentError("replay-unknown", f"no replay is called {name}")
    return replay


def _row(replay: Replay) -> ReplayRow:
    return ReplayRow(
        name=replay.name,
        plan=replay.plan.describe(),
        state=replay.state,
        reason=replay.reason,
        made_at=f"{replay.made_at:%Y-%m-%d %H:%M:%S} UTC",
    )


def _fingerprint(comparison: Comparison) -> str:
    """Of the changes that a promotion publishes: the bursts of both sides and the live revisions."""
    return digest(
        "\n".join(
            " ".join(
                [
                    *(f"{burst.burst_id}/{burst.event.revision}" for burst in change.live),
                    "->",
                    *(f"{burst.burst_id}/{burst.event.revision}" for burst in change.replay),
                ]
            )
            for change in comparison.to_promote()
        )
    )
