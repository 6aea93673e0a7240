"""What operators can see and do, as the pages use it; the composition root provides it, because it writes to topics
and to Triton's model repository.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from uncia.dashboard.web.strings import text
from uncia.errors import PermanentError, UnciaError

__all__ = [
    "AlertRules",
    "CheckedRules",
    "DeadLetterDetails",
    "DeadLetterRow",
    "DeadLetters",
    "ModelVersionList",
    "ModelVersionRow",
    "ModelVersions",
    "NoAlertRules",
    "NoDeadLetters",
    "NoModelVersions",
    "NoReplays",
    "Operations",
    "PastAlert",
    "PromotedReplay",
    "ReplayComparison",
    "ReplayRow",
    "Replays",
    "RuleMistake",
    "RulePreview",
    "RuleText",
]


@dataclass(frozen=True)
class DeadLetterRow:
    """One message that could not be processed."""

    id: str
    """`<partition>:<offset>`"""
    stage: str
    reason: str
    message: str
    topic: str
    key: str
    written_at: str
    retries: int


@dataclass(frozen=True)
class DeadLetterDetails:
    """One dead letter with its content."""

    letter: DeadLetterRow
    settled: str
    """`retried` or `dropped`, by whom and when; empty while it is open."""
    text: str
    """Headers, stack trace, and the value as text or hex dump, truncated."""


class DeadLetters(Protocol):
    """The open dead letters. Methods raise `UnciaError`."""

    def open(self, limit: int, *, stage: str = "", reason: str = "") -> Sequence[DeadLetterRow]:
        """The open ones of a worker and with a reason (empty: any), the oldest first."""

    def show(self, letter: str) -> DeadLetterDetails:
        """One, open or not. Raises `PermanentError` where there is none."""

    def retry(self, ids: Sequence[str], account: str) -> Sequence[str]:
        """Send the messages again. Returns a sentence for each that was not."""

    def drop(self, ids: Sequence[str], account: str) -> Sequence[str]:
        """Mark them as dropped. Returns a sentence for each that was not."""


@dataclass(frozen=True)
class ReplayRow:
    """One replay."""

    name: str
    plan: str
    """What is replayed with which model, for people."""
    state: str
    """running, done, failed or stopped."""
    reason: str
    """Why its last run failed."""
    made_at: str


@dataclass(frozen=True)
class ReplayComparison:
    """A replay compared with the live bursts."""

    body: Mapping[str, Any]
    """What `uncia replay diff --json` prints."""
    fingerprint: str
    """Of the changes that a promotion would publish."""


@dataclass(frozen=True)
class PromotedReplay:
    """The result of a promotion."""

    changes: int
    events: int


class Replays(Protocol):
    """The replays that are known on this machine. Methods raise `UnciaError`."""

    def list(self) -> Sequence[ReplayRow]:
        """All, the oldest first."""

    def row(self, name: str) -> ReplayRow:
        """One. Raises `PermanentError` where there is none."""

    def compare(self, name: str) -> ReplayComparison:
        """Its differences from the live bursts, a few seconds old at most. Reads topics, which takes seconds."""

    def promote(self, name: str, fingerprint: str, account: str) -> PromotedReplay:
        """Publish its differences; refused where they are not those of the fingerprint any more."""

    def drop(self, name: str) -> None:
        """Remove its processes, topics and files."""


@dataclass(frozen=True)
class ModelVersionRow:
    """One version of a model."""

    model: str
    version: str
    kind: str
    """classifier or detector; empty for a version that only Triton has."""
    role: str
    """live, previous, beside or installed; empty for a version that only Triton has."""
    state: str
    """Triton's state; empty where it is not loaded, or where Triton does not respond."""
    reason: str
    label_set: str
    in_stream: bool
    live: str
    """The live version of the model; empty for a model that only Triton has."""


@dataclass(frozen=True)
class ModelVersionList:
    """The versions of all models."""

    versions: Sequence[ModelVersionRow] = ()
    stream: str = ""
    """A sentence on what the stream uses."""
    problem: str | None = None
    """Why Triton's states are not known."""


