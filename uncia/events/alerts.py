"""Events about alerts: what a rule of the team found in the bursts of one camera, and what people did about it."""

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
    CAMERA_MOVED = "camera-moved"
    """A camera shows another view than before. The alert has no bursts; it is withdrawn when it has its earlier view
    again."""
    SCORE_DRIFT = "score-drift"
    """The scores of a camera are distributed otherwise than before. The alert has no bursts; it is withdrawn when they
    are distributed as before again."""


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
    bursts: BoundedTuple[AlertBurst] = Field(
        description="its bursts, in order of capture; none: silence, a moved camera, or drifted scores"
    )
    channels: tuple[Name, ...] = Field(default=(), max_length=100, description="where the rule sends it")
    raised_at: UtcTime = Field(
        description="log time of the verdict that raised it; of a silence, when it was too long; of a moved "
        "camera, of the photograph that decided it; of drifted scores, of the verdict that did"
    )
    updated_at: UtcTime = Field(description="log time of what changed it last")

    @property
    def matching(self) -> tuple[AlertBurst, ...]:
        """The bursts that still match."""
        return tuple(burst for burst in self.bursts if burst.matches)


class AlertAction(StrEnum):
    """What a person did about alerts."""

    ACKNOWLEDGED = "acknowledged"
    """A person takes care of the alert; it is open no longer."""
    UNACKNOWLEDGED = "unacknowledged"
    """The acknowledgement no longer counts."""
    MUTED = "muted"
    """Alerts of a rule, of a camera, or of a rule at a camera are held back until a time."""
    UNMUTED = "unmuted"
    """The mute of exactly this rule and camera ends at once."""


class AlertHandled(Event):
    """A person acknowledged an alert, or muted alerts, or took either back. Key: see `key`.

    **Which one counts.** All events of one key are in one partition, and the last one counts: of two people, the later.

    **Acknowledgements** name `alert_id`, and `alert_revision`, the revision that the person saw. They stay when the
    alert is updated or withdrawn; receivers compare the revisions if that matters to them.

    **Mutes** name `rule`, `camera` or both, and `until`. An alert is muted at a moment when a mute that counts has
    `at` <= moment < `until`, and each of `rule` and `camera` that it names is the alert's. Several mutes may apply; an
    `unmuted` ends the one of the same rule and camera, and no other. A mute changes no alert: it is raised, updated and
    withdrawn as ever. Who delivers alerts holds back what is raised or updated while it is muted, and lets a
    withdrawal pass of what was delivered before. A mute that names neither rule nor camera, or no end, means nothing.
    """

    topic: ClassVar[str] = "camera.alert.handled.v1"

    handling_id: Name = Field(description="derived from key, account, time and action: a repetition is the same")
    action: AlertAction
    alert_id: Name | None = Field(default=None, description="of an acknowledgement; None: a mute")
    alert_revision: PositiveInt | None = Field(default=None, description="the revision that the person saw")
    rule: Name | None = Field(default=None, description="name of the rule; of a mute None: any rule")
    station: Name = Field(default="", description="empty: all stations")
    camera: Name = Field(default="", description="`<station>/<camera>`; of a mute empty: all cameras")
    until: UtcTime | None = Field(default=None, description="of a mute: when it ends by itself")
    by: Name = Field(description="name of the account")
    note: FreeText | None = None
    at: UtcTime

    @property
    def key(self) -> str:
        """Key of the message: the alert's id, or `mute|<rule>|<camera>` with `|` and `%` of the rule escaped."""
        return self.alert_id or mute_key(self.rule, self.camera)

    @property
    def partitioned_by(self) -> str:
        """What the partition is computed from: the camera; of a mute of a rule at all cameras, the key."""
        return self.camera or self.key


def mute_key(rule: str | None, camera: str) -> str:
    """Key of the mutes of a rule (None: any) at a camera (empty: all)."""
    return f"mute|{(rule or '').replace('%', '%25').replace('|', '%7C')}|{camera}"
