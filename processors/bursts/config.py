"""The burst settings as values, and the constants that bound a camera's state."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from uncia import ids
from uncia.events.base import WireModel
from uncia.settings import EnsembleRule, Settings

REORDER_TOLERANCE = timedelta(seconds=5)
"""How far beyond the gap a later frame must lie before it closes a burst. Frames of one camera are predicted in
parallel and overtake each other by a second or two; closing early costs a revision, waiting longer costs a ranger
time."""

MAX_SEQUENCE_STEP = timedelta(hours=1)
"""Two consecutive frames of one sequence belong together whatever the gap, up to this: cameras wait seconds between
them, rarely minutes. Without a limit, `1 of 3` whose other frames were lost would absorb the `2 of 3` of next week."""

MAX_STATE_FRAMES = 4000
"""Most frames in a camera's state, not counting those of bursts that are still open. Covers the disorder of an SD card
whose announcements were read one partition after the other."""

MAX_OPEN_BURSTS = 64
"""Most bursts of one camera that may be open at once; the one that has waited longest closes first."""

MAX_EXPIRED_BURSTS = 32
"""Bursts of which only id, span and revision are stored, to name what a frame came too late for."""

MINUTE = timedelta(minutes=1)
"""Gap for cameras that write no seconds: two photographs of neighbouring minutes may be a second apart, so their gap
is at least this."""

MAX_SUPERSEDED_IDS = 16
"""Superseded ids that an event of a burst lists."""


class BurstOverrides(WireModel):
    """Burst settings that a camera's deployment overrides, in seconds; None: the general setting applies."""

    gap_s: float | None = None
    idle_s: float | None = None
    lateness_s: float | None = None


OverridesLookup = Callable[[str, datetime], BurstOverrides | None]
"""From a camera and a capture time (by the camera's own clock) to the overrides that apply. The result is stored with
the frame, so that a deployment that is changed later alters no existing burst; every verdict carries the digest of the
settings that produced it."""


def no_overrides(_camera: str, _captured_at: datetime) -> None:
    """An `OverridesLookup` without any overrides."""


@dataclass(frozen=True)
class CategoryConfig:
    """The settings that shape a verdict from detections; they change nothing in bursts without detections."""

    animal_threshold: float | None = None
    """Probability of a burst or frame from which it shows an animal; None: that of the presence model."""
    person_threshold: float = 0.4
    vehicle_threshold: float = 0.4
    """Detector scores; not calibrated."""
    certain_probability: float = 0.9
    """Calibrated probability from which "animal" and "blank" are certain."""
    taxon_threshold: float = 0.75
    static_iou: float = 0.9
    static_hits: int = 20
    withhold_crops: bool = True
    """A person in the burst withholds its crops."""
    sources: str = ""
    """Digest of the presence model, the taxonomy and the lists of taxa that can occur."""


@dataclass(frozen=True)
class BurstConfig:
    """All settings that shape a burst and its verdict; `digest` is part of every event.

    The field names are part of the digest: renaming one changes the `settings` value of every event.
    """

    gap: timedelta
    idle: timedelta
    lateness: timedelta
    max_frames: int
    ensemble: EnsembleRule
    certain_from: float
    weights: str = ""
    """Digest of the model file of the rule `stacked`."""
    category: CategoryConfig = CategoryConfig()
    _digests: dict[BurstOverrides | None, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_settings(cls, settings: Settings, weights: str = "", sources: str = "") -> "BurstConfig":
        """The configuration of this process.

        `weights` is the digest of the stacked model, if there is one; `sources` that of the files that decide
        categories and taxa.
        """
        return cls(
            gap=timedelta(seconds=settings.burst_gap_s),
            idle=timedelta(seconds=settings.burst_idle_s),
            lateness=timedelta(seconds=settings.burst_lateness_s),
            max_frames=settings.burst_max_frames,
            ensemble=settings.ensemble_rule,
            certain_from=settings.certain_from,
            weights=weights,
            category=CategoryConfig(
                animal_threshold=settings.animal_threshold,
                person_threshold=settings.person_threshold,
                vehicle_threshold=settings.vehicle_threshold,
                certain_probability=settings.certain_probability,
                taxon_threshold=settings.taxon_threshold,
                static_iou=settings.static_iou,
                static_hits=settings.static_hits,
                withhold_crops=settings.crops_withheld_by_person,
                sources=sources,
            ),
        )

    def idle_for(self, overrides: BurstOverrides | None) -> timedelta:
        """The idle time under these overrides."""
        return self.idle if overrides is None or overrides.idle_s is None else timedelta(seconds=overrides.idle_s)

    def lateness_for(self, overrides: BurstOverrides | None) -> timedelta:
        """The allowed lateness under these overrides."""
        if overrides is None or overrides.lateness_s is None:
            return self.lateness
        return timedelta(seconds=overrides.lateness_s)

    def digest(self, overrides: BurstOverrides | None = None) -> str:
        """A digest of the settings and overrides, equal on every machine."""
        if overrides not in self._digests:
            values = {name: str(value) for name, value in vars(self).items() if name != "_digests"}
            if overrides is not None:
                values["overrides"] = overrides.model_dump_json()
            if len(self._digests) > 10_000:
                self._digests.clear()
            self._digests[overrides] = ids.settings_digest(json.dumps(values, sort_keys=True))
        return self._digests[overrides]
