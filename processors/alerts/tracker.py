"""Many cameras: takes verdicts, and returns the alerts to publish and the states to write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from uncia.events import AlertRaised, BurstResolved, DeploymentChanged, ImagePredicted
from uncia.processors.alerts.camera_view import SPACING
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.moved import compare_photograph
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.silence import hear, judge, step_of
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
        """The state to write; None: the camera has no alerts, sightings or known view, and was never heard."""
        known = self.alerts.alerts or self.alerts.sightings or self.alerts.heard or self.alerts.view
        return to_bytes(self.alerts) if known else None


class AlertTracker:
    """Collects the verdicts of a batch. `states` are the encoded states by camera; it reads and never writes them."""

    def __init__(self, states: Mapping[bytes, bytes], rules: RuleIndex) -> None:
        self.rules = rules
        self._states = states
        self._changed: dict[str, AlertUpdate] = {}
        self._heard: dict[str, datetime] = {}
        """The last contacts, so that a photograph rarely needs the state of its camera."""
        self._compared: dict[str, datetime] = {}
        """The capture times of the last photographs that were compared, for the same reason."""

    def add(self, burst: BurstResolved, offset: int, logged_at: float) -> None:
        """Add one verdict, with its offset and time (seconds since 1970) in the log."""
        update = self._changed.get(burst.camera) or AlertUpdate(self._load(burst.camera))
        logged_ms = round(1000 * logged_at)
        if update.alerts.includes(offset, logged_ms):
            return
        update.events += apply(update.alerts, burst, self.rules, datetime.fromtimestamp(logged_at, UTC))
        update.alerts.offset, update.alerts.logged_ms = offset, logged_ms
        self._changed[burst.camera] = update

    def restart(self) -> None:
        """Forget what was read for partitions that may have been elsewhere meanwhile."""
        self._changed.clear()
        self._heard.clear()
        self._compared.clear()

    def hear(self, camera: str, logged_at: float) -> None:
        """Add a contact of a camera, with its time (seconds since 1970) in the log."""
        at = datetime.fromtimestamp(logged_at, UTC)
        if (before := self._heard.get(camera)) is not None and step_of(at) <= before:
            return
        update = self._changed.get(camera) or AlertUpdate(self._load(camera))
        if (events := hear(update.alerts, at)) is not None:
            update.events += events
            self._changed[camera] = update
        if update.alerts.heard is not None:
            self._heard[camera] = update.alerts.heard

    def compare(
        self, photograph: ImagePredicted, deployment: DeploymentChanged | None, offset: int, logged_at: float
    ) -> None:
        """Compare a photograph with the view of its camera, by the deployment that covers its time in the log.

        `logged_at`: seconds since 1970. Raises `PermanentError` for a luminance grid of the wrong size.
        """
        camera = photograph.camera
        if (last := self._compared.get(camera)) is not None and abs(photograph.capture.time - last) < SPACING:
            return
        update = self._changed.get(camera) or AlertUpdate(self._load(camera))
        at, rules = datetime.fromtimestamp(logged_at, UTC), self.rules.moved_at(camera)
        if (events := compare_photograph(update.alerts, photograph, rules, deployment, offset, at)) is not None:
            update.events += events
            self._changed[camera] = update
        if (view := update.alerts.view) is not None and view.captured is not None:
            self._compared[camera] = view.captured

    def tick(self, camera: str, deployment: DeploymentChanged | None, now: datetime) -> None:
        """Judge the silence of a camera, by the deployment that covers this time."""
        rules = self.rules.silence_at(camera)
        update = self._changed.get(camera) or AlertUpdate(self._load(camera))
        if (events := judge(update.alerts, camera, deployment, rules, now)) is not None:
            update.events += events
            self._changed[camera] = update

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
