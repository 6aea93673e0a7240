"""What is known here of the runs elsewhere: one folder per run, from which another command takes it up again."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from uncia.storage.durable import write_durably
from uncia.training.remote.errors import RemoteError
from uncia.training.remote.plan import RunPlan

__all__ = ["RUNS", "Phase", "RunRecord", "RunStore"]

RUNS = Path(".local/training/runs")
"""Folder of the records, relative to the working directory, as the cache of features is."""

Phase = Literal["planned", "running", "fetched", "failed", "cancelled"]

_RECORD = "run.json"
_LOG = "log"


class RunRecord(BaseModel):
    """A run, where it is, and how much of its output has been shown here."""

    plan: RunPlan
    target: str
    ssh_config: Path | None = None
    environment: str | None = None
    """An existing environment over there; None for one that is created."""
    created: datetime
    phase: Phase = "planned"
    restarts: int = 0
    offsets: dict[str, int] = {}
    """Bytes of each file of the run's output that have been shown."""


class RunStore:
    """The records of all runs that were started in this working directory."""

    def __init__(self, folder: Path = RUNS) -> None:
        self.folder = folder

    def folder_of(self, run: str) -> Path:
        """The folder of a run's record, log and wheel."""
        return self.folder / run

    def find(self, run: str) -> RunRecord | None:
        """The record of a run; None where there is none. Raises `RemoteError` where it cannot be read."""
        path = self.folder_of(run) / _RECORD
        try:
            return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise RemoteError(f"{path} is not the record of a run: {error}") from error

    def load(self, run: str) -> RunRecord:
        """The record of a run. Raises `RemoteError`."""
        record = self.find(run) if run == Path(run).name else None
        if record is None:
            raise RemoteError(f"there is no run {run} here; `uncia train runs` lists them")
        return record

    def all(self) -> list[RunRecord]:
        """All records, oldest first."""
        names = sorted(path.parent.name for path in self.folder.glob(f"*/{_RECORD}"))
        return sorted((self.load(name) for name in names), key=lambda record: record.created)

    def save(self, record: RunRecord) -> None:
        """Replace the record of a run. Raises `RemoteError`."""
        folder = self.folder_of(record.plan.id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(folder / _RECORD, record.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise RemoteError(f"the record of the run cannot be written to {folder}: {error.strerror}") from error

    def append_log(self, run: str, text: str) -> None:
        """Add to the run's log."""
        with (self.folder_of(run) / _LOG).open("a", encoding="utf-8") as log:
            log.write(text)
