"""Many cameras: takes verdicts, and returns the alerts to publish and the states to write."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from uncia.events import AlertRaised, BurstResolved, DeploymentChanged, ImagePredicted
from uncia.processors.alerts.camera_view import SPACING
from uncia.processors.alerts.drift import compare_scores
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.moved import compare_photograph
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.silence import hear, judge, open_silences, step_of
from uncia.processors.alerts.state_store import from_bytes, to_bytes

__all__ = ["AlertTracker", "AlertUpdate"]


@dataclass
class AlertUpdate:
    """What a batch changed of one camera."""

    alerts: CameraAlerts
    events: list[AlertRaised] = field(default_factory=list)
    """In their order; first those that may not have been published before a crash."""

    @property
    def outbox(self) -> bytes:
        """The state to write before the events are published."""
        return to_bytes(replace(self.alerts, unsent=self.events))

    @property
    def state(self) -> bytes | None:
        """The state to write afterwards; None: there is nothing to know of the camera."""
        alerts = self.alerts
        known = alerts.alerts or alerts.sightings or alerts.heard or alerts.view or alerts.scores
        return to_bytes(replace(alerts, unsent=[])) if known else None


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
        self._silent: set[str] | None = None
        """The cameras with an open alert about silence; None: to be read from the states."""

    def add(
        self, burst: BurstResolved, offset: int, logged_at: float, deployment: DeploymentChanged | None = None
    ) -> None:
        """Add one verdict, with its offset and time (seconds since 1970) in the log, and the deployment of that time,
        which only rules about drift need."""
        update = self._update(burst.camera)
        logged_ms = round(1000 * logged_at)
        if update.alerts.includes(offset, logged_ms):
            return
        at = datetime.fromtimestamp(logged_at, UTC)
        update.events += apply(update.alerts, burst, self.rules, at)
        if drift := self.rules.drift_at(burst.camera):
            update.events += compare_scores(update.alerts, burst, drift, deployment, at)
        update.alerts.offset, update.alerts.logged_ms = offset, logged_ms
        self._changed[burst.camera] = update

    def restart(self) -> None:
        """Forget what was read for partitions that may have been elsewhere meanwhile."""
        self._changed.clear()
        self._heard.clear()
        self._compared.clear()
        self._silent = None

    def is_news(self, camera: str, logged_at: float) -> bool:
        """Whether a contact at this time would be later than those that are known, as far as memory says."""
        before = self._heard.get(camera)
        return before is None or step_of(datetime.fromtimestamp(logged_at, UTC)) > before

    def hear(self, camera: str, logged_at: float) -> None:
        """Add a contact of a camera, with its time (seconds since 1970) in the log."""
        at = datetime.fromtimestamp(logged_at, UTC)
        if not self.is_news(camera, logged_at):
            return
        update = self._update(camera)
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
        update = self._update(camera)
        at, rules = datetime.fromtimestamp(logged_at, UTC), self.rules.moved_at(camera)
        if (events := compare_photograph(update.alerts, photograph, rules, deployment, offset, at)) is not None:
            update.events += events
            self._changed[camera] = update
        if (view := update.alerts.view) is not None and view.captured is not None:
            self._compared[camera] = view.captured

    def tick(self, camera: str, deployment: DeploymentChanged | None, now: datetime) -> None:
        """Judge the silence of a camera, by the deployment that covers this time."""
        rules = self.rules.silence_at(camera)
        update = self._update(camera)
        if (events := judge(update.alerts, camera, deployment, rules, now)) is not None:
            update.events += events
            self._changed[camera] = update

    def take_updates(self) -> dict[str, AlertUpdate]:
        """By camera, what changed since the last call."""
        changed, self._changed = self._changed, {}
        if self._silent is not None:
            for camera, update in changed.items():
                (self._silent.add if open_silences(update.alerts) else self._silent.discard)(camera)
        return changed

    def silent_cameras(self) -> set[str]:
        """The cameras with an open alert about silence, whatever the rules are now."""
        if self._silent is None:
            names = (key.decode(errors="replace") for key in self._states)
            self._silent = {name for name in names if open_silences(self._load(name))}
        return set(self._silent)

    @property
    def judges_silence(self) -> bool:
        """Whether ticks are needed: for a rule, or to withdraw alerts of a rule that was removed."""
        return bool(self.rules.silence) or self._silent is None or bool(self._silent)

    def has_state(self, camera: str) -> bool:
        """Whether a state of the camera is stored."""
        return camera.encode() in self._states

    def _update(self, camera: str) -> AlertUpdate:
        if (known := self._changed.get(camera)) is not None:
            return known
        update = AlertUpdate(self._load(camera))
        if update.alerts.unsent:
            # The batch that was interrupted is read again, and has come to this camera.
            update.events += update.alerts.unsent
            self._changed[camera] = update
        return update

    def _load(self, camera: str) -> CameraAlerts:
        raw = self._states.get(camera.encode())
        return CameraAlerts() if raw is None else from_bytes(camera, raw)
