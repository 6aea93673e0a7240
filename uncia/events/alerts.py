"""Events about alerts: what a rule of the team found in the bursts of one camera."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, PositiveInt

from uncia.events.base import BoundedTuple, Event, FreeText, LocalTime, Name, UtcTime, WireModel
from uncia.events.bursts import BurstCategory, BurstStatus


class AlertState(StrEnum):
    """State of an alert. One that was withdrawn is `updated` when a later revision of its bursts matches again."""

    RAISED = "raised"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"


class AlertCause(StrEnum):
    """What the rule of an alert is about, other than verdicts alone. Values may be added."""

    RARITY = "rarity"
    """Bursts with a verdict that the rule names, after a time without one at the camera."""
    SILENCE = "silence"
    """Nothing came from a camera for too long. The alert has no bursts; it is withdrawn when the camera is heard."""


class Severity(StrEnum):
    """How urgent the rule says it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertBurst(WireModel):
    """One burst of an alert, by the verdict that was known when the alert was published."""

    burst_id: str
    revision: PositiveInt
    status: BurstStatus
    started_at: LocalTime
    ended_at: LocalTime
    matches: bool = Field(description="false: the rule matched an earlier revision and no longer does")
    category: BurstCategory | None = None
    taxon: str | None = None
    label: str | None = None
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="calibrated probability of the taxon, or of an animal; None: unknown"
    )
    count: PositiveInt | None = None
    reviewed: bool = Field(default=False, description="a person decided")


class AlertRaised(Event):
    """An alert was raised, updated or withdrawn. Key: `alert_id`. Consumers keep the highest `revision`.

    It names no position: a consumer that may know it takes it from the deployments.
    """

    topic: ClassVar[str] = "camera.alert.raised.v1"

    alert_id: str
    revision: PositiveInt = Field(description="increases with every event of this alert")
    state: AlertState
    rule: Name = Field(description="name of the rule")
    severity: Severity = Severity.WARNING
    cause: AlertCause | None = Field(default=None, description="what the rule is about; None: verdicts alone")
    station: str
    camera: str
    summary: FreeText = Field(description="one sentence for people")
    bursts: BoundedTuple[AlertBurst] = Field(description="its bursts, in order of capture; none: silence")
    channels: tuple[Name, ...] = Field(default=(), max_length=100, description="where the rule sends it")
    raised_at: UtcTime = Field(description="log time of the verdict that raised it; of a silence, when it was too long")
    updated_at: UtcTime = Field(description="log time of what changed it last")

    @property
    def matching(self) -> tuple[AlertBurst, ...]:
        """The bursts that still match."""
        return tuple(burst for burst in self.bursts if burst.matches)
