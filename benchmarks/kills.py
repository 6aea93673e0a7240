"""`python -m benchmarks.kills`: how long it takes until the stream goes on after a `kill -9` of each part.

Two photographs a second go on being uploaded, one live and one from an old card, each of a camera of its own. The time
runs from the kill until the first photograph that was uploaded afterwards has what the part is there for.
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

from benchmarks.background import Beside
from benchmarks.figures import spread
from benchmarks.machine import describe
from benchmarks.marked_page import with_results
from benchmarks.photographs import Photographs, exif_block
from tests.recovery.faults import BESIDE, KILLED, Fault, Field, Kill, KillModel
from tests.recovery.standing import standing
from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, CLOCK_JUDGED, IMAGE_PREDICTED, Topic

BEGIN, END = "<!-- kills: written by `python -m benchmarks.kills --docs` -->", "<!-- end of kills -->"
DOCS = Path("docs/recovery.md")

_EVERY_S = 1.0
_SETTLE_S = 4.0
_PATIENCE_S = 90
_OLD = timedelta(days=400)
_SMALLER = 4

Outcome = tuple[Topic, str]
"""What shows that a part works: a message on this topic, of a camera whose name begins so."""

_SHOWN: dict[str, Outcome] = {
    "bursts": (BURST_RESOLVED, "kills/live"),
    "clocks": (CLOCK_JUDGED, "kills/live"),
    "predict-backfill": (IMAGE_PREDICTED, "kills/old"),
}
_USUAL: Outcome = (IMAGE_PREDICTED, "kills/live")


class Stream(Beside):
    """Uploads for as long as the context lasts, and what came of each camera's one photograph, when."""

    def __init__(self, settings: Settings, photographs: Photographs) -> None:
        self._settings, self._photographs = settings, photographs
        self._uploaded: dict[str, float] = {}
        self._seen: dict[tuple[str, str], float] = {}
        self._positions: dict[tuple[str, int], int] = {}
        super().__init__(partial(self._upload, "live"), partial(self._upload, "old"), self._follow)

    def first_after(self, moment: float, outcome: Outcome) -> float:
        """When the first photograph uploaded after `moment` had this outcome; waits for it. By the broker's clock."""
        deadline = time.monotonic() + _PATIENCE_S
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
        raise DependencyDown(f"nothing on {topic.name} for {_PATIENCE_S} s")

    def _upload(self, lane: str, stop: threading.Event) -> None:
        store = ObjectStore(self._settings, timeout_s=5, attempts=1)
        number = 0
        while not stop.wait(_EVERY_S):
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
                # ValueError: kafka-python, when the broker ends while the client is being closed.
                stop.wait(0.2)


def measure(field: Field, photographs: Path, times: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Seconds by part, `times` of each."""
    faults: list[Fault] = [*(Kill(part) for part in (*KILLED, *BESIDE)), KillModel()]
    found: dict[str, list[float]] = {}
    with Stream(field.stack.settings(), Photographs(photographs, 8, _SMALLER)) as stream:
        for _ in range(times):
            for fault in faults:
                outcome = _SHOWN.get(fault.part, _USUAL)
                stream.first_after(time.time(), outcome)
                time.sleep(_SETTLE_S)
                struck = time.time()
                fault.strike(field)
                seconds = stream.first_after(struck, outcome) - struck
                name = fault.name.removeprefix("kill -9 ")
                found.setdefault(name, []).append(round(seconds, 1))
                say(f"  {name}: {seconds:.1f} s")
    return found


def table(found: dict[str, list[float]]) -> str:
    """Markdown."""
    rows = [
        f"| {part} | {middle:.1f} s | {least:.1f} to {most:.1f} s |" for part, (middle, least, most) in _spreads(found)
    ]
    return "\n".join(["| `kill -9` of | goes on after | range |", "| --- | ---: | ---: |", *rows])


def _spreads(found: dict[str, list[float]]) -> list[tuple[str, tuple[float, float, float]]]:
    return [(part, spread(seconds)) for part, seconds in found.items()]


def write_table(path: Path, found: dict[str, list[float]], said: str) -> None:
    """Replace what stands between the markers. Raises `ValueError` when they are not there."""
    path.write_text(with_results(path, BEGIN, END, f"{said}\n\n{table(found)}"), encoding="utf-8")


def kills(
    times: int = typer.Option(3, min=1, help="So often each part is killed."),
    folder: Path = typer.Option(Path(".local/bench/kills"), help="Photographs, logs and results."),
    docs: bool = typer.Option(False, "--docs", help="Also write the table of docs/recovery.md."),
) -> None:
    """Measure how long the stream stands still after a kill of each part."""
    console = Console(stderr=True, highlight=False)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    began = datetime.now()
    with standing(keep=folder / "logs") as (field, _):
        found = measure(field, folder / "photographs", times, lambda line: console.print(line, markup=False))
    machine = describe()
    result = {**machine, "goes_on_after_s": found}
    (folder / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if docs:
        often = "once" if times == 1 else f"{times} times"
        said = (
            f"Each part {often}, {began:%Y-%m-%d %H:%M}, at {machine['commit']}, by "
            f"`{' '.join(['python -m benchmarks.kills', *sys.argv[1:]])}`, on {machine['machine_cores']} cores."
        )
        write_table(DOCS, found, said)
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        typer.run(kills)
    except UnciaError as error:
        sys.exit(f"benchmarks.kills: {error}")
