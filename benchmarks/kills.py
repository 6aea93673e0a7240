"""`python -m benchmarks.kills`: the recovery time of the stream after a `kill -9` of each part.

Two photographs per second are uploaded throughout, one live and one old (for backfill), each by a new camera. The
recovery time is from the kill until a photograph uploaded after it has the result that the killed part produces.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from kafka.errors import KafkaError
from rich.console import Console

from benchmarks.background import BackgroundThreads
from benchmarks.figures import spread
from benchmarks.machine import describe
from benchmarks.markdown_section import replace_section
from benchmarks.markdown_section import table as markdown_table
from benchmarks.photographs import Photographs, exif_block
from tests.recovery.faults import LIVE_PATH, OFF_LIVE_PATH, Fault, FaultContext, Kill, KillModel
from tests.recovery.running_stack import running_stack
from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, CLOCK_JUDGED, IMAGE_PREDICTED, Topic

BEGIN, END = "<!-- kills: written by `python -m benchmarks.kills --docs` -->", "<!-- end of kills -->"
DOCS = Path("docs/recovery.md")

_UPLOAD_INTERVAL_S = 1.0
_SETTLE_S = 4.0
_TIMEOUT_S = 90
_OLD = timedelta(days=400)
_SMALLER = 4

Outcome = tuple[Topic, str]
"""The result that proves that a part works: a message on this topic from a camera with this prefix."""

_OUTCOMES: dict[str, Outcome] = {
    "bursts": (BURST_RESOLVED, "kills/live"),
    "clocks": (CLOCK_JUDGED, "kills/live"),
    "predict-backfill": (IMAGE_PREDICTED, "kills/old"),
}
_WITHOUT_RESULTS = ("crops", "explain", "identify")
"""Parts that none of the measured results passes through."""

_DEFAULT_OUTCOME: Outcome = (IMAGE_PREDICTED, "kills/live")


class ProbeStream(BackgroundThreads):
    """Uploads while the context is entered and records when the results of every camera's only photograph arrived."""

    def __init__(self, settings: Settings, photographs: Photographs) -> None:
        self._settings, self._photographs = settings, photographs
        self._uploaded: dict[str, float] = {}
        self._seen: dict[tuple[str, str], float] = {}
        self._positions: dict[tuple[str, int], int] = {}
        super().__init__(partial(self._upload, "live"), partial(self._upload, "old"), self._follow)

    def first_after(self, moment: float, outcome: Outcome) -> float:
        """Wait until a photograph uploaded after `moment` has this outcome. Returns the time on the broker's clock.

        Raises `DependencyDown` after 90 s.
        """
        deadline = time.monotonic() + _TIMEOUT_S
        topic, prefix = outcome
        while time.monotonic() < deadline:
            moments = [
                at
                for (name, camera), at in list(self._seen.items())
                if name == topic.name and camera.startswith(prefix) and self._uploaded.get(camera, 0) >= moment
            ]
            if moments:
                return min(moments)
            time.sleep(0.05)
        raise DependencyDown(f"no new result on {topic.name} within {_TIMEOUT_S} s")

    def _upload(self, lane: str, stop: threading.Event) -> None:
        store = ObjectStore(self._settings, timeout_s=5, attempts=1)
        number = 0
        while not stop.wait(_UPLOAD_INTERVAL_S):
            number += 1
            camera = f"kills/{lane}-{number:05}"
            taken = datetime.now().replace(microsecond=0) - (_OLD if lane == "old" else timedelta(0))
            key = f"{camera}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{number:016x}.jpg"
            data = self._photographs.with_exif(number, exif_block(taken, 1, 1, number))
            self._uploaded[camera] = time.time()
            try:
                store.client.put_object(Bucket=self._settings.bucket, Key=key, Body=data)
            except (BotoCoreError, ClientError, HTTPClientError, OSError):
                del self._uploaded[camera]
        store.client.close()

    def _follow(self, stop: threading.Event) -> None:
        topics = (IMAGE_PREDICTED, BURST_RESOLVED, CLOCK_JUDGED)
        names = {topic.full_name(self._settings): topic.name for topic in topics}
        while not stop.is_set():
            try:
                for message in read_topics(self._settings, topics, from_positions=self._positions, stop=stop):
                    self._positions[(message.topic, message.partition)] = message.offset + 1
                    if message.value is not None:
                        camera: Any = json.loads(message.value)["camera"]
                        self._seen.setdefault((names[message.topic], camera), message.timestamp_ms / 1000)
            except (DependencyDown, KafkaError, ValueError):
                # ValueError comes from kafka-python when the broker exits while the client is being closed.
                stop.wait(0.2)


def measure(
    field: FaultContext, photographs: Path, times: int, progress: Callable[[str], None]
) -> dict[str, list[float]]:
    """Kill every part `times` times. Returns the recovery times in seconds by part."""
    parts = [part for part in (*LIVE_PATH, *OFF_LIVE_PATH) if part not in _WITHOUT_RESULTS]
    faults: list[Fault] = [*map(Kill, parts), KillModel()]
    recovery_s: dict[str, list[float]] = {}
    with ProbeStream(field.stack.settings(), Photographs(photographs, 8, _SMALLER)) as stream:
        for _ in range(times):
            for fault in faults:
                outcome = _OUTCOMES.get(fault.part, _DEFAULT_OUTCOME)
                stream.first_after(time.time(), outcome)
                time.sleep(_SETTLE_S)
                killed_at = time.time()
                fault.inject(field)
                seconds = stream.first_after(killed_at, outcome) - killed_at
                name = fault.name.removeprefix("kill -9 ")
                recovery_s.setdefault(name, []).append(round(seconds, 1))
                progress(f"  {name}: {seconds:.1f} s")
    return recovery_s


def table(recovery_s: dict[str, list[float]]) -> str:
    """Median and range by part, as a Markdown table."""
    rows = []
    for part, seconds in recovery_s.items():
        median, least, most = spread(seconds)
        rows.append([part, f"{median:.1f} s", f"{least:.1f} to {most:.1f} s"])
    return markdown_table(("`kill -9` of", "recovers after", "range"), rows)


def write_table(path: Path, recovery_s: dict[str, list[float]], intro: str) -> None:
    """Replace the section between the markers. Raises `ValueError` when the markers are missing."""
    path.write_text(replace_section(path, BEGIN, END, f"{intro}\n\n{table(recovery_s)}"), encoding="utf-8")


def kills(
    times: int = typer.Option(3, min=1, help="Number of kills per part."),
    folder: Path = typer.Option(Path(".local/bench/kills"), help="Folder of photographs, logs and results."),
    docs: bool = typer.Option(False, "--docs", help="Also write the table of docs/recovery.md."),
) -> None:
    """Measure the recovery time of the stream after a kill of each part."""
    console = Console(stderr=True, highlight=False)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    began = datetime.now()
    with running_stack(keep=folder / "logs") as (field, _):
        recovery_s = measure(field, folder / "photographs", times, lambda line: console.print(line, markup=False))
    machine = describe()
    result = {**machine, "goes_on_after_s": recovery_s}
    (folder / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if docs:
        often = "once" if times == 1 else f"{times} times"
        intro = (
            f"Each part {often}, {began:%Y-%m-%d %H:%M}, at {machine['commit']}, by "
            f"`{' '.join(['python -m benchmarks.kills', *sys.argv[1:]])}`, on {machine['machine_cores']} cores."
        )
        write_table(DOCS, recovery_s, intro)
    print(json.dumps(recovery_s))


if __name__ == "__main__":
    try:
        typer.run(kills)
    except UnciaError as error:
        sys.exit(f"benchmarks.kills: {error}")
