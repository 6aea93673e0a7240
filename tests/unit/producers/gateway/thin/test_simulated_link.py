"""The whole gateway over a link that is slow, breaks, and has a cap: every photograph and byte is accounted for."""

import io
import random
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.predict.s3_double import BUCKET, S3Double, s3_double
from tests.unit.producers.gateway.builders import RecordingReporter, rows
from tests.unit.producers.gateway.thin.builders import exposure
from tests.unit.producers.gateway.thin.simulated_link import SimulatedLink, simulated_link
from uncia.fetch_requests import FetchLine, fetch_id, render_requests, request_list_key
from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.options import GatewayOptions, ThinOptions
from uncia.producers.gateway.run_summary import RunSummary
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.thin import metered_link
from uncia.producers.gateway.thin.budget import DailyBudget, day_of
from uncia.producers.gateway.thin.ledger import Ledger
from uncia.producers.gateway.thin.link import LinkParts
from uncia.producers.gateway.thin.metered_link import MeteredStore
from uncia.producers.gateway.upload_pool import ThreadUploadPool
from uncia.producers.gateway.uploader import S3Destination
from uncia.producers.gateway.watcher import Watcher
from uncia.settings import Settings
from uncia.storage.object_keys import is_thumbnail_key
from uncia.storage.object_store import ObjectStore

TAKEN = datetime(2026, 3, 14, 7, 15, 30)
LIMIT = 260_000
FASTER = 500
"""The gateway's clock, so that its waits after a failure are short."""


