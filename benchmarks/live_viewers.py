"""`python -m benchmarks.live_viewers`: many live viewers of a dashboard on one core, while bursts arrive.

`uncia dashboard` runs as a process of its own that is bound to one core. This process folds bursts into its catalogue
at an even pace, and reads the streams of all viewers. A latency is from the call that folds an event to the moment at
which a viewer has read all of it; a viewer is either the live page or the API's `/events/bursts`.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
import typer
from sqlalchemy import make_url

from benchmarks.catalogue_pages import dashboard_settings, viewer_token
from benchmarks.figures import percentile
from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents, fill_catalogue
from tests.unit.dashboard.web.running_server import environment_of
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import BurstResolved
from uncia.settings import Settings

_START_LIMIT_S = 120
_LAST_EVENTS_S = 5.0
_PATHS = ("/live/stream", "/events/bursts")


@dataclass
class Arrivals:
    """What the viewers read."""

    sent: dict[bytes, float] = field(default_factory=dict)
    """When an event was folded, by its mark."""
    latencies: list[float] = field(default_factory=list)
    connected: int = 0
    cpu_share: float = 0.0
    """CPU time of the dashboard, as a share of one core, while events were folded."""
    cpu_seconds: float = 0.0
    """Until the last event was read."""
    resident_mb: float = 0.0


def main(
    viewers: Annotated[int, typer.Option(min=1, help="Number of viewers.")] = 200,
    rate: Annotated[float, typer.Option(min=0.1, help="Bursts per second.")] = 5,
    seconds: Annotated[float, typer.Option(min=1)] = 30,
    core: Annotated[int, typer.Option(min=0, help="The core of the dashboard.")] = 0,
) -> None:
    """Measure latency and CPU time; prints one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="uncia-live-") as name:
        folder = Path(name)
        config = dashboard_settings(make_url(f"sqlite:///{folder}/catalogue.sqlite"), folder)
        engine = open_database(make_url(f"sqlite:///{folder}/catalogue.sqlite"))
        events = list(ProjectEvents(200))
        fill_catalogue(engine, events)
        # Of several changes of one burst in a quarter of a second, viewers get the last.
        bursts = list({event.burst_id: event for event in events if isinstance(event, BurstResolved)}.values())
        token = viewer_token(config)
        with _dashboard(config, core) as (process, port):
            arrivals = asyncio.run(_watch(port, token, viewers, bursts, CatalogueStore(engine), rate, seconds, process))
        engine.dispose()
    expected = len(arrivals.sent) * viewers
    print(
        json.dumps(
            {
                "viewers": viewers,
                "bursts_per_s": rate,
                "seconds": seconds,
                "events_read": len(arrivals.latencies),
                "events_missing": expected - len(arrivals.latencies),
                "latency_p50_ms": round(1000 * percentile(arrivals.latencies, 0.5)),
                "latency_p95_ms": round(1000 * percentile(arrivals.latencies, 0.95)),
                "cpu_share_of_core": round(arrivals.cpu_share, 3),
                "cpu_us_per_delivery": round(1e6 * arrivals.cpu_seconds / max(1, len(arrivals.latencies))),
                "resident_mb": round(arrivals.resident_mb),
            }
        )
    )


@contextmanager
def _dashboard(config: Settings, core: int) -> Iterator[tuple[psutil.Process, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = environment_of(config, port)
    ready = Path(environment["UNCIA_READY_FILE"])
    started = subprocess.Popen(
        [sys.executable, "-m", "uncia", "dashboard"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while not ready.exists():
            if started.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the dashboard did not start")
            time.sleep(0.1)
        yield psutil.Process(started.pid), port
    finally:
        started.terminate()
        started.wait(30)


async def _watch(
    port: int,
    token: str,
    viewers: int,
    bursts: list[BurstResolved],
    store: CatalogueStore,
    rate: float,
    seconds: float,
    process: psutil.Process,
) -> Arrivals:
    arrivals = Arrivals()
    tasks = [
        asyncio.create_task(_view(port, token, _PATHS[number % len(_PATHS)], arrivals)) for number in range(viewers)
    ]
    while arrivals.connected < viewers:
        if failed := next((task for task in tasks if task.done()), None):
            failed.result()
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    before, began = process.cpu_times(), time.perf_counter()
    log, count = Log(), int(rate * seconds)
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        # Revisions rise, so that each event is one that the catalogue has not seen.
        burst = bursts[number % len(bursts)].model_copy(update={"revision": 1000 + number})
        record = log.append(burst)
        arrivals.sent[_mark(burst.burst_id, 1000 + number)] = time.perf_counter()
        await asyncio.to_thread(store.apply, [record])
    elapsed = time.perf_counter() - began
    after = process.cpu_times()
    await asyncio.sleep(_LAST_EVENTS_S)
    last = process.cpu_times()
    arrivals.cpu_share = (after.user + after.system - before.user - before.system) / elapsed
    arrivals.cpu_seconds = last.user + last.system - before.user - before.system
    arrivals.resident_mb = process.memory_info().rss / 2**20
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return arrivals


def _mark(burst_id: str, revision: int) -> bytes:
    return f"{burst_id}/{revision}".encode()


async def _view(port: int, token: str, path: str, arrivals: Arrivals) -> None:
    """Read one stream until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(request.encode())
    headers = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in headers.split(b"\r\n")[0]:
        raise RuntimeError(headers.decode())
    arrivals.connected += 1
    while True:
        line = await reader.readline()
        if not line:
            raise RuntimeError("a stream has ended")
        if not line.startswith(b"data: "):
            continue
        now = time.perf_counter()
        # Only the beginning: to parse 12 KB for each viewer would take longer than the dashboard does.
        burst = _value(line, b'"burst_id":')
        revision = _value(line, b'"revision":')
        sent = arrivals.sent.get(b"%s/%s" % (burst, revision))
        if sent is not None:
            arrivals.latencies.append(now - sent)


def _value(line: bytes, name: bytes) -> bytes:
    start = line.index(name) + len(name)
    end = min(at for at in (line.find(b",", start), line.find(b"}", start)) if at >= 0)
    return line[start:end].strip(b' "')


if __name__ == "__main__":
    typer.run(main)
