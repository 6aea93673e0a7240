"""Frames of a camera with any clock fault, and a tracker that assesses them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from uncia.camtrap.deployments import Deployments
from uncia.events import (
    Capture,
    CaptureTimeSource,
    ClockJudged,
    DeploymentChanged,
    ImagePredicted,
    Rejection,
)
from uncia.processors.clock_health.sun import elevation
from uncia.processors.clock_health.tracker import ClockTracker

NOON = datetime(2026, 5, 14, 12, tzinfo=UTC)
LATITUDE, LONGITUDE = 28.2, 84.0
NEPAL_MINUTES = 345


def frame(captured: datetime, uploaded: datetime, camera: str = "ridge/north", **capture: Any) -> ImagePredicted:
    """One frame: the camera's clock (no offset), and the store's."""
    return ImagePredicted(
        upload_id="upl-1",
        image_id="img-1",
        station=camera.split("/", maxsplit=1)[0],
        camera=camera,
        bucket="b",
        key="k",
        etag="e",
        size=1,
        uploaded_at=uploaded,
        predicted_at=uploaded,
        capture=Capture(**{"time": captured, "time_source": CaptureTimeSource.EXIF, **capture}),
        rejection=Rejection(reason="image-corrupt", message="not relevant here"),
    )


def live(
    occasions: int,
    *,
    ahead: timedelta = timedelta(0),
    zone_minutes: int = 0,
    every: timedelta = timedelta(hours=1),
    begin: datetime = NOON,
    camera: str = "ridge/north",
    first_event: int = 1,
    delay: timedelta = timedelta(seconds=5),
    lamp: bool = False,
    **capture: Any,
) -> list[ImagePredicted]:
    """One frame per occasion, uploaded seconds later; `lamp`: infrared by the true sun over Nepal."""
    frames = []
    for at in range(occasions):
        true = begin + at * every
        shown = (true + ahead + timedelta(minutes=zone_minutes)).replace(tzinfo=None)
        light = {"infrared": sun_at(true) < -1} if lamp else {}
        frames.append(frame(shown, true + delay, camera, **{"event_number": first_event + at, **light, **capture}))
    return frames


def sun_at(moment: datetime) -> float:
    """The sun's elevation at the position of the test's deployment."""
    return float(elevation(np.array([moment.timestamp()]), np.array([LATITUDE]), np.array([LONGITUDE]))[0])


def deployed(camera: str = "ridge/north", minutes: int = NEPAL_MINUTES) -> Deployments:
    """A camera in Nepal, all of 2026."""
    deployments = Deployments()
    deployment = DeploymentChanged(
        deployment_id="d1",
        camera=camera,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2027, 1, 1, tzinfo=UTC),
        utc_offset_minutes=minutes,
        latitude=LATITUDE,
        longitude=LONGITUDE,
    )
    deployments.apply(deployment.message_key, deployment.to_bytes())
    return deployments


class Bench:
    """A tracker with states in a dict: frames in, verdicts out."""

    def __init__(self, deployments: Deployments | None = None) -> None:
        self.states: dict[bytes, bytes] = {}
        self.verdicts: list[ClockJudged] = []
        self._tracker = ClockTracker(self.states, deployments or Deployments())
        self._offset = 0

    def feed(self, frames: Iterable[ImagePredicted], batch: int = 1) -> "Bench":
        """Process frames in batches of `batch`, as the worker does."""
        for at, event in enumerate(frames, start=1):
            self._tracker.add(event, self._offset, NOON.timestamp() + self._offset)
            self._offset += 1
            if at % batch == 0:
                self._write()
        self._write()
        return self

    def again(self, frames: list[ImagePredicted]) -> "Bench":
        """The same messages a second time, as after a crash."""
        self._offset -= len(frames)
        return self.feed(frames)

    def now(self, camera: str = "ridge/north") -> ClockJudged:
        """The last verdict on a camera."""
        return [verdict for verdict in self.verdicts if verdict.camera == camera][-1]

    def _write(self) -> None:
        for update in self._tracker.take_updates():
            self.states[update.camera.encode()] = update.state
            if update.verdict is not None:
                self.verdicts.append(ClockJudged.from_bytes(update.verdict.to_bytes()))


def codes(verdict: ClockJudged) -> list[str]:
    """The codes of its reasons."""
    return [reason.code for reason in verdict.reasons]
