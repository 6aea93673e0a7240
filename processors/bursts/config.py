"""The burst settings as values, and the few constants beside them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from uncia import ids
from uncia.events.base import WireModel
from uncia.settings import EnsembleRule, Settings

DISORDER = timedelta(seconds=5)
"""How far beyond the gap a later frame must lie before it closes a burst. Frames of one camera are judged side by
side and overtake each other by a second or two; closing early costs a revision, waiting longer costs a ranger time."""

SEQUENCE_REACH = timedelta(hours=1)
"""Frames of one sequence belong together whatever the gap, up to this: cameras wait seconds between two frames of a
sequence, rarely minutes. Without an end, `1 of 3` whose mates were lost would swallow the `2 of 3` of next week."""

KEPT_FRAMES = 4000
"""Frames that a camera's state holds at most, beside those of bursts that are still open. Covers the disorder of an SD
card whose announcements were read one partition after the other."""

KEPT_OPEN = 64
"""Bursts of one camera that may be open at once; the one that has waited longest closes first."""

KEPT_FORGOTTEN = 32
"""Bursts of which only id, span and revision are remembered, to name what a frame came too late for."""

MINUTE = timedelta(minutes=1)
"""Cameras that write no seconds: two photographs of neighbouring minutes may be a second apart, so their gap is at
least this."""

KEPT_FORMER = 16
"""Superseded ids that a burst remembers."""


class Overrides(WireModel):
    """What a camera's deployment sets otherwise, in seconds; None: as everywhere."""

    gap_s: float | None = None
    idle_s: float | None = None
    lateness_s: float | None = None


OverridesOf = Callable[[str, datetime], Overrides | None]
"""Camera and capture time (its own clock) to what holds there. A frame keeps its answer, so that a deployment that is
changed later alters no burst that stands; and every verdict carries the digest of the rules that made it."""


def no_overrides(_camera: str, _taken: datetime) -> None:
    """The same rules everywhere."""


@dataclass(frozen=True)
class BurstRules:
    """Everything that shapes a burst and its verdict; `digest` stands in every event."""

    gap: timedelta
    idle: timedelta
    lateness: timedelta
    max_frames: int
    ensemble: EnsembleRule
    certain_from: float
    weights: str = ""
    """Digest of the model file of the rule `stacked`."""
    _digests: dict[Overrides | None, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, settings: Settings, weights: str = "") -> "BurstRules":
        """The rules of this process."""
        return cls(
            gap=timedelta(seconds=settings.burst_gap_s),
            idle=timedelta(seconds=settings.burst_idle_s),
            lateness=timedelta(seconds=settings.burst_lateness_s),
            max_frames=settings.burst_max_frames,
            ensemble=settings.ensemble_rule,
            certain_from=settings.certain_from,
            weights=weights,
        )

    def idle_at(self, place: Overrides | None) -> timedelta:
        """The idle time where these overrides hold."""
        return self.idle if place is None or place.idle_s is None else timedelta(seconds=place.idle_s)

    def lateness_at(self, place: Overrides | None) -> timedelta:
        """The allowed lateness where these overrides hold."""
        return self.lateness if place is None or place.lateness_s is None else timedelta(seconds=place.lateness_s)

    def digest(self, place: Overrides | None = None) -> str:
        """The same for the same rules, on every machine; overrides included."""
        if place not in self._digests:
            values = {name: str(value) for name, value in vars(self).items() if name != "_digests"}
            if place is not None:
                values["overrides"] = place.model_dump_json()
            if len(self._digests) > 10_000:
                self._digests.clear()
            self._digests[place] = ids.settings_digest(json.dumps(values, sort_keys=True))
        return self._digests[place]
