"""A gateway whose store, clock and reports are plain Python, and which can be struck down at any step."""

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
from uncia.producers.gateway.report import Report
from uncia.producers.gateway.run import Options, Summary
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.upload_pool import Outcome
from uncia.producers.gateway.uploader import Receipt, Upload
from uncia.producers.gateway.watcher import Watcher


class Crash(BaseException):
    """The power is cut: no `except Exception` sees it."""


class Fate:
    """Counts steps and strikes at one of them."""

    def __init__(self, strike_at: int | None = None) -> None:
        self.steps = 0
        self._strike_at = strike_at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._strike_at:
            raise Crash


class Store:
    """A store that keeps what it takes; `troubles` are raised by the next uploads, one each (None: no trouble)."""

    bucket = "camera-uploads"

    def __init__(self, *troubles: Exception | None) -> None:
        self.objects: dict[str, bytes] = {}
        self.troubles = list(troubles)
        self.sent: list[str] = []
        self.fate = Fate()

    def send(self, upload: Upload) -> Receipt:
        self.fate.step()
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        data = upload.path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == upload.sha256
        self.objects[upload.key] = data
        self.sent.append(upload.key)
        self.fate.step()
        return self._receipt(upload)

    def look_up(self, upload: Upload) -> Receipt | None:
        self.fate.step()
        kept = self.objects.get(upload.key)
        same = kept is not None and hashlib.sha256(kept).hexdigest() == upload.sha256
        return self._receipt(upload) if same else None

    def _receipt(self, upload: Upload) -> Receipt:
        return Receipt(self.bucket, upload.key, upload.md5, upload.size, upload.sha256, "began", "ended")


class AtOnce:
    """Hands that make each attempt when it is started."""

    number = 4

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


class Told(Report):
    """Remembers what was said."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.lines: list[dict[str, Any]] = []

    def tell(self, event: str, text: str, **fields: Any) -> None:
        self.lines.append({"event": event, "text": text, **fields})

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


class FragileSpool(Spool):
    """A spool whose process may die before and after each of its transactions."""

    def __init__(self, path: Path, fate: Fate) -> None:
        self._fate = fate
        super().__init__(path, destination="test")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._fate.step()
        with super()._transaction() as database:
            yield database
        self._fate.step()


class Clock:
    """Goes on while the gateway waits, five seconds each time, and not otherwise. `writer` acts as time goes by: each
    of its deeds so many seconds after the beginning.
    """

    def __init__(self, writer: Sequence[tuple[float, Callable[[], object]]] = ()) -> None:
        self.began = self.now = 1_000_000.0
        self._writer = sorted(writer, key=lambda each: each[0])

    def __call__(self) -> float:
        while self._writer and self.now >= self.began + self._writer[0][0]:
            self._writer.pop(0)[1]()
        return self.now


def run(
    folder: Path,
    spool: Path,
    store: Store,
    told: Told | None = None,
    *,
    fate: Fate | None = None,
    writer: Sequence[tuple[float, Callable[[], object]]] = (),
    **options: Any,
) -> Summary:
    """One run with --once over a folder; may raise `Crash`."""
    clock = Clock(writer)
    store.fate = fate or Fate()
    with FragileSpool(spool, store.fate) as opened:
        gateway = Gateway(
            Options(folder, options.pop("station", "ridge"), once=True, **options),
            opened,
            Watcher(folder, settle_s=0),
            store,
            AtOnce(clock),
            told or Told(),
            threading.Event(),
            clock=clock,
            rng=random.Random(0),
        )
        return gateway.run()


def jpeg(seed: int = 0, side: int = 40) -> bytes:
    """A whole JPEG of noise."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3)).save(buffer, "JPEG")
    return buffer.getvalue()


def photograph(path: Path, content: str = "light") -> Path:
    """A file that calls itself a photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


def rows(spool: Path) -> list[dict[str, Any]]:
    """What the spool's file holds, read from outside."""
    with contextlib.closing(sqlite3.connect(spool)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM files ORDER BY id")]
