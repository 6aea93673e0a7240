"""How a burst came about, from what stands on the topics. Pure: events in, a story out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uncia.events import BurstFrame, BurstResolved, BurstStatus, CloseReason, ImagePredicted, JoinReason, Trigger

JOINED = {
    JoinReason.FIRST: "the earliest frame",
    JoinReason.SEQUENCE: "the camera's own sequence",
    JoinReason.GAP: "within the gap of the frame before",
    None: "not noted",
}

CLOSED = {
    CloseReason.SEQUENCE: "as many frames as the camera announced were in",
    CloseReason.WATERMARK: "a later photograph of the camera came, or too many bursts were open",
    CloseReason.IDLE: "no frame came for the idle time",
    None: "it is still open",
}


@dataclass(frozen=True)
class FrameStory:
    """One frame."""

    image_id: str
    upload_id: str
    key: str
    etag: str
    """Of the content that was judged; empty where the prediction is no longer on its topic."""
    version_id: str
    captured_at: str
    predicted_at: str
    counted: str
    """`n of m`, or empty."""
    joined: str
    scores: dict[str, float]
    """Best window of the burst's taxa by label, as far as the prediction is still on its topic."""
    deciding: bool
    rejected: str


@dataclass(frozen=True)
class RevisionStory:
    """One event of the burst."""

    revision: int
    status: str
    frames: int
    gained: list[str]
    lost: list[str]
    verdict: str
    changes: list[str]


@dataclass(frozen=True)
class Story:
    """The whole of it, as the newest event has it."""

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
    flags: list[str]
    taxa: list[dict[str, object]]
    frames: list[FrameStory]
    revisions: list[RevisionStory]


def story(events: Sequence[BurstResolved], predictions: Mapping[str, ImagePredicted]) -> Story:
    """Of all events of one burst id that stand on the topic, in any order; predictions by upload id."""
    history = sorted({event.revision: event for event in events}.values(), key=lambda each: each.revision)
    newest = history[-1]
    # A superseded burst has no frames any more; what it held last tells how it came about.
    told = next((each for each in reversed(history) if each.status is not BurstStatus.SUPERSEDED), newest)
    return Story(
        burst_id=newest.burst_id,
        camera=newest.camera,
        trigger=newest.trigger,
        status=newest.status.value,
        closed_because=CLOSED[told.closed_by],
        closed_at=told.closed_at.isoformat() if told.closed_at else "",
        superseded_by=newest.superseded_by or "",
        supersedes=list(told.supersedes),
        rule=told.rule,
        settings=told.settings,
        models=list(told.models),
        flags=list(told.flags),
        taxa=[each.model_dump(mode="json") for each in told.taxa],
        frames=[_frame(frame, told, predictions.get(frame.upload_id)) for frame in told.frames],
        revisions=list(_revisions(history)),
    )


def _frame(frame: BurstFrame, burst: BurstResolved, prediction: ImagePredicted | None) -> FrameStory:
    length = prediction.capture.sequence_length if prediction else burst.expected_frames
    return FrameStory(
        image_id=frame.image_id,
        upload_id=frame.upload_id,
        key=frame.key,
        etag=prediction.etag if prediction else "",
        version_id=(prediction.version_id or "") if prediction else "",
        captured_at=frame.captured_at.isoformat(),
        predicted_at=frame.predicted_at.isoformat(),
        counted=f"{frame.sequence} of {length}" if frame.sequence else "",
        joined=JOINED[frame.joined],
        scores=_scores(frame, burst, prediction),
        deciding=frame.deciding,
        rejected=frame.rejection.reason if frame.rejection else "",
    )


def _scores(frame: BurstFrame, burst: BurstResolved, prediction: ImagePredicted | None) -> dict[str, float]:
    """By label: of the verdict as the burst says, of its other taxa as far as the frame spells them out."""
    found: dict[str, float] = {}
    judged = prediction.prediction if prediction else None
    spelled: dict[str, float] = {}
    if judged:
        spelled = {each.label: each.score for each in judged.top} | {each.label: each.score for each in judged.focus}
    for taxon in burst.taxa:
        if taxon.label in spelled:
            found[taxon.label] = spelled[taxon.label]
    if burst.verdict and frame.score is not None:
        found[burst.verdict.label] = frame.score
    return found


def _revisions(history: Sequence[BurstResolved]) -> Iterable[RevisionStory]:
    before: list[str] = []
    for event in history:
        held = [frame.image_id for frame in event.frames]
        verdict = event.verdict
        yield RevisionStory(
            revision=event.revision,
            status=event.status.value,
            frames=len(held),
            gained=[image for image in held if image not in before],
            lost=[image for image in before if image not in held] if held else [],
            verdict=f"{verdict.label}{'' if verdict.certain else '?'} {verdict.score:.2f}" if verdict else "",
            changes=list(event.changes),
        )
        before = held
