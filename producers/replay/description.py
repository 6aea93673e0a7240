"""What a replay is, and where that is written down."""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError, UnciaError
from uncia.ids import digest
from uncia.producers.replay.selection import Selection
from uncia.settings import Settings, read_settings, stack_dir
from uncia.storage.durable import write_durably

FIXED = {
    "kafka",
    "namespace",
    "partitions",
    "replication",
    "model",
    "model_version",
    "data_dir",
    "web_host",
    "web_port",
}
"""Settings that a replay has from elsewhere, and that `--settings` may therefore not change."""

WITHOUT_EFFECT = {
    "backfill_after_s",
    "bucket",
    "event_gap_s",
    "independence_gap_s",
    "key_pattern",
    "own_buckets",
}
"""Settings that no worker of a replay reads; all of reconcile are others."""

GENTLE = {"UNCIA_BACKFILL_AT_ONCE": "4", "UNCIA_DECODE_THREADS": "1"}
"""Small windows: live finds at most these few requests of a replay before its own."""

_FILE = "replay.json"
_REASON = "reason"
_REASON_BYTES = 4096
_SECRET = re.compile(r"secret|password|passwd|token|credential|access_key")
_USER_IN_URL = re.compile(r"//[^/@]*@")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Plan(BaseModel):
    """What was asked for."""

    model_config = ConfigDict(frozen=True)

    selection: Selection = Selection()
    model: str = ""
    """Empty: the live one."""
    model_version: str = ""
    settings: dict[str, str] = Field(default_factory=dict)
    """`UNCIA_...` variables of the workers."""

    def words(self) -> str:
        """For people."""
        model = f"{self.model}@{self.model_version}" if self.model_version else self.model
        changed = [f"{name}={_shown(name, value)}" for name, value in sorted(self.settings.items())]
        return f"{self.selection.words()}, with {', '.join([model or 'the live model', *changed])}"


class Replay(BaseModel):
    """One replay."""

    model_config = ConfigDict(frozen=True)

    name: str
    plan: Plan
    made_at: datetime
    mark: str
    """In the environment of its processes."""
    ends: dict[str, dict[int, int]]
    """Of each live upload topic, when the replay was made: partition to offset."""
    answer_ends: dict[str, dict[int, int]] = Field(default_factory=dict)
    """The same of live's answers, whose capture times `since` and `until` go by."""
    topic_ids: dict[str, str] = Field(default_factory=dict)
    """Full names of the topics that it reads and writes, and the ids that the broker gave them."""
    completed_at: datetime | None = None
    loaded_model: bool = False
    """Triton served the model because of this replay."""

    @classmethod
    def make(
        cls,
        name: str,
        plan: Plan,
        ends: dict[str, dict[int, int]],
        answer_ends: dict[str, dict[int, int]] | None = None,
    ) -> Self:
        """A new one."""
        mark = secrets.token_hex(12)
        return cls(name=name, plan=plan, made_at=datetime.now(UTC), mark=mark, ends=ends, answer_ends=answer_ends or {})

    def variables(self, live: Settings) -> dict[str, str]:
        """What the environment of its workers has beside, or instead of, that of live."""
        plan = self.plan
        pinned = {"UNCIA_MODEL": plan.model, "UNCIA_MODEL_VERSION": plan.model_version} if plan.model else {}
        return {**GENTLE, **plan.settings, **pinned, "UNCIA_NAMESPACE": namespace_of(self.name, live)}

    def settings(self, live: Settings) -> Settings:
        """The settings of its workers. Raises `SettingsError`."""
        return _settings_with(self.variables(live))

    @property
    def runs(self) -> bool:
        """A command has it in its hands at this moment."""
        if not self.folder.is_dir():
            return False
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    @property
    def folder(self) -> Path:
        """Description, logs, scratch."""
        return home() / self.name

    def save(self) -> None:
        """Write the description: whoever reads it finds the old one or the new one, also after a power cut."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_durably(self.folder / _FILE, self.model_dump_json(indent=2) + "\n")
        if not (self.folder / _REASON).exists():
            self.note_reason("")

    @property
    def reason(self) -> str:
        """Why its last run could not go on; empty where it could, or was stopped."""
        try:
            return (self.folder / _REASON).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def note_reason(self, reason: str) -> None:
        """Write down why it cannot go on, into blocks that the file has from the start: a full disk is a reason too."""
        raw = " ".join(reason.split()).encode()[:_REASON_BYTES].ljust(_REASON_BYTES)
        path = self.folder / _REASON
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(raw)

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            home().rmdir()  # the last one

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else starts, promotes or drops it meanwhile. Raises `UnciaError` when somebody does now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UnciaError(
                    f"the replay {self.name} is in another command's hands; wait for it or end it"
                ) from error
            yield


def home() -> Path:
    """Where the replays of this system are described: in the stack's folder where there is one."""
    return (stack_dir() if stack_dir().is_dir() else Path(".local")) / "replays"


