"""A gateway with a fake store, clock and reporter that can be made to crash at any step."""

import contextlib
import hashlib
import io
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.gateway.file_kinds import PHOTOGRAPHS
from uncia.producers.gateway.options import GatewayOptions
from uncia.producers.gateway.run_summary import RunSummary
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.upload_pool import Outcome
from uncia.producers.gateway.uploader import Receipt, Upload
from uncia.producers.gateway.watcher import Watcher


class Crash(BaseException):
    """A power cut: no `except Exception` catches it."""


class CrashPlan:
    """Counts steps and raises `Crash` at one of them."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.steps = 0
        self._crash_at = crash_at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._crash_at:
            raise Crash


class FakeStore:
    """A store in memory. Each of the next uploads raises one of `failures` (None: it succeeds)."""

    bucket = "camera-uploads"

    def __init__(self, *failures: Exception | None) -> None:
        self.objects: dict[str, bytes] = {}
        self.failures = list(failures)
        self.sent: list[str] = []
        self.crashes = CrashPlan()

    def send(self, upload: Upload) -> Receipt:
        self.crashes.step()
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        data = upload.path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == upload.sha256
        self.objects[upload.key] = data
        self.sent.append(upload.key)
        self.crashes.step()
        return self._receipt(upload)

    def find_stored(self, upload: Upload) -> Receipt | None:
        self.crashes.step()
        stored = self.objects.get(upload.key)
        same = stored is not None and hashlib.sha256(stored).hexdigest() == upload.sha256
        return self._receipt(upload) if same else None

    def _receipt(self, upload: Upload) -> Receipt:
        return Receipt(self.bucket, upload.key, upload.md5, upload.size, upload.sha256, "began", "ended")


class ImmediatePool:
    """An upload pool that runs an attempt when it is started."""

    size = 4

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._outcomes: list[Outcome] = []

    @property
    def busy(self) -> int:
        return len(self._outcomes)

    def start(self, attempt: Callable[[], Outcome]) -> None:
        self._outcomes.append(attempt())

    def finished(self, wait_s: float) -> list[Outcome]:
        if wait_s > 0 and not self._outcomes:
            self._clock.now += 5
        done, self._outcomes = self._outcomes, []
        return done


class RecordingReporter(EventReporter):
    """Records events."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.lines: list[dict[str, Any]] = []

    def emit(self, event: str, message: str, **fields: Any) -> None:
        self.lines.append({"event": event, "text": message, **fields})

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


class CrashingSpool(Spool):
    """A spool whose process may die before and after each of its transactions."""

    def __init__(self, path: Path, crashes: CrashPlan) -> None:
        self._fate = crashes
        super().__init__(path, destination="test")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._fate.step()
        with super()._transaction() as database:
            yield database
        self._fate.step()


class Clock:
    """Advances by five seconds whenever the gateway waits. Calls each function of `writer` at its time, in seconds."""

    def __init__(self, writer: Sequence[tuple[float, Callable[[], object]]] = ()) -> None:
        self.began = self.now = 1_000_000.0
        self._writer = sorted(writer, key=lambda deed: deed[0])

    def __call__(self) -> float:
        while self._writer and self.now >= self.began + self._writer[0][0]:
            self._writer.pop(0)[1]()
        return self.now


def run(
    folder: Path,
    spool: Path,
    store: FakeStore,
    reporter: RecordingReporter | None = None,
    *,
    crashes: CrashPlan | None = None,
    writer: Sequence[tuple[float, Callable[[], object]]] = (),
    extensions: frozenset[str] = PHOTOGRAPHS,
    **options: Any,
) -> RunSummary:
    """One run with --once over a folder; may raise `Crash`."""
    clock = Clock(writer)
    store.crashes = crashes or CrashPlan()
    with CrashingSpool(spool, store.crashes) as opened:
        gateway = Gateway(
            GatewayOptions(folder, options.pop("station", "ridge"), once=True, **options),
            opened,
            Watcher(folder, settle_s=0, extensions=extensions),
            store,
            ImmediatePool(clock),
            reporter or RecordingReporter(),
            threading.Event(),
            clock=clock,
            rng=random.Random(0),
        )
        return gateway.run()


def jpeg(seed: int = 0, side: int = 40) -> bytes:
    """A complete JPEG of noise."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3)).save(buffer, "JPEG")
    return buffer.getvalue()


def photograph(path: Path, content: str = "light") -> Path:
    """Write a file with the name of a photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


def rows(spool: Path) -> list[dict[str, Any]]:
    """All rows of a spool, read with SQLite."""
    with contextlib.closing(sqlite3.connect(spool)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM files ORDER BY id")]
