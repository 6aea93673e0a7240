"""A gateway on a thin link, as a process with the key of its station, against the real stack.

The link is a relay that counts its bytes and is slow enough to kill the gateway in the middle of a photograph.
"""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.stack.conftest import KIND, QUICK
from tests.stack.mailroom_process import uncia
from tests.stack.result_consumer import ResultConsumer
from tests.temporary_stack import temporary_stack
from tests.unit.producers.gateway.thin.simulated_link import SimulatedLink, simulated_link
from tests.waiting import SCALE, wait_until
from uncia.events import BurstFrame, BurstResolved, BurstStatus, FetchReason, FetchRequested
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics
from uncia.producers.gateway.spool_status import read_status
from uncia.settings import Settings
from uncia.storage.object_keys import is_thumbnail_key
from uncia.storage.object_store import ObjectStore
from uncia.topics import FETCH_REQUESTED

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

LIMIT_S = 60
RULES = {
    "UNCIA_THIN_LINKS": "true",
    "UNCIA_FETCH_TAXA": "Mammalia",
    # The photographs are of another day than the clock's, and the second arrives long after the first.
    "UNCIA_BURST_LATENESS_S": "2592000",
}
FRAMES = 5
LIMIT_KB = 2_000
SPEED = 150_000
"""Bytes per second of the link: a whole photograph of 280 KB takes two seconds, a thumbnail a quarter of one."""

CARD_S = 120
"""Limit for rendering the card."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with the worker `thin-links`, which requests a photograph of each burst with a mammal."""
    folder = Path(tempfile.mkdtemp(prefix="uncia thin "))
    models = Path(shutil.copytree(Settings().model_repository, folder / "models"))
    with temporary_stack(folder, RULES, repository=models) as running:
        running.up(extra_env={**QUICK, **RULES}, timeout_s=SCALE * 120)
        yield running


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings()


@pytest.fixture(scope="module")
def results(settings: Settings) -> Iterator[ResultConsumer]:
    with ResultConsumer(settings).consuming() as results:
        yield results


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A burst of five frames with a cat, of 2048 × 1440 pixels."""
    rendered = tmp_path_factory.mktemp("cards")
    command = [sys.executable, "-m", "uncia", "simulate", str(rendered), "--stations", "1", "--bursts", "1"]
    subprocess.run(command, check=True, capture_output=True, timeout=SCALE * CARD_S)
    folder = rendered / "card" / "north"
    folder.mkdir(parents=True)
    for path in (rendered / "ridge" / "north-slope").glob("RCNX*.JPG"):
        shutil.copy(path, folder / path.name)
    return folder.parent


class Site:
    """A station at the far end of a link: its card, its spool, and a gateway that can be killed."""

    def __init__(self, stack: Stack, station: str, card: Path, folder: Path, link: SimulatedLink, scheme: str) -> None:
        issued = uncia({**os.environ, **stack.environment()}, "keys", "issue", "gateway", station)
        others = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
        self.camera = f"{station}/north"
        self.spool = folder / "spool.sqlite"
        self.link = link
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._station = station
        self._card = card
        self._environment = {
            **others,
            **issued,
            "UNCIA_S3_ENDPOINT": link.address.replace("http", scheme, 1),
            "UNCIA_STACK_DIR": str(folder / "no stack"),
            "UNCIA_THIN_POLL_S": "1",
        }

    @contextlib.contextmanager
    def gateway(self, daily_kb: int = LIMIT_KB) -> Iterator[subprocess.Popen[str]]:
        """`uncia gateway watch` until the end of the block, which kills it as `kill -9` does."""
        command = [sys.executable, "-m", "uncia", "gateway", "watch", str(self._card), "--station", self._station]
        running = subprocess.Popen(
            [*command, "--spool", str(self.spool), "--json"],
            env={**self._environment, "UNCIA_THIN_DAILY_KB": str(daily_kb)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert running.stdout is not None
        reader = threading.Thread(target=self._read, args=(running.stdout,))
        reader.start()
        try:
            yield running
        finally:
            running.kill()
            running.wait()
            reader.join()
            running.stdout.close()

    def _read(self, lines: Any) -> None:
        for line in lines:
            with contextlib.suppress(ValueError):  # the last line of a process that was killed
                self.events.put(json.loads(line))

    def wait_for_event(self, **fields: Any) -> dict[str, Any]:
        """The next event with these fields; those before it are dropped."""
        while True:
            event = self.events.get(timeout=SCALE * LIMIT_S)
            if fields.items() <= event.items():
                return event

    def counts(self) -> dict[str, int]:
        """Files by state, without states that none has."""
        return {state: number for state, number in read_status(self.spool).counts.items() if number}

    def booked(self) -> int:
        """Bytes of the last day in the gateway's ledger."""
        return sum(read_status(self.spool).link_bytes.values())


