"""A gateway behind a thin link, on the fake store and clock of the gateway's tests."""

import io
import random
import threading
from datetime import datetime
from pathlib import Path

from PIL import Image

from tests.unit.producers.gateway.builders import (
    Clock,
    CrashingSpool,
    CrashPlan,
    FakeStore,
    ImmediatePool,
    RecordingReporter,
)
from uncia.fetch_requests import FetchLine, fetch_id, render_requests, request_list_key
from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.options import GatewayOptions, ThinOptions
from uncia.producers.gateway.run_summary import RunSummary
from uncia.producers.gateway.thin.budget import DailyBudget
from uncia.producers.gateway.thin.ledger import Ledger
from uncia.producers.gateway.thin.link import LinkParts
from uncia.producers.gateway.uploader import Receipt, Upload
from uncia.producers.gateway.watcher import Watcher
from uncia.storage.object_keys import is_thumbnail_key
from uncia.storage.object_store import ObjectMissing

SIDE = 64


def exposure(
    path: Path,
    taken: datetime | None,
    seed: int = 0,
    size: tuple[int, int] = (256, 192),
    maker_note: int = 0,
    artist: int = 0,
) -> bytes:
    """Write a photograph of noise, taken at this time (None: without EXIF); returns its bytes.

    `maker_note` and `artist` are the lengths of these tags in its EXIF.
    """
    image = Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))
    exif = Image.Exif()
    if taken is not None:
        exif[0x010F], exif[0x0110] = "RECONYX", "HP2X"
        exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
        if maker_note:
            exif.get_ifd(0x8769)[0x927C] = bytes(maker_note)
        if artist:
            exif[0x013B] = "x" * artist
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, exif=exif.tobytes() if taken is not None else b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


class ThinStore(FakeStore):
    """A fake store that also holds the list of requests."""

    def __init__(self, *failures: Exception | None) -> None:
        super().__init__(*failures)
        self.requests: list[FetchLine] = []
        self.read: list[str] = []
        """ETags that polls sent."""
        self.list_error: Exception | None = None
        """What polls raise."""

    def request(self, thumbnail_key: str, *, by_person: bool = True) -> None:
        self.requests.append(FetchLine(fetch_id(thumbnail_key), by_person))

    def request_all(self) -> None:
        """Request each thumbnail that is stored."""
        self.requests = [FetchLine(fetch_id(key), True) for key in self.thumbnails]

    @property
    def thumbnails(self) -> list[str]:
        return [key for key in self.objects if is_thumbnail_key(key)]

    @property
    def photographs(self) -> list[bytes]:
        return [data for key, data in self.objects.items() if not is_thumbnail_key(key)]

    def read_if_changed(self, key: str, etag: str, *, max_bytes: int) -> tuple[bytes, str] | None:
        self.crashes.step()
        assert key == request_list_key("ridge")
        self.read.append(etag)
        if self.list_error is not None:
            raise self.list_error
        if not self.requests:
            raise ObjectMissing("object-missing", key)
        data = render_requests(self.requests)
        found = str(hash(data))
        return None if found == etag else (data[:max_bytes], found)


class MeteredStore(ThinStore):
    """A thin store whose uploads are taken from a ledger, as those of the link are."""

    ledger: Ledger

    def send(self, upload: Upload) -> Receipt:
        self.ledger.take(upload.size)
        return super().send(upload)


class OneAtATime(ImmediatePool):
    size = 1


def run_thin(
    folder: Path,
    spool: Path,
    store: ThinStore,
    reporter: RecordingReporter | None = None,
    *,
    crashes: CrashPlan | None = None,
    clock: Clock | None = None,
    daily_bytes: int = 10_000_000,
    keep_days: float | None = None,
    copy: bool = True,
    give_up_after_s: float | None = None,
) -> RunSummary:
    """One run with --once over a folder; may raise `Crash`."""
    clock = clock or Clock()
    store.crashes = crashes or CrashPlan()
    options = GatewayOptions(
        folder,
        "ridge",
        once=True,
        copy=copy,
        thin=ThinOptions(daily_bytes, SIDE, 1, keep_days),
        give_up_after_s=give_up_after_s,
    )
    with CrashingSpool(spool, store.crashes) as opened:
        ledger = Ledger(opened, DailyBudget(daily_bytes), clock)
        if isinstance(store, MeteredStore):
            store.ledger = ledger
        return Gateway(
            options,
            opened,
            Watcher(folder, settle_s=0),
            store,
            OneAtATime(clock),
            reporter or RecordingReporter(),
            threading.Event(),
            clock=clock,
            rng=random.Random(0),
            link=LinkParts(ledger, store, tls=False),
        ).run()
