"""Wire models: the events on the topics, as JSON. Writers are strict; readers ignore fields that they do not know."""

from uncia.events.base import Event
from uncia.events.bursts import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    CloseReason,
    FrameLate,
    JoinReason,
    TaxonVerdict,
)
from uncia.events.clock import ClockTicked
from uncia.events.clocks import ClockEvidence, ClockJudged, ClockReason, ClockVerdict
from uncia.events.dead_letter import DeadLetter, DeadLetterSettled, Settlement
from uncia.events.deployments import DeploymentChanged, Sensitivity, deployment_key
from uncia.events.images import (
    OBJECT_CHANGED,
    OBJECT_MOVED,
    WITHDRAWN_REASONS,
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    FocusScore,
    ImagePredicted,
    ImageUploaded,
    Lane,
    Prediction,
    Rejection,
    Trigger,
)

__all__ = [
    "OBJECT_CHANGED",
    "OBJECT_MOVED",
    "WITHDRAWN_REASONS",
    "BurstFrame",
    "BurstResolved",
    "BurstStatus",
    "Capture",
    "CaptureTimeSource",
    "ClassScore",
    "ClassVector",
    "ClockEvidence",
    "ClockJudged",
    "ClockReason",
    "ClockTicked",
    "ClockVerdict",
    "CloseReason",
    "DeadLetter",
    "DeadLetterSettled",
    "DeploymentChanged",
    "Event",
    "FocusScore",
    "FrameLate",
    "ImagePredicted",
    "ImageUploaded",
    "JoinReason",
    "Lane",
    "Prediction",
    "Rejection",
    "Sensitivity",
    "Settlement",
    "TaxonVerdict",
    "Trigger",
    "deployment_key",
]
