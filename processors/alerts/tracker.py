"""Many cameras: takes verdicts, and returns the alerts to publish and the states to write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from uncia.events import AlertRaised, BurstResolved
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.state_store import from_bytes, to_bytes

__all__ = ["AlertTracker", "AlertUpdate"]


@dataclass
class AlertUpdate:
    """What a batch changed of one camera."""

    alerts: CameraAlerts
    events: list[AlertRaised] = field(default_factory=list)
    """In their order."""

    @property
    def state(self) -> bytes | None:
        """The state to write; None: the camera has neither alerts nor sightings."""
        return to_bytes(self.alerts) if self.alerts.alerts or self.alerts.sightings else None


class AlertTracker:
    """Collects the verdicts of a batch. `states` are the encoded states by camera; it reads and never writes them."""

    def __init__(self, states: Mapping[bytes, bytes], rules: RuleIndex) -> None:
        self.rules = rules
        self._states = states
        self._changed: dict[str, AlertUpdate] = {}

    def add(self, burst: BurstResolved, offset: int, logged_at: float) -> None:
        """Add one verdict, with its offset and time (seconds since 1970) in the log."""
        update = self._changed.get(burst.camera) or AlertUpdate(self._load(burst.camera))
        logged_ms = round(1000 * logged_at)
        if update.alerts.includes(offset, logged_ms):
            return
        update.events += apply(update.alerts, burst, self.rules, datetime.fromtimestamp(logged_at, UTC))
        update.alerts.offset, update.alerts.logged_ms = offset, logged_ms
        self._changed[burst.camera] = update

    def take_updates(self) -> dict[str, AlertUpdate]:
        """By camera, what changed since the last call."""
        changed, self._changed = self._changed, {}
        return changed

    def has_state(self, camera: str) -> bool:
        """Whether a state of the camera is stored."""
        return camera.encode() in self._states

    def _load(self, camera: str) -> CameraAlerts:
        raw = self._states.get(camera.encode())
        return CameraAlerts() if raw is None else from_bytes(camera, raw)
