"""The burst settings as values, and the few constants beside them."""

import json
from dataclasses import dataclass
from datetime import timedelta

from uncia import ids
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

KEPT_SEEN = 256
"""Image ids remembered of forgotten bursts, so that a repetition of them is known."""

KEPT_FORMER = 16
"""Superseded ids that a burst remembers."""


@dataclass(frozen=True)
class BurstRules:
    """Everything that shapes a burst and its verdict; `digest` stands in every event."""

    gap: timedelta
    idle: timedelta
    lateness: timedelta
    max_frames: int
    ensemble: EnsembleRule
    certain_from: float

    @classmethod
    def of(cls, settings: Settings) -> "BurstRules":
        """The rules of this process."""
        return cls(
            gap=timedelta(seconds=settings.burst_gap_s),
            idle=timedelta(seconds=settings.burst_idle_s),
            lateness=timedelta(seconds=settings.burst_lateness_s),
            max_frames=settings.burst_max_frames,
            ensemble=settings.ensemble_rule,
            certain_from=settings.certain_from,
        )

    @property
    def digest(self) -> str:
        """The same for the same rules, on every machine."""
        values = {name: str(value) for name, value in vars(self).items()}
        return ids.settings_digest(json.dumps(values, sort_keys=True))