def namespace_of(name: str, live: Settings) -> str:
    """The namespace of a replay."""
    return f"{live.namespace}-replay-{name}" if live.namespace else f"replay-{name}"


def find(name: str) -> Replay | None:
    """The replay of that name, if there is one. Raises `UnciaError` when its description cannot be read."""
    path = home() / checked(name) / _FILE
    try:
        return Replay.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UnciaError(f"{path} was not written by this version of Uncia: {error.errors()[0]['msg']}") from error


def load(name: str) -> Replay:
    """The replay of that name. Raises `UnciaError` with the names that there are."""
    if found := find(name):
        return found
    known = ", ".join(replay.name for replay in all_replays()) or "none yet"
    raise UnciaError(f"no replay is called {name!r}; there are: {known}")


def all_replays() -> list[Replay]:
    """Every replay that is described here, oldest first."""
    found = [load(path.parent.name) for path in home().glob(f"*/{_FILE}")]
    return sorted(found, key=lambda replay: replay.made_at)


def checked(name: str) -> str:
    """The name, if it may be one: it becomes part of topic names."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot name a replay: small letters, digits and hyphens, at most 40")
    return name


def drawn_name(plan: Plan) -> str:
    """The name of a replay that was given none: the same for the same plan, so that it goes on."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{plan.model or 'live'}-{plan.model_version}".lower()).strip("-")[:30]
    return f"{words}-{digest(json.dumps(plan.model_dump(mode='json'), sort_keys=True))[:6]}"


def variables_of(assignments: list[str]) -> dict[str, str]:
    """`NAME=value` as a mapping, for workers' settings that exist and may differ. Raises `SettingsError`."""
    found: dict[str, str] = {}
    for each in assignments:
        name, equals, value = each.partition("=")
        name = name.strip().upper()
        name = name if name.startswith("UNCIA_") else f"UNCIA_{name}"
        field = name.removeprefix("UNCIA_").lower()
        # The value is repeated nowhere: with a slip in the name it may be a secret.
        if is_secret(field) or _USER_IN_URL.search(value):
            raise SettingsError(
                f"--settings {name}: secrets are not taken here, where they would be written down with the replay; its "
                "workers have those of the environment and of the stack"
            )
        if not equals or field not in Settings.model_fields:
            raise SettingsError(f"--settings {name}: write NAME=value with a name from `uncia settings show`")
        if field in FIXED:
            raise SettingsError(f"--settings {name}: a replay has its own {name}; --model chooses the model")
        if field in WITHOUT_EFFECT or field.startswith("reconcile_"):
            raise SettingsError(f"--settings {name}: has no effect on a replay")
        found[name] = value.strip()
    _settings_with(found)
    return found


def is_secret(field: str) -> bool:
    """The setting, by its name in `Settings`, must not be shown or stored."""
    info = Settings.model_fields.get(field)
    return bool(_SECRET.search(field)) or (info is not None and "SecretStr" in str(info.annotation))


def _shown(name: str, value: str) -> str:
    """A setting's value for people. Descriptions of earlier versions may hold secrets."""
    return "(not shown)" if is_secret(name.removeprefix("UNCIA_").lower()) or _USER_IN_URL.search(value) else value


def _settings_with(variables: dict[str, str]) -> Settings:
    """Settings as a process with these variables reads them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        return read_settings()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