class ModelVersions(Protocol):
    """The model repository. Methods raise `UnciaError`."""

    def list(self) -> ModelVersionList:
        """All versions."""

    def make_live(self, model: str, version: str, live: str) -> None:
        """Make a version live; refused where `live` is not the live version any more."""


@dataclass(frozen=True)
class RuleText:
    """The file of alert rules as it is."""

    path: str
    text: str
    fingerprint: str


@dataclass(frozen=True)
class RuleMistake:
    """What is wrong, or probably not meant, at one place of a text; line and column count from 1."""

    line: int
    column: int
    text: str


@dataclass(frozen=True)
class CheckedRules:
    """A text of rules that was checked."""

    rules: int
    """How many there are; 0 with a mistake."""
    mistakes: Sequence[RuleMistake]
    warnings: Sequence[RuleMistake]


@dataclass(frozen=True)
class PastAlert:
    """An alert that rules would have raised. `burst_id`: its first burst."""

    rule: str
    station: str
    camera: str
    summary: str
    raised_at: datetime
    burst_id: str | None


@dataclass(frozen=True)
class RulePreview:
    """What rules would have raised."""

    days: int
    counts: Mapping[str, int]
    """By rule, in the order of the file."""
    newest: Sequence[PastAlert]
    """The last ones, the newest first."""
    total: int


class AlertRules(Protocol):
    """The file of alert rules. Methods raise `UnciaError`."""

    def read(self) -> RuleText:
        """The file as it is."""

    def check(self, text: str) -> CheckedRules:
        """The mistakes of a text."""

    def preview(self, text: str, days: int) -> RulePreview:
        """What a text without mistakes would have raised. Reads topics, which takes seconds."""

    def save(self, text: str, fingerprint: str) -> str:
        """Replace the file; refused where it is not the one of the fingerprint any more. Returns the new one."""


class NoAlertRules:
    """Where the page runs without a file of rules."""

    def read(self) -> RuleText:
        """Nothing."""
        raise UnciaError(text("refused.alert_rules"))

    def check(self, text: str) -> CheckedRules:
        """Nothing."""
        return CheckedRules(0, (), ())

    def preview(self, text: str, days: int) -> RulePreview:
        """Nothing."""
        return RulePreview(days, {}, (), 0)

    def save(self, text: str, fingerprint: str) -> str:
        """Nothing."""
        return fingerprint


class NoDeadLetters:
    """Where the page runs without access to the topics."""

    def open(self, limit: int, *, stage: str = "", reason: str = "") -> Sequence[DeadLetterRow]:
        """Nothing."""
        return ()

    def show(self, letter: str) -> DeadLetterDetails:
        """Nothing."""
        raise PermanentError("letter-unknown", text("refused.dead_letter", name=letter))

    def retry(self, ids: Sequence[str], account: str) -> Sequence[str]:
        """Nothing."""
        return ()

    def drop(self, ids: Sequence[str], account: str) -> Sequence[str]:
        """Nothing."""
        return ()


class NoReplays:
    """Where the page runs without access to the replays."""

    def list(self) -> Sequence[ReplayRow]:
        """Nothing."""
        return ()

    def row(self, name: str) -> ReplayRow:
        """Nothing."""
        raise PermanentError("replay-unknown", text("refused.replay", name=name))

    def compare(self, name: str) -> ReplayComparison:
        """Nothing."""
        raise PermanentError("replay-unknown", text("refused.replay", name=name))

    def promote(self, name: str, fingerprint: str, account: str) -> PromotedReplay:
        """Nothing."""
        raise PermanentError("replay-unknown", text("refused.replay", name=name))

    def drop(self, name: str) -> None:
        """Nothing."""


class NoModelVersions:
    """Where the page runs without a model repository."""

    def list(self) -> ModelVersionList:
        """Nothing."""
        return ModelVersionList()

    def make_live(self, model: str, version: str, live: str) -> None:
        """Nothing."""


@dataclass
class Operations:
    """What the page of operations shows and changes."""

    dead_letters: DeadLetters = field(default_factory=NoDeadLetters)
    replays: Replays = field(default_factory=NoReplays)
    models: ModelVersions = field(default_factory=NoModelVersions)
    rules: AlertRules = field(default_factory=NoAlertRules)
