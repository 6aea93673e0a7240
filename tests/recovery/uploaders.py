"""Two ways to upload: a plain S3 client that retries, and `uncia gateway` on a folder."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tests.recovery.faults import FaultContext
from tests.recovery.photographs import Photograph
from tests.waiting import SCALE
from uncia.storage.object_store import ObjectStore

UPLOAD_TIMEOUT_S = 600
_AT_ONCE = 4


class Uploader(ABC):
    """Uploads photographs through any outage."""

    def __init__(self) -> None:
        self.confirmed = 0
        self._lock = threading.Lock()

    def _count(self) -> None:
        with self._lock:
            self.confirmed += 1

    @abstractmethod
    def close(self) -> None:
        """Stop the processes and connections of this uploader."""

    @abstractmethod
    def upload(self, arrivals: Sequence[tuple[Photograph, str]], per_s: float) -> None:
        """Upload at a steady rate and return when the store has confirmed all.

        Raises when an upload is not confirmed within `UPLOAD_TIMEOUT_S`.
        """


class S3Client(Uploader):
    """Uploads with any S3 client: repeats every PUT until it is confirmed."""

    def __init__(self, context: FaultContext, station: str) -> None:
        super().__init__()
        settings = context.stack.settings()
        self._bucket, self._station = settings.bucket, station
        self._store = ObjectStore(settings, max_connections=_AT_ONCE, timeout_s=10, attempts=1)

    def upload(self, arrivals: Sequence[tuple[Photograph, str]], per_s: float) -> None:
        started, waiting, lock = time.monotonic(), enumerate(arrivals), threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    index, (photograph, prefix) = next(waiting, (0, (None, "")))
                if photograph is None:
                    return
                time.sleep(max(0.0, started + index / per_s - time.monotonic()))
                self._put(photograph.key(self._station, prefix), photograph.data)
                self._count()

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for future in [pool.submit(work) for _ in range(_AT_ONCE)]:
                future.result()

    def _put(self, key: str, data: bytes) -> None:
        deadline = time.monotonic() + UPLOAD_TIMEOUT_S
        while True:
            try:
                self._store.client.put_object(Bucket=self._bucket, Key=key, Body=data)
                return
            except (BotoCoreError, ClientError, HTTPClientError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def close(self) -> None:
        self._store.client.close()


class GatewayUploader(Uploader):
    """`uncia gateway watch` on a folder into which a camera drops its photographs."""

    def __init__(self, context: FaultContext, station: str, spool: Path) -> None:
        super().__init__()
        self._folder = context.scratch / f"{station}-photographs"
        self._folder.mkdir(parents=True)
        command = [sys.executable, "-m", "uncia", "gateway", "watch", str(self._folder), "--station", station]
        command += ["--spool", str(spool / "spool.sqlite"), "--json", "--settle", "0", "--poll", "0.1", "--grace", "1"]
        self._log = (context.scratch / f"{station}-gateway.log").open("wb")
        self._process = subprocess.Popen(
            command, env=context.environment(), stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._log.write(line)
            self._log.flush()
            with contextlib.suppress(ValueError):
                if json.loads(line)["event"] == "uploaded":
                    self._count()

    def upload(self, arrivals: Sequence[tuple[Photograph, str]], per_s: float) -> None:
        expected = self.confirmed + len({photograph for photograph, _ in arrivals})
        started, deadline = time.monotonic(), time.monotonic() + len(arrivals) / per_s + UPLOAD_TIMEOUT_S
        for index, photograph in enumerate(dict.fromkeys(photograph for photograph, _ in arrivals)):
            time.sleep(max(0.0, started + index / per_s - time.monotonic()))
            file = self._folder / photograph.camera / photograph.file
            file.parent.mkdir(exist_ok=True)
            unfinished = file.with_suffix(".part")
            unfinished.write_bytes(photograph.data)
            os.utime(unfinished, (photograph.taken.timestamp(),) * 2)
            unfinished.rename(file)
        while self.confirmed < expected:
            if time.monotonic() > deadline or self._process.poll() is not None:
                log = Path(self._log.name).read_text(encoding="utf-8", errors="replace")[-600:]
                raise TimeoutError(f"the gateway confirmed {self.confirmed} of {expected}; its log ends with {log}")
            time.sleep(0.1)

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(SCALE * 60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(SCALE * 10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@contextlib.contextmanager
def uploading(context: FaultContext, station: str, spool: Path | None) -> Iterator[Uploader]:
    """A gateway when `spool` names a folder for its spool, else an S3 client."""
    uploader: Uploader = S3Client(context, station) if spool is None else GatewayUploader(context, station, spool)
    try:
        yield uploader
    finally:
        uploader.close()
