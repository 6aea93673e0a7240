"""The versions of a model in Triton's repository: which are installed, which one is live, which was live before.

    <repository>/<model>/config.pbtxt       how Triton serves it, and which versions
    <repository>/<model>/live.json          which version is live, and which was live before
    <repository>/<model>/<version>/         model.onnx, model.json, labels.json (not of detectors), and
                                            model.py for the python backend

A version's folder is immutable: it is added and removed as a whole. Only `live.json` changes, a few bytes that are
replaced atomically: clients of the model poll it and switch when it has changed. A file, because it reaches every
machine that the repository reaches.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncia.errors import SettingsError
from uncia.storage.durable import write_durably
from uncia.storage.process_lock import process_lock

LIVE_FILE = "live.json"
CONFIG_FILE = "config.pbtxt"
CARD_FILE = "model.json"
LABELS_FILE = "labels.json"
GRAPH_FILE = "model.onnx"

_NUMBER = r"^[1-9][0-9]{0,8}$"


class VersionState(BaseModel):
    """The content of `live.json`: which versions of a model are served. Field names are a stored format."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    live: str = Field(pattern=_NUMBER, description="the version that clients use")
    previous: str | None = Field(
        default=None, pattern=_NUMBER, description="the version that was live before; stays loaded, for roll-back"
    )
    beside: tuple[str, ...] = Field(default=(), description="served in addition: the version of a shadow")
    newest: int = Field(default=1, ge=1, description="the highest number given so far; none is given twice")
    moved_at: datetime = Field(description="when another version became live")

    @property
    def served(self) -> tuple[str, ...]:
        """The versions that Triton is to serve, in order of number."""
        return sort_versions({self.live, *self.beside, *([self.previous] if self.previous else [])})


def initial_state(version: str = "1") -> VersionState:
    """The state of a model with one version."""
    return VersionState(live=version, newest=int(version), moved_at=datetime.now(UTC))


def sort_versions(versions: set[str]) -> tuple[str, ...]:
    """Versions in the order of their numbers."""
    return tuple(sorted(versions, key=int))


def read_version_state(folder: Path) -> VersionState:
    """Read a model's `live.json`. Raises `SettingsError` with what to do."""
    path = folder / LIVE_FILE
    try:
        return VersionState.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"no {LIVE_FILE} in {folder}: `uncia models build` makes it") from error
    except ValidationError as error:
        raise SettingsError(f"{path} does not say which version is live: `uncia models build` rebuilds it") from error


def write_version_state(folder: Path, state: VersionState) -> None:
    """Replace a model's `live.json`: readers find the old content or the new."""
    write_durably(folder / LIVE_FILE, state.model_dump_json(indent=1) + "\n")


@contextlib.contextmanager
def repository_lock(repository: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock the repository for a change of its content, or of what Triton serves from it.

    Raises `filelock.Timeout` when another process has the lock and `wait` is False.
    """
    with process_lock(repository / ".building.lock").acquire(blocking=wait):
        yield


def state_stamp(folder: Path) -> tuple[int, int]:
    """Modification time and inode of `live.json`, different after every change; (0, 0) without a file."""
    try:
        found = (folder / LIVE_FILE).stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def installed_versions(folder: Path) -> tuple[str, ...]:
    """The versions in a model's folder, in order of number; none where there is no such folder."""
    return sort_versions(
        {path.parent.name for path in folder.glob(f"[1-9]*/{CARD_FILE}") if path.parent.name.isdecimal()}
    )


def resolve_version(repository: Path, model: str, version: str = "") -> str:
    """The version, or the live one for an empty `version`. Raises `SettingsError` where it is not installed."""
    there = installed_versions(repository / model)
    version = version or read_version_state(repository / model).live
    if version not in there:
        raise SettingsError(
            f"{model} has no version {version} in {repository}, only {', '.join(there) or 'none'}; "
            "`uncia models list` shows what there is"
        )
    return version


def list_models(repository: Path) -> tuple[str, ...]:
    """The models of a repository, by name."""
    return tuple(sorted(path.parent.name for path in repository.glob(f"[!.]*/{LIVE_FILE}")))