class OneDay(RecordingReporter):
    """Ends the gateway when the budget of the day is used up."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def emit(self, event: str, message: str, **fields: Any) -> None:
        super().emit(event, message, **fields)
        if event == "budget":
            self._stop.set()


class Site:
    """A gateway at the far end of a link."""

    def __init__(self, folder: Path, link: SimulatedLink, limit: int) -> None:
        self.folder = folder / "card"
        self.spool = folder / "spool.sqlite"
        self.link = link
        self.limit = limit
        self.began = 1_800_000_000.0
        self.day = 0
        self.carried: dict[str, int] = {}
        self.spent: dict[str, int] = {}

    def run(self) -> RunSummary:
        """One day, or less where everything was sent."""
        settings = Settings(
            _env_file=None, s3_endpoint=self.link.address, s3_access_key="a", s3_secret_key="b", bucket=BUCKET
        )
        start, midnight = time.monotonic(), self.began + self.day * 86_400
        stop, carried = threading.Event(), self.link.carried

        def clock() -> float:
            return midnight + (time.monotonic() - start) * FASTER

        with Spool(self.spool) as spool:
            ledger = Ledger(spool, DailyBudget(self.limit), clock)
            store = ObjectStore(settings, timeout_s=5, attempts=1)
            MeteredStore(store, ledger, 5)
            destination = S3Destination(store, BUCKET, stop, saves_bytes=True)
            summary = Gateway(
                GatewayOptions(self.folder, "ridge", once=True, copy=True, thin=ThinOptions(self.limit, 64, 60)),
                spool,
                Watcher(self.folder, settle_s=0),
                destination,
                ThreadUploadPool(1),
                OneDay(stop),
                stop,
                clock=clock,
                rng=random.Random(self.day),
                link=LinkParts(ledger, destination, tls=False),
            ).run()
            day = day_of(midnight)
            self.spent[day] = ledger.spent(day).total
            store.close()
        self.carried[day] = self.link.carried - carried
        self.day += 1
        return summary


def request(double: S3Double, keys: list[str]) -> None:
    """Put the thumbnails with these keys on the list of requests, as the worker `thin-links` does."""
    data = render_requests(FetchLine(fetch_id(key), True) for key in keys)
    double.store(request_list_key("ridge"), data, {})  # type: ignore[arg-type]


def thumbnails(double: S3Double) -> list[str]:
    return sorted(key for key in double.objects if is_thumbnail_key(key))


@pytest.mark.parametrize("loss", [0.0, 0.02], ids=["no loss", "connections break"])
def test_every_photograph_and_every_byte_is_accounted_for(
    tmp_path: Path, loss: float, capsys: pytest.CaptureFixture[str]
) -> None:
    bursts, frames = 3, 2
    originals: dict[str, bytes] = {}
    for at in range(bursts * frames):
        path = tmp_path / "card" / "north" / f"IMG_{at:04d}.JPG"
        taken = TAKEN + timedelta(minutes=10 * (at // frames), seconds=at % frames)
        originals[path.name] = exposure(path, taken, seed=at)
    with (
        s3_double() as (double, _),
        simulated_link(
            ("127.0.0.1", double.server_port), loss=loss, latency_s=0.001, bytes_per_s=4_000_000, seed=7
        ) as link,
    ):
        site = Site(tmp_path, link, LIMIT)
        while len(thumbnails(double)) < len(originals):
            assert site.day < 30
            site.run()
        # One verdict asks for a photograph of its burst, a person for one of another.
        wanted = [thumbnails(double)[0], thumbnails(double)[frames]]
        request(double, wanted)
        while sum(row["state"] == "confirmed" for row in rows(site.spool)) < len(wanted):
            assert site.day < 30
            site.run()
    whole = {key: data for key, data in double.objects.items() if key.endswith(".jpg") and not is_thumbnail_key(key)}
    assert sorted(key.rpartition("/")[2] for key in whole) == sorted(key.rpartition("/")[2] for key in wanted)
    assert set(whole.values()) <= set(originals.values())
    assert sorted(row["state"] for row in rows(site.spool)) == ["confirmed"] * 2 + ["held"] * (len(originals) - 2)
    assert (link.broken > 0) is (loss > 0)
    for day, spent in site.spent.items():
        assert site.carried[day] <= spent <= LIMIT
    all_whole = sum(map(len, originals.values()))
    with capsys.disabled():
        print(
            f"\nthin link, loss {loss:.0%}: {site.day} days, {link.connections} connections ({link.broken} broke), "
            f"{sum(site.carried.values()):,} bytes on the link, {sum(site.spent.values()):,} booked, at most {LIMIT:,} "
            f"a day; {sum(site.carried.values()) // bursts:,} bytes per verdict, {all_whole // bursts:,} with whole "
            "photographs"
        )


def test_a_transfer_that_the_budget_no_longer_permits_ends_with_the_budget_kept(tmp_path: Path) -> None:
    exposure(tmp_path / "card" / "north" / "IMG_0001.JPG", None)  # without a time: it is sent whole
    with (
        s3_double() as (double, _),
        simulated_link(("127.0.0.1", double.server_port), loss=0.5, seed=1) as link,
    ):
        site = Site(tmp_path, link, 180_000)
        site.run()
        assert site.carried[day_of(site.began)] <= site.spent[day_of(site.began)] <= site.limit
        link.loss = 0
        while not double.objects:
            assert site.day < 5
            site.run()
    (stored,) = double.objects.values()
    assert stored == (tmp_path / "card" / "north" / "IMG_0001.JPG").read_bytes()


def test_an_upload_ends_on_a_link_of_300_bytes_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # All times are a hundredth.
    monkeypatch.setattr(metered_link, "_CONNECT_S", 0.3)
    data = random.Random(0).randbytes(60_000)
    with (
        s3_double() as (double, _),
        simulated_link(("127.0.0.1", double.server_port), bytes_per_s=30_000) as link,
        Spool(tmp_path / "spool.sqlite") as spool,
    ):
        settings = Settings(
            _env_file=None, s3_endpoint=link.address, s3_access_key="a", s3_secret_key="b", bucket=BUCKET
        )
        store = ObjectStore(settings, timeout_s=3, attempts=1)
        MeteredStore(store, Ledger(spool, DailyBudget(10_000_000), time.time), 3)
        store.client.put_object(Bucket=BUCKET, Key="ridge/a.jpg", Body=io.BytesIO(data))
        store.close()
        assert double.objects == {"ridge/a.jpg": data}
