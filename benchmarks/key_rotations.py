"""`python -m benchmarks.key_rotations`: the pause of the stream while `uncia keys rotate` replaces a key.

Photographs are uploaded throughout, each by a new camera, so that each becomes a burst of its own. The pause is the
longest time without a verdict, by the times of the messages.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from rich.console import Console

from benchmarks.background import BackgroundThreads
from benchmarks.machine import describe
from benchmarks.markdown_section import replace_section
from benchmarks.markdown_section import table as markdown_table
from benchmarks.photographs import Photographs, exif_block
from tests.recovery.faults import FaultContext
from tests.recovery.running_stack import running_stack
from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED

BEGIN, END = "<!-- rotations: written by `python -m benchmarks.key_rotations --docs` -->", "<!-- end of rotations -->"
DOCS = Path("docs/keys.md")

KEYS = ("intake", "predict", "bursts", "object-store", "triton", "certificates")
_UPLOAD_INTERVAL_S = 0.5
_SETTLE_S = 20
_TIMEOUT_S = 180
_SMALLER = 4


@dataclass(frozen=True)
class Rotation:
    """One rotation, in seconds."""

    key: str
    began: float
    """Since the epoch."""
    command_s: float
    """From the start of the command to its end."""
    ready_s: float
    """From the start of the command until every part of the stack was ready."""

    def pause_s(self, verdicts: list[float]) -> float:
        """The longest time between two verdicts of which one came during the rotation, or both. `verdicts`: sorted."""
        until = self.began + self.ready_s
        return max((after - before for before, after in pairwise(verdicts) if after >= self.began and before <= until))

    def usual_s(self, verdicts: list[float]) -> float:
        """The longest time between two verdicts in the seconds before."""
        before = [moment for moment in verdicts if self.began - _SETTLE_S / 2 <= moment <= self.began]
        return max(after - earlier for earlier, after in pairwise(before))


class Uploads(BackgroundThreads):
    """Uploads photographs at a steady rate while the context is entered; repeats a refused one."""

    def __init__(self, settings: Settings, photographs: Photographs) -> None:
        self._settings, self._photographs = settings, photographs
        self.cameras: set[str] = set()
        """Those whose photograph is stored."""
        super().__init__(self._upload)

    def _upload(self, stop: threading.Event) -> None:
        store = ObjectStore(self._settings, timeout_s=5, attempts=1)
        number = 0
        while not stop.wait(_UPLOAD_INTERVAL_S):
            number += 1
            taken = datetime.now().replace(microsecond=0)
            camera = f"rotations/{number:05}"
            data = self._photographs.with_exif(number, exif_block(taken, 1, 1, number))
            while not stop.is_set():
                try:
                    key = f"{camera}/{taken:%Y%m%dT%H%M%S}.jpg"
                    store.client.put_object(Bucket=self._settings.bucket, Key=key, Body=data)
                except (BotoCoreError, ClientError, HTTPClientError, OSError):
                    stop.wait(0.1)
                    continue
                self.cameras.add(camera)
                break
        store.close()


def rotate(field: FaultContext, key: str) -> Rotation:
    """Rotate a key by the command, and wait until every part is ready that was so before."""
    parts = _ready(field)
    began = time.time()
    command = [sys.executable, "-m", "uncia", "keys", "rotate", key]
    done = subprocess.run(command, env=field.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DependencyDown(f"`uncia keys rotate {key}` failed: {done.stderr.strip()}")
    command_s = time.time() - began
    while not parts <= _ready(field):
        if time.time() - began > _TIMEOUT_S:
            raise DependencyDown(f"not every part is ready {_TIMEOUT_S} s after `uncia keys rotate {key}`")
        time.sleep(0.2)
    return Rotation(key, began, command_s, time.time() - began)


def _ready(field: FaultContext) -> set[str]:
    return {part.name for part in field.stack.status() if part.ready}


def verdicts_of(settings: Settings) -> dict[str, float]:
    """The time of the first verdict on each camera, in seconds since the epoch."""
    found: dict[str, float] = {}
    for message in read_topics(settings, (BURST_RESOLVED,), from_beginning=True, until_end=True):
        if message.value is not None:
            found.setdefault(json.loads(message.value)["camera"], message.timestamp_ms / 1000)
    return found


def measure(
    field: FaultContext, photographs: Path, keys: list[str], progress: Callable[[str], None]
) -> list[dict[str, str | float]]:
    """Rotate the keys one after the other. Raises `DependencyDown` when a stored photograph gets no verdict."""
    rotations: list[Rotation] = []
    with Uploads(field.stack.settings(), Photographs(photographs, 8, _SMALLER)) as uploads:
        for key in keys:
            time.sleep(_SETTLE_S)
            rotations.append(rotate(field, key))
            progress(f"  {key}: {rotations[-1].command_s:.1f} s, all ready after {rotations[-1].ready_s:.1f} s")
        time.sleep(_SETTLE_S)
    deadline = time.monotonic() + _TIMEOUT_S
    while missing := uploads.cameras - (verdicts := verdicts_of(field.stack.settings())).keys():
        if time.monotonic() > deadline:
            raise DependencyDown(f"{len(missing)} of {len(uploads.cameras)} photographs have no verdict")
        time.sleep(1)
    moments = sorted(verdicts.values())
    return [
        {
            "key": one.key,
            "command_s": round(one.command_s, 1),
            "ready_s": round(one.ready_s, 1),
            "pause_s": round(one.pause_s(moments), 1),
            "usual_s": round(one.usual_s(moments), 1),
        }
        for one in rotations
    ]


def table(found: list[dict[str, str | float]]) -> str:
    """A Markdown table."""
    header = (
        "`uncia keys rotate` of",
        "command takes",
        "all parts ready after",
        "pause of the verdicts",
        "before",
    )
    rows = [
        [str(one["key"]), *(f"{one[name]} s" for name in ("command_s", "ready_s", "pause_s", "usual_s"))]
        for one in found
    ]
    return markdown_table(header, rows)


def key_rotations(
    keys: Annotated[list[str] | None, typer.Argument(help=f"Keys to rotate. Default: {', '.join(KEYS)}.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder of photographs, logs and results.")] = Path(
        ".local/bench/rotations"
    ),
    docs: Annotated[bool, typer.Option("--docs", help="Also write the table of docs/keys.md.")] = False,
) -> None:
    """Measure the pause of the stream while keys are rotated."""
    console = Console(stderr=True, highlight=False)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    began = datetime.now(UTC)
    with running_stack(keep=folder / "logs") as (field, _):
        found = measure(
            field, folder / "photographs", keys or list(KEYS), lambda line: console.print(line, markup=False)
        )
    machine = describe()
    (folder / "results.json").write_text(json.dumps({**machine, "rotations": found}, indent=2) + "\n", encoding="utf-8")
    if docs:
        intro = (
            f"Each key once, {began:%Y-%m-%d %H:%M} UTC, on {machine['machine_cores']} shared cores, with "
            f"{1 / _UPLOAD_INTERVAL_S:.0f} photographs a second, all of which got a verdict. The times are from the "
            "start of the command; the last two columns are the longest time between verdicts, during the rotation and "
            "in the 10 s before it."
        )
        DOCS.write_text(replace_section(DOCS, BEGIN, END, f"{intro}\n\n{table(found)}"), encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        typer.run(key_rotations)
    except UnciaError as error:
        sys.exit(f"benchmarks.key_rotations: {error}")
