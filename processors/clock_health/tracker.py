"""Many cameras: takes frames, assesses the clocks that have new evidence, and returns the states to write."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from uncia.camtrap.deployments import Deployments
from uncia.events import ClockJudged, ImagePredicted
from uncia.processors.clock_health.assessment import PublishedVerdict, assess
from uncia.processors.clock_health.state_store import CameraClock


@dataclass(frozen=True)
class ClockUpdate:
    """What a batch changed of one camera: the state to write, and the verdict to publish, if it is a new one."""

    camera: str
    state: bytes
    verdict: ClockJudged | None


class ClockTracker:
    """Collects the frames of a batch. `states` are the encoded states by camera; it reads and never writes them."""

    def __init__(self, states: Mapping[bytes, bytes], deployments: Deployments) -> None:
        self._states = states
        self._deployments = deployments
        self._changed: dict[str, tuple[CameraClock, datetime]] = {}
        self._to_assess: set[str] = set()

    def add(self, event: ImagePredicted, offset: int, logged_at: float) -> None:
        """Add one frame, with its offset and time (seconds since 1970) in the log."""
        camera, logged_ms = event.camera, round(1000 * logged_at)
        clock = self._changed[camera][0] if camera in self._changed else self._load(camera)
        if clock.includes(offset, logged_ms):
            return
        if clock.history.add(event):
            self._to_assess.add(camera)
        clock.offset, clock.logged_ms = offset, logged_ms
        self._changed[camera] = (clock, datetime.fromtimestamp(logged_at, UTC))

    def take_updates(self) -> list[ClockUpdate]:
        """The updates of all cameras that got frames since the last call."""
        updates = []
        for camera, (clock, now) in self._changed.items():
            verdict = self._assess(camera, clock, now) if camera in self._to_assess else None
            updates.append(ClockUpdate(camera, clock.to_bytes(), verdict))
        self._changed.clear()
        self._to_assess.clear()
        return updates

    def _assess(self, camera: str, clock: CameraClock, now: datetime) -> ClockJudged | None:
        raised = clock.said.codes if clock.said else []
        verdict = assess(camera, clock.history, raised, partial(self._deployments.at, camera), now)
        if clock.said is not None and not clock.said.differs(verdict):
            return None
        clock.said = PublishedVerdict.from_event(verdict)
        return verdict

    def _load(self, camera: str) -> CameraClock:
        raw = self._states.get(camera.encode())
        return CameraClock() if raw is None else CameraClock.from_bytes(camera, raw)
