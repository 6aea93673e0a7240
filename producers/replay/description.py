"""The description of a replay: its plan and its state, stored in one folder."""

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.child_processes import Mark
from uncia.errors import SettingsError, UnciaError
from uncia.ids import digest
from uncia.namespaces import replay_namespace
from uncia.producers.replay.selection import Selection
from uncia.producers.replay.setting_overrides import settings_with, shown_value
from uncia.producers.replay.worker_processes import MARK_VARIABLE
from uncia.serving.cards import pinned_model
from uncia.settings import Settings, stack_dir
from uncia.storage.durable import write_durably
from uncia.storage.process_lock import exclusive

LOW_PRIORITY = {"UNCIA_BACKFILL_AT_ONCE": "4", "UNCIA_DECODE_THREADS": "1"}
"""Few concurrent requests: a live request waits for at most these."""

_FILE = "replay.json"
_REASON = "reason"
_REASON_BYTES = 4096
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class ReplayPlan(BaseModel):
    """What a user requested: photographs, model and settings."""

    model_config = ConfigDict(frozen=True)

    selection: Selection = Selection()
    model: str = ""
    """A classifier or a detector; the other of the two is the live one. Empty: both are."""
    model_version: str = ""
    settings: dict[str, str] = Field(default_factory=dict)
    """`UNCIA_...` variables of the workers."""

    def describe(self) -> str:
        """The plan for people: `photographs of ridge/*, with large@3`."""
        return f"{self.selection.describe()}, with {self.describe_model()}"

    def describe_model(self) -> str:
        """The model and the overridden settings for people."""
        model = f"{self.model}@{self.model_version}" if self.model_version else self.model
        overrides = [f"{name}={shown_value(name, value)}" for name, value in sorted(self.settings.items())]
        return ", ".join([model or "the live model", *overrides])


class Replay(BaseModel):
    """One replay. The fields are the format of its file `replay.json`."""

    model_config = ConfigDict(frozen=True)

    name: str
    plan: ReplayPlan
    made_at: datetime
    mark: str
    """The value of the mark that its processes carry."""
    ends: dict[str, dict[int, int]]
    """End offsets of the live upload topics when the replay was created: topic, partition, offset."""
    answer_ends: dict[str, dict[int, int]] = Field(default_factory=dict)
    """The same for the live predictions, whose capture times `since` and `until` refer to."""
    topic_ids: dict[str, str] = Field(default_factory=dict)
    """The ids that the broker has given to the topics that the replay reads and writes, by full name."""
    completed_at: datetime | None = None
    loaded_model: bool = False
    """True where Triton loaded the model for this replay."""

    @classmethod
    def create(
        cls,
        name: str,
        plan: ReplayPlan,
        ends: dict[str, dict[int, int]],
        answer_ends: dict[str, dict[int, int]] | None = None,
    ) -> Self:
        """A new replay with a mark of its own; it is not stored yet."""
        mark = secrets.token_hex(12)
        return cls(name=name, plan=plan, made_at=datetime.now(UTC), mark=mark, ends=ends, answer_ends=answer_ends or {})

    def variables(self, live: Settings) -> dict[str, str]:
        """Environment variables of its workers, in addition to those of the live system or instead of them."""
        plan = self.plan
        fields = pinned_model(live, plan.model, plan.model_version) if plan.model else {}
        pinned = {f"UNCIA_{name.upper()}": value for name, value in fields.items()}
        return {**LOW_PRIORITY, **plan.settings, **pinned, "UNCIA_NAMESPACE": replay_namespace(self.name, live)}

    def settings(self, live: Settings) -> Settings:
        """The settings of its workers. Raises `SettingsError`."""
        return settings_with(self.variables(live))

    @property
    def process_mark(self) -> Mark:
        """The mark of its processes."""
        return Mark(MARK_VARIABLE, self.mark)

    @property
    def is_locked(self) -> bool:
        """True while a command starts, promotes or drops it."""
        if not self.folder.is_dir():
            return False
        try:
            with self.locked():
                return False
        except UnciaError:
            return True

    @property
    def state(self) -> str:
        """running, done, failed or stopped."""
        done_or_stopped = "done" if self.completed_at else "failed" if self.reason else "stopped"
        return "running" if self.is_locked else done_or_stopped

    def cause(self, account: str = "") -> str:
        """Why a burst was revised, for the `changes` of its event; `account`: who promoted the replay."""
        by = f", promoted by {account}" if account else ""
        return f"replay {self.name} with {self.plan.describe_model()}{by}"

    @property
    def folder(self) -> Path:
        """The folder of its description and of its workers' logs and data."""
        return replays_folder() / self.name

    def save(self) -> None:
        """Write the description atomically: readers find the old or the new one, even after a power cut."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_durably(self.folder / _FILE, self.model_dump_json(indent=2) + "\n")
        if not (self.folder / _REASON).exists():
            self.save_reason("")

    @property
    def reason(self) -> str:
        """Return why its last run failed; empty when it did not fail or was stopped."""
        try:
            return (self.folder / _REASON).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def save_reason(self, reason: str) -> None:
        """Store why a run failed, in preallocated blocks of the file, so that it works on a full disk, too."""
        raw = " ".join(reason.split()).encode()[:_REASON_BYTES].ljust(_REASON_BYTES)
        path = self.folder / _REASON
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(raw)

    def remove(self) -> None:
        """Remove its folder, and the folder of all replays if it was the last one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            replays_folder().rmdir()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Excludes other commands that start, promote or drop it. Raises `UnciaError` while one does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        refusal = UnciaError(
            f"another command is running, promoting or dropping the replay {self.name}: wait for it or stop it"
        )
        with exclusive(self.folder / "lock", refusal):
            yield


def replays_folder() -> Path:
    """The folder of all replays: in that of the embedded stack where there is one."""
    return (stack_dir() if stack_dir().is_dir() else Path(".local")) / "replays"


def find_replay(name: str) -> Replay | None:
    """The replay of that name, or None. Raises `UnciaError` when its description cannot be read."""
    path = replays_folder() / check_name(name) / _FILE
    try:
        return Replay.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UnciaError(f"{path} was not written by this version of Uncia: {error.errors()[0]['msg']}") from error


def load_replay(name: str) -> Replay:
    """The replay of that name. Raises `UnciaError` with the names that exist."""
    if found := find_replay(name):
        return found
    known = ", ".join(replay.name for replay in all_replays()) or "none yet"
    raise UnciaError(f"no replay is called {name!r}; there are: {known}")


def all_replays() -> list[Replay]:
    """All stored replays, oldest first."""
    found = [load_replay(path.parent.name) for path in replays_folder().glob(f"*/{_FILE}")]
    return sorted(found, key=lambda replay: replay.made_at)


def check_name(name: str) -> str:
    """The name itself. Raises `SettingsError` where it cannot become part of topic names."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is not a valid name: use at most 40 lower-case letters, digits and hyphens")
    return name


def default_name(plan: ReplayPlan) -> str:
    """A name derived from the plan: the same plan gets the same name, so that starting it again resumes."""
    prefix = re.sub(r"[^a-z0-9]+", "-", f"{plan.model or 'live'}-{plan.model_version}".lower()).strip("-")[:30]
    return f"{prefix}-{digest(json.dumps(plan.model_dump(mode='json'), sort_keys=True))[:6]}"
