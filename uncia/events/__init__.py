"""Wire models: the events on the topics, as JSON. Writers are strict; readers ignore fields that they do not know."""

from uncia.events.base import Event
from uncia.events.bursts import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstReview,
    BurstStatus,
    CloseReason,
    CropReference,
    FrameBox,
    FrameLate,
    JoinReason,
    TaxonVerdict,
)
from uncia.events.clock import ClockTicked
from uncia.events.clocks import ClockEvidence, ClockJudged, ClockReason, ClockVerdict
from uncia.events.dead_letter import DeadLetter, DeadLetterSettled, Settlement
from uncia.events.deployments import DeploymentChanged, Sensitivity, deployment_key
from uncia.events.detections import CropPublished, Detection, DetectionCategory, DetectionResult
from uncia.events.explanations import (
    ExplainedBox,
    ExplanationMethod,
    ExplanationReason,
    ExplanationRequested,
    ImageExplained,
)
from uncia.events.images import (
    OBJECT_CHANGED,
    OBJECT_MOVED,
    WITHDRAWN_REASONS,
    Capture,
    CaptureTimeSource,
    ClassScore,
    FocusScore,
    ImagePredicted,
    ImageUploaded,
    Lane,
    Prediction,
    Rejection,
    Trigger,
)
from uncia.events.reviews import ObservationReviewed, ReviewDecision, ReviewedBox, ReviewedObservation
from uncia.events.static_objects import StaticObject, StaticObjectsChanged, StaticObjectsCleared
from uncia.events.values import Box, ClassVector, LuminanceGrid

__all__ = [
    "OBJECT_CHANGED",
    "OBJECT_MOVED",
    "WITHDRAWN_REASONS",
    "Box",
    "BurstCategory",
    "BurstFrame",
    "BurstResolved",
    "BurstReview",
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
    "CropPublished",
    "CropReference",
    "DeadLetter",
    "DeadLetterSettled",
    "DeploymentChanged",
    "Detection",
    "DetectionCategory",
    "DetectionResult",
    "Event",
    "ExplainedBox",
    "ExplanationMethod",
    "ExplanationReason",
    "ExplanationRequested",
    "FocusScore",
    "FrameBox",
    "FrameLate",
    "ImageExplained",
    "ImagePredicted",
    "ImageUploaded",
    "JoinReason",
    "Lane",
    "LuminanceGrid",
    "ObservationReviewed",
    "Prediction",
    "Rejection",
    "ReviewDecision",
    "ReviewedBox",
    "ReviewedObservation",
    "Sensitivity",
    "Settlement",
    "StaticObject",
    "StaticObjectsChanged",
    "StaticObjectsCleared",
    "TaxonVerdict",
    "Trigger",
    "deployment_key",
]
