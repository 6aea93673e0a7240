"""`python -m benchmarks.verdict_to_screen`: how long a verdict takes from Kafka to the live page.

A stack of its own runs with all parts. Photographs of bursts are uploaded at an even pace; a latency is from the
timestamp of a message on `camera.burst.resolved.v1`, which its producer sets when it sends it, to the moment at which
`/live/stream`, which the live page reads, has delivered that revision, or a later one of the same burst.
"""

import json
import tempfile
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from benchmarks.catalogue_pages import viewer_token
from benchmarks.figures import percentile
from benchmarks.photographs import Photographs
from benchmarks.upload_plan import BURST, PlannedUpload
from benchmarks.uploads import Uploader
from tests.recovery.running_stack import running_stack
from tests.waiting import wait_until
from uncia.events import BurstResolved
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED

_LIMIT_S = 120


class Screens:
    """Reads the verdicts from Kafka, and the stream of the live page."""

    def __init__(self, settings: Settings) -> None:
        self.sent: dict[tuple[str, int], float] = {}
        """When a revision was sent, in seconds since 1970, by burst and revision."""
        self.shown: dict[str, list[tuple[int, float]]] = {}
        """Revision and time of each delivery of a burst."""
        self.consumes, self.views = threading.Event(), threading.Event()
        self._settings = settings
        self._stop = threading.Event()
        for work in (self._consume, self._view):
            threading.Thread(target=work, daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()

    def latencies(self) -> list[float]:
        """Seconds until each revision, or a later one, was delivered; only of those that were."""
        found = []
        for (burst_id, revision), sent in self.sent.items():
            times = [at for shown, at in self.shown.get(burst_id, ()) if shown >= revision]
            if times:
                found.append(min(times) - sent)
        return found

    def _consume(self) -> None:
        for message in read_topics(self._settings, (BURST_RESOLVED,), stop=self._stop, ready=self.consumes):
            if message.value is not None:
                burst = BurstResolved.from_bytes(message.value)
                self.sent[burst.burst_id, burst.revision] = message.timestamp_ms / 1000

    def _view(self) -> None:
        token = viewer_token(self._settings)
        address = f"http://127.0.0.1:{self._settings.dashboard_port}/live/stream"
        with (
            httpx2.Client(headers={"authorization": f"Bearer {token}"}, timeout=None) as http,
            http.stream("GET", address) as answer,
            # The stack ends before this stream.
            suppress(httpx2.TransportError),
        ):
            answer.raise_for_status()
            self.views.set()
            for line in answer.iter_lines():
                now = time.time()
                if line.startswith("data: "):
                    self._record(line.removeprefix("data: "), now)

    def _record(self, data: str, now: float) -> None:
        burst = json.loads(data)
        if "burst_id" in burst and "revision" in burst:
            self.shown.setdefault(burst["burst_id"], []).append((burst["revision"], now))


def main(
    bursts: Annotated[int, typer.Option(min=1, help="Bursts, each of 10 photographs.")] = 20,
    per_s: Annotated[float, typer.Option(min=0.1, help="Photographs per second.")] = 2,
) -> None:
    """Measure the latency; prints one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="uncia-screen-") as folder, running_stack() as (context, _):
        settings = context.stack.settings()
        screens = Screens(settings)
        wait_until(lambda: screens.consumes.is_set() and screens.views.is_set(), 60, "the two streams")
        uploader = Uploader(settings, Photographs(Path(folder), 8))
        uploads = _plan(bursts)
        uploader.send(uploader.sign(uploads, per_s=per_s))
        # Every burst closes some seconds after its last photograph.
        wait_until(lambda: _complete(screens, bursts), _LIMIT_S, "all verdicts on the live page")
        found = screens.latencies()
        screens.stop()
    print(
        json.dumps(
            {
                "photographs": len(uploads),
                "photographs_per_s": per_s,
                "verdicts": len(screens.sent),
                "delivered": len(found),
                "p50_ms": round(1000 * percentile(found, 0.5)),
                "p95_ms": round(1000 * percentile(found, 0.95)),
                "longest_ms": round(1000 * max(found)),
            }
        )
    )


def _plan(bursts: int) -> list[PlannedUpload]:
    """Bursts of one camera each, taken just now: they are in the live lane."""
    now = datetime.now().replace(microsecond=0)
    found = []
    for number in range(bursts):
        camera = f"screen/cam-{number:03}"
        for sequence in range(1, BURST + 1):
            taken = now + timedelta(seconds=sequence)
            key = f"{camera}/IMG_{sequence:04}.jpg"
            found.append(PlannedUpload(camera, key, number * BURST + sequence, taken, sequence, number))
    return found


def _complete(screens: Screens, bursts: int) -> bool:
    seen = {burst_id for burst_id, _ in screens.sent}
    return len(seen) >= bursts and len(screens.latencies()) == len(screens.sent)


if __name__ == "__main__":
    typer.run(main)
