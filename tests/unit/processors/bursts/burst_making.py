"""Frames, rules and cameras for the tests of bursts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

from uncia.events import (
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    FocusScore,
    ImagePredicted,
    Prediction,
    Rejection,
    Trigger,
)
from uncia.processors.bursts.changes import Said, Step
from uncia.processors.bursts.config import BurstRules, Overrides
from uncia.processors.bursts.engine import Desk
from uncia.processors.bursts.frames import Frame
from uncia.processors.bursts.sessions import Sessions
from uncia.processors.bursts.state import CameraState
from uncia.processors.bursts.verdict import ClassName, Verdicts

CAMERA, STATION = "ridge/north", "ridge"
DAY = datetime(2026, 3, 1)
LOG = datetime(2026, 3, 20, 12, tzinfo=UTC)
RULES = BurstRules(
    gap=timedelta(seconds=15),
    idle=timedelta(seconds=20),
    lateness=timedelta(seconds=900),
    max_frames=200,
    ensemble="log-odds",
    certain_from=0.7,
)
NAMES = ("cat", "goat", "stone", "snow leopard")
GROUPS = ("animal", "animal", "nothing", "animal")


@dataclass(frozen=True)
class Shot:
    """A photograph in the words of a test: when it was taken (seconds of its day) and what the camera says of it."""

    name: str
    taken: float
    sequence: int | None = None
    length: int | None = None
    event: int | None = None
    trigger: Trigger = Trigger.MOTION
    scores: tuple[float, ...] = (0.6, 0.2, 0.1, 0.0)
    focus: float | None = None
    rejected: bool = False
    model: str = "lite"
    label_set: str = "test@1"
    serial: str | None = None
    make: str | None = None
    overrides: Overrides | None = None
    camera_model: str | None = None
    image: str | None = None
    """Its content, where that is not its own; exact copies share one."""
    file: str | None = None
    """Its name in the bucket below the camera's folder."""
    uploaded: float = 0
    """Seconds of log time."""
    size: tuple[int, int] | None = None
    reason: str = "image-truncated"
    """Of a rejected one."""
    source: CaptureTimeSource = CaptureTimeSource.EXIF


def predicted(shot: Shot, camera: str = CAMERA) -> ImagePredicted:
    """The event that tells of this photograph."""
    prediction = None
    if not shot.rejected:
        vector = ClassVector.pack(np.array(shot.scores, dtype=np.float32))
        best = int(np.argmax(shot.scores))
        focus = ()
        if shot.focus is not None:
            box = (0.1, 0.2, 0.3, 0.4)
            focus = (
                FocusScore(taxon="snow leopard taxon", label="snow leopard", score=shot.focus, threshold=0.02, box=box),
            )
        prediction = Prediction(
            model=shot.model,
            version="1",
            label_set=shot.label_set,
            settings="set-1",
            asked_at=LOG,
            inference_ms=1,
            whole=vector,
            windows=vector,
            top=(
                ClassScore(
                    index=best,
                    label=NAMES[best],
                    taxon=f"{NAMES[best]} taxon",
                    group=GROUPS[best],
                    score=shot.scores[best],
                    box=(0, 0, 0.5, 0.5),
                ),
            ),
            focus=focus,
        )
    return ImagePredicted(
        upload_id=f"upl-{shot.name}",
        image_id=f"img-{shot.image or shot.name}",
        station=camera.split("/")[0],
        camera=camera,
        bucket="camera-uploads",
        key=f"{camera}/{shot.file or f'{shot.name}.JPG'}",
        etag="e",
        size=1,
        uploaded_at=LOG + timedelta(seconds=shot.uploaded),
        predicted_at=LOG,
        capture=Capture(
            time=DAY + timedelta(seconds=shot.taken),
            time_source=shot.source,
            trigger=shot.trigger,
            sequence=shot.sequence,
            sequence_length=shot.length,
            event_number=shot.event,
            serial=shot.serial,
            make=shot.make,
            model=shot.camera_model,
            width=shot.size[0] if shot.size else None,
            height=shot.size[1] if shot.size else None,
        ),
        prediction=prediction,
        rejection=Rejection(reason=shot.reason, message="cut short") if shot.rejected else None,
    )


@lru_cache(maxsize=4096)
def frame(shot: Shot) -> Frame:
    """As the state keeps it."""
    return Frame.of(predicted(shot), shot.overrides)


def names(label_set: str, index: int) -> ClassName | None:
    """The names of the test's label set."""
    if not label_set.startswith("test@"):
        return None
    return ClassName(NAMES[index], f"{NAMES[index]} taxon", GROUPS[index])


def sessions(rules: BurstRules = RULES) -> Sessions:
    """A sessioniser with these rules."""
    return Sessions(rules, Verdicts(rules, names))


def desk(records: Mapping[bytes, bytes] | None = None, rules: BurstRules = RULES, partitions: int = 4) -> Desk:
    """A desk with these rules."""
    return Desk(rules, Verdicts(rules, names), {} if records is None else records, partitions)


class Camera:
    """A camera whose photographs arrive at seconds of log time."""

    def __init__(self, rules: BurstRules = RULES) -> None:
        self.rules = rules
        self.sessions = sessions(rules)
        self.state = CameraState(CAMERA)
        self.said: list[Said] = []
        self.steps: list[Step] = []

    def frame(self, shot: Shot, at: float) -> list[BurstResolved]:
        """A photograph arrives."""
        return self.take(shot, at).events

    def take(self, shot: Shot, at: float) -> Step:
        """The same; nobody asks yet what is said."""
        now = LOG + timedelta(seconds=at)
        if not shot.rejected or (shot.file is None and shot.reason == "image-truncated"):
            return self._took(self.sessions.frame(self.state, STATION, frame(shot), now))
        return self._took(self.sessions.answer(self.state, predicted(shot), shot.overrides, now))

    def tick(self, at: float) -> list[BurstResolved]:
        """Log time is seen to have reached `at`."""
        return self._took(self.sessions.pass_time(self.state, LOG + timedelta(seconds=at))).events

    def _took(self, step: Step) -> Step:
        self.steps.append(step)
        self.said += step.said
        return step

    @property
    def events(self) -> list[BurstResolved]:
        """All that was said."""
        return [each.event for each in self.said]

    def settled(self) -> dict[str, BurstResolved]:
        """What a reader holds in the end: the highest revision of each id that was not superseded."""
        return settled(each.event for each in {said.burst_id: said for said in self.said}.values())


def settled(events: Iterable[BurstResolved]) -> dict[str, BurstResolved]:
    """The highest revision of each id, superseded ones left out."""
    held: dict[str, BurstResolved] = {}
    for event in events:
        if event.burst_id not in held or event.revision > held[event.burst_id].revision:
            held[event.burst_id] = event
    return {name: event for name, event in held.items() if event.status is not BurstStatus.SUPERSEDED}


def images(event: BurstResolved) -> list[str]:
    """The names of its photographs, in order."""
    return [each.image_id.removeprefix("img-") for each in event.frames]


def rules(**changes: object) -> BurstRules:
    """The usual rules, with changes."""
    return replace(RULES, **changes)  # type: ignore[arg-type]