@pytest.fixture
def site(stack: Stack, settings: Settings, station: str, card: Path, tmp_path: Path) -> Iterator[Site]:
    endpoint = urlsplit(settings.s3_endpoint or "")
    assert endpoint.hostname
    assert endpoint.port
    with simulated_link((endpoint.hostname, endpoint.port), bytes_per_s=SPEED) as link:
        yield Site(stack, station, card, tmp_path, link, endpoint.scheme)


def newest(results: ResultConsumer, site: Site) -> BurstResolved | None:
    """The only burst of the camera, which is settled."""
    bursts = [burst for burst in results.bursts(site.camera) if burst.status is not BurstStatus.SUPERSEDED]
    if len(bursts) != 1 or bursts[0].status is BurstStatus.PROVISIONAL or len(bursts[0].frames) != FRAMES:
        return None
    return bursts[0]


def settled(results: ResultConsumer, site: Site, *, whole: int) -> BurstResolved:
    """The burst of five frames, as soon as so many of them are whole photographs."""

    def found() -> BurstResolved | None:
        burst = newest(results, site)
        return burst if burst is not None and len(whole_frames(burst)) == whole else None

    return results.wait_for(found, LIMIT_S, f"a settled burst of {site.camera} with {whole} whole photographs")


def whole_frames(burst: BurstResolved) -> list[BurstFrame]:
    return [frame for frame in burst.frames if not is_thumbnail_key(frame.key)]


def requests(settings: Settings, site: Site) -> list[FetchRequested]:
    messages = read_topics(settings, (FETCH_REQUESTED,), from_beginning=True, until_end=True)
    found = [FetchRequested.from_bytes(message.value) for message in messages]
    return [request for request in found if request.camera == site.camera]


def file_name(key: str) -> str:
    return key.rpartition("/")[2]


def test_a_rule_and_a_person_get_whole_photographs_in_place_of_their_thumbnails_although_the_gateway_is_killed(
    stack: Stack, settings: Settings, site: Site, card: Path, results: ResultConsumer
) -> None:
    with site.gateway():
        for _ in range(FRAMES):
            site.wait_for_event(event="thumbnail")
        # The verdict from the thumbnails alone makes the rule request the best photograph.
        request = wait_until(lambda: requests(settings, site), LIMIT_S, "the request of the rule")[0]
        assert request.reason is FetchReason.TAXON
        before = site.link.carried
        site.wait_for_event(event="fetch", answer="sending")
        wait_until(lambda: site.link.carried - before > 60_000, LIMIT_S, "a part of the photograph")
        # Killed here, in the middle of the photograph.
    assert site.counts() == {"held": FRAMES - 1, "uploading": 1}
    first = results.revisions(request.burst_id or "")[0]
    with site.gateway():
        by_rule = settled(results, site, whole=1)
        assert by_rule.status is BurstStatus.REVISED
        # The id follows from the earliest frame: where that one was requested, the burst has another id.
        assert first.burst_id in (by_rule.burst_id, *by_rule.supersedes)
        (frame,) = whole_frames(by_rule)
        assert file_name(frame.key) == file_name(request.key)

        other = [frame for frame in by_rule.frames if is_thumbnail_key(frame.key)][-1]
        operator = {**os.environ, **stack.environment(), "UNCIA_STACK_DIR": str(stack.folder)}
        assert uncia(operator, "fetch", other.image_id)["image_id"] == other.image_id
        by_person = settled(results, site, whole=2)
        wait_until(lambda: site.counts() == {"held": FRAMES - 2, "confirmed": 2}, LIMIT_S, "the confirmation")
    assert by_person.burst_id == by_rule.burst_id
    assert by_person.revision > by_rule.revision
    store = ObjectStore(settings)
    originals = {path.read_bytes() for path in card.rglob("*.JPG")}
    stored = {store.get(settings.bucket, frame.key, max_bytes=10_000_000) for frame in whole_frames(by_person)}
    store.client.close()
    assert len(stored) == 2
    assert stored <= originals
    assert site.link.carried <= site.booked() <= LIMIT_KB * 1000


def test_a_photograph_for_which_the_bytes_of_the_day_do_not_suffice_waits_with_the_budget_kept(
    stack: Stack, settings: Settings, site: Site, results: ResultConsumer
) -> None:
    daily_kb = 800  # one whole photograph beside the share of the thumbnails
    with site.gateway(daily_kb):
        settled(results, site, whole=1)
        operator = {**os.environ, **stack.environment(), "UNCIA_STACK_DIR": str(stack.folder)}
        burst = newest(results, site)
        assert burst is not None
        uncia(operator, "fetch", burst.burst_id)
        site.wait_for_event(event="fetch", answer="sending")  # the rule's
        site.wait_for_event(event="fetch", answer="sending")
        blocked = site.wait_for_event(event="budget")
        assert blocked["photographs"] == 1
        assert site.link.carried <= site.booked() <= daily_kb * 1000
    with site.gateway(2 * daily_kb):
        settled(results, site, whole=2)
    assert site.link.carried <= site.booked() <= 2 * daily_kb * 1000
