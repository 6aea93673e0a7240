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

from producers.replay.selection import Selection
from uncia.durable import write_durably
from uncia.errors import SettingsError, UnciaError
from uncia.ids import digest
from uncia.settings import Settings, read_settings, stack_dir

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

GENTLE = {"UNCIA_BACKFILL_AT_ONCE": "4", "UNCIA_DECODE_THREADS": "1"}
"""Small windows: live finds at most these few requests of a replay before its own."""

_FILE = "replay.json"
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
        changed = [f"{name}={value}" for name, value in sorted(self.settings.items())]
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
    completed_at: datetime | None = None
    loaded_model: bool = False
    """Triton served the model because of this replay."""

    @classmethod
    def make(cls, name: str, plan: Plan, ends: dict[str, dict[int, int]]) -> Self:
        """A new one."""
        return cls(name=name, plan=plan, made_at=datetime.now(UTC), mark=secrets.token_hex(12), ends=ends)

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

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

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
        if not equals or field not in Settings.model_fields:
            raise SettingsError(f"--settings {each}: write NAME=value with a name from `uncia settings`")
        if field in FIXED:
            raise SettingsError(f"--settings {each}: a replay has its own {name}; --model chooses the model")
        found[name] = value.strip()
    _settings_with(found)
    return found


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
