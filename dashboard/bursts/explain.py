"""Explains the verdict on a burst by the events on the topics. Pure functions.

Field names are keys in the output of `uncia bursts explain --json`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uncia.dashboard.page_parts.verdict_text import (
    describe_burst,
    describe_evidence,
    describe_frame,
    describe_verdict,
)
from uncia.events import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    CloseReason,
    FrameBox,
    ImagePredicted,
    JoinReason,
    Trigger,
)

_JOINED = {
    JoinReason.FIRST: "the earliest frame",
    JoinReason.SEQUENCE: "the camera's own sequence",
    JoinReason.GAP: "within the gap of the frame before",
    None: "not recorded",
}

_CLOSED = {
    CloseReason.SEQUENCE: "as many frames as the camera announced were in",
    CloseReason.WATERMARK: "a later photograph of the camera came, or too many bursts were open",
    CloseReason.IDLE: "no frame came for the idle time",
    None: "it is still open",
}


@dataclass(frozen=True)
class FrameExplanation:
    """One frame of the burst."""

    image_id: str
    upload_id: str
    key: str
    etag: str
    """ETag of the predicted content; empty when the prediction is no longer on its topic."""
    version_id: str
    captured_at: str
    predicted_at: str
    counted: str
    """`n of m`, or empty."""
    joined: str
    scores: dict[str, float]
    """Scores of the burst's taxa in the best window, by label; empty when the prediction is no longer on its topic."""
    deciding: bool
    rejected: str
    shows: str
    """What the frame shows by itself, `animal 97 %`; empty where no detector looked at it."""
    boxes: list[str]
    """Its detections, `animal score 0.81 at 0.10 0.20 0.30 0.40`, best first; static ones are marked, and those
    that only the second look found."""
    second_look: str
    """The rule of its second look; empty where it had none."""


@dataclass(frozen=True)
class RevisionExplanation:
    """One event of the burst."""

    revision: int
    status: str
    frames: int
    gained: list[str]
    lost: list[str]
    verdict: str
    changes: list[str]


@dataclass(frozen=True)
class BurstExplanation:
    """The newest event of the burst, its frames, and its revisions."""

    burst_id: str
    camera: str
    trigger: Trigger
    status: str
    closed_because: str
    closed_at: str
    superseded_by: str
    supersedes: list[str]
    rule: str
    settings: str
    models: list[str]
    verdict: str
    category: str
    """Empty in an event without one."""
    evidence: str
    summary: str
    """Verdict and evidence in one, each once."""
    best_crop: str
    """Image id of the best crop, or the reason why there is none."""
    fusion: str
    flags: list[str]
    taxa: list[dict[str, object]]
    frames: list[FrameExplanation]
    revisions: list[RevisionExplanation]


def explain_burst(events: Sequence[BurstResolved], predictions: Mapping[str, ImagePredicted]) -> BurstExplanation:
    """Explain a burst from all its events (at least one, in any order). `predictions` are by upload id."""
    history = sorted({event.revision: event for event in events}.values(), key=lambda event: event.revision)
    newest = history[-1]
    # A superseded burst has no frames: its last event with frames is explained.
    shown = next((event for event in reversed(history) if event.status is not BurstStatus.SUPERSEDED), newest)
    return BurstExplanation(
        burst_id=newest.burst_id,
        camera=newest.camera,
        trigger=newest.trigger,
        status=newest.status.value,
        closed_because=_CLOSED[shown.closed_by],
        closed_at=shown.closed_at.isoformat() if shown.closed_at else "",
        superseded_by=newest.superseded_by or "",
        supersedes=list(shown.supersedes),
        rule=shown.rule,
        settings=shown.settings,
        models=list(shown.models),
        verdict=describe_verdict(shown),
        category=shown.category.value if shown.category else "",
        evidence=describe_evidence(shown),
        summary=describe_burst(shown),
        best_crop=_best_crop(shown),
        fusion=shown.fusion or "",
        flags=list(shown.flags),
        taxa=[taxon.model_dump(mode="json") for taxon in shown.taxa],
        frames=[_frame(frame, shown, predictions.get(frame.upload_id)) for frame in shown.frames],
        revisions=list(_revisions(history)),
    )


def _frame(frame: BurstFrame, burst: BurstResolved, prediction: ImagePredicted | None) -> FrameExplanation:
    length = prediction.capture.sequence_length if prediction else burst.expected_frames
    return FrameExplanation(
        image_id=frame.image_id,
        upload_id=frame.upload_id,
        key=frame.key,
        etag=prediction.etag if prediction else "",
        version_id=(prediction.version_id or "") if prediction else "",
        captured_at=frame.captured_at.isoformat(),
        predicted_at=frame.predicted_at.isoformat(),
        counted=f"{frame.sequence} of {length}" if frame.sequence else "",
        joined=_JOINED[frame.joined],
        scores=_scores(frame, burst, prediction),
        deciding=frame.deciding,
        rejected=frame.rejection.reason if frame.rejection else "",
        shows=describe_frame(frame),
        boxes=[_box(box) for box in frame.boxes or ()],
        second_look=frame.second_look or "",
    )


def _box(box: FrameBox) -> str:
    place = " ".join(f"{share:.2f}" for share in box.box)
    marks = (" (static)" if box.static else "") + (" (second look)" if box.second_look else "")
    return f"{box.category.value} score {box.score:.2f} at {place}{marks}"


def _best_crop(burst: BurstResolved) -> str:
    if burst.crops_withheld:
        return "withheld: a person is in the burst, or the detector knows no persons"
    return f"of {burst.best_crop.image_id}" if burst.best_crop else "none"


def _scores(frame: BurstFrame, burst: BurstResolved, prediction: ImagePredicted | None) -> dict[str, float]:
    """Return scores by label: of the verdict from the burst's event, of other taxa from the prediction, if listed."""
    found: dict[str, float] = {}
    scored = prediction.prediction if prediction else None
    listed: dict[str, float] = {}
    if scored:
        listed = {top.label: top.score for top in scored.top} | {focus.label: focus.score for focus in scored.focus}
    for taxon in burst.taxa:
        if taxon.label in listed:
            found[taxon.label] = listed[taxon.label]
    if burst.verdict and frame.score is not None:
        found[burst.verdict.label] = frame.score
    return found


def _revisions(history: Sequence[BurstResolved]) -> Iterable[RevisionExplanation]:
    before: list[str] = []
    for event in history:
        held = [frame.image_id for frame in event.frames]
        yield RevisionExplanation(
            revision=event.revision,
            status=event.status.value,
            frames=len(held),
            gained=[image for image in held if image not in before],
            lost=[image for image in before if image not in held] if held else [],
            verdict=_revision_verdict(event),
            changes=list(event.changes),
        )
        before = held


def _revision_verdict(event: BurstResolved) -> str:
    verdict = event.verdict
    if event.category is not None:
        return describe_verdict(event)
    return f"{verdict.label}{'' if verdict.certain else '?'} {verdict.score:.2f}" if verdict else ""
