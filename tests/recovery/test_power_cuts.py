"""Power cuts and an emptied temporary directory: confirmed data survives, and the station continues."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.recovery.power import disk as power
from tests.recovery.power import trace
from tests.recovery.running_stack import QUICK
from tests.stack.photographs import photograph
from tests.waiting import SCALE, wait_until
from uncia.errors import UnciaError
from uncia.events import ImagePredicted
from uncia.infra.local import processes
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.infra.local.sync_attribute import has_sync_attribute
from uncia.kafka.broker import read_topics
from uncia.kafka.connection import connect_producer
from uncia.storage.object_store import ObjectStore
from uncia.topics import IMAGE_PREDICTED, STORAGE_CHANGED, TOPICS

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(1200),
    # The clients leave the sockets of a server that was killed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

BEFORE_THE_CUT = 30
"""Confirmed photographs."""
AT_ONCE = 3
SPOOLED = 60
"""Photographs in the folder that a gateway watches."""


@pytest.fixture(scope="module")
def disk() -> Iterator[power.Disk]:
    """The disk of the station, whose power can be cut."""
    if reason := power.skip_reason():
        pytest.skip(reason)
    with power.disk() as created:
        yield created


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """The temporary directory of the machine, as the stack sees it."""
    before = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="uncia-tmp-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
    assert tempfile.gettempdir() == before


@pytest.fixture(scope="module")
def stack(disk: power.Disk, temporary: Path) -> Iterator[Stack]:
    """All parts on that disk, in a folder whose name is not valid in socket paths and class paths."""
    stack = Stack(disk.folder / "a station, 100% 'odd'" / "stack")
    with stop_on_exit(stack):
        stack.up(extra_env=QUICK, timeout_s=SCALE * 120)
        yield stack


def part(stack: Stack, name: str) -> int:
    """The process id of a part."""
    return next(status.pid for status in stack.status() if status.name == name and status.pid)


def predicted_keys(stack: Stack) -> set[str]:
    """Keys of all photographs that have a prediction or a rejection."""
    settings = stack.settings()
    return {
        ImagePredicted.from_bytes(message.value).key
        for message in read_topics(settings, (IMAGE_PREDICTED,), from_beginning=True, until_end=True)
        if message.value is not None
    }


def log_of(stack: Stack) -> dict[tuple[str, int, int], bytes | None]:
    """All messages of all topics by topic, partition and offset. Compaction has not yet removed any of them."""
    return {
        (message.topic, message.partition, message.offset): message.value
        for message in read_topics(stack.settings(), TOPICS, from_beginning=True, until_end=True)
    }


def is_reconciled(stack: Stack) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "reconcile", "--json"],
        env={**os.environ, **QUICK, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = done.stdout.splitlines()
    return bool(lines) and bool(json.loads(lines[-1])["zero"])


def test_kafka_restarts_after_the_temporary_directory_was_emptied(stack: Stack, temporary: Path) -> None:
    subprocess.run(["find", str(temporary), "-mindepth", "1", "-delete"], check=True)
    old_pid = stack.kill("kafka", signal.SIGKILL)

    def is_restarted() -> bool:
        now = next(status for status in stack.status() if status.name == "kafka")
        return now.ready and now.pid != old_pid

    wait_until(is_restarted, 60, "Kafka is back")
    settings = stack.settings()
    store = ObjectStore(settings)
    store.client.put_object(Bucket=settings.bucket, Key="cleaned/cam/after.jpg", Body=photograph(81_000))
    store.close()
    wait_until(lambda: "cleaned/cam/after.jpg" in predicted_keys(stack), 60, "a prediction")


def test_the_store_confirms_an_upload_when_its_data_index_and_name_are_on_disk(stack: Stack, tmp_path: Path) -> None:
    if reason := trace.skip_reason():
        pytest.skip(reason)
    identity, settings = stack.require_identity(), stack.settings()
    data = (stack.folder / "data" / "seaweedfs").resolve()
    assert has_sync_attribute(data)
    store = ObjectStore(settings)
    out = tmp_path / "trace"
    with trace.traced(part(stack, "seaweedfs"), out):
        for size in (5, 200_000, 9_000_000):
            store.client.put_object(Bucket=settings.bucket, Key=f"traced/cam/{size}.txt", Body=os.urandom(size))
        trace.wait_until_written(out, "HTTP/1.1 200")
    store.close()
    calls = list(trace.parse(out.read_text(encoding="utf-8", errors="replace").splitlines()))
    dirty_by_response = trace.dirty_at_answer(calls, identity.ports["s3"], below=str(data))
    written = {call.file for call in calls if call.name in trace.WRITES and call.file.startswith(str(data))}

    assert len(dirty_by_response) >= 3
    assert {Path(file).suffix for file in written} >= {".dat", ".idx", ".log"}
    # Objects are synced by a system call on every file system; the rest has the sync attribute, which needs no call.
    assert [file for dirty in dirty_by_response for file in dirty if file.endswith(".dat")] == []
    assert [str(path) for path in trace.paths_of(written) if not has_sync_attribute(path)] == []


def test_kafka_acknowledges_a_message_when_it_is_on_disk(stack: Stack, tmp_path: Path) -> None:
    if reason := trace.skip_reason():
        pytest.skip(reason)
    identity, settings = stack.require_identity(), stack.settings()
    topic = STORAGE_CHANGED.full_name(settings)
    producer = connect_producer(settings, acks="all")
    out = tmp_path / "trace"
    with trace.traced(part(stack, "kafka"), out):
        # An invalid notification becomes a dead letter, which is a message in a second topic.
        producer.send(topic, key=b"/buckets/nothing", value=b"none").get(30)
        trace.wait_until_written(out, "fsync(")
    producer.close()
    calls = list(trace.parse(out.read_text(encoding="utf-8", errors="replace").splitlines()))
    log = [call for call in calls if f"/{topic}-" in call.file and call.file.endswith(".log")]
    assert log[0].name in trace.WRITES
    assert log[1].name in trace.SYNCS
    response_indices = [index for index, call in enumerate(calls) if f":{identity.ports['kafka']}->" in call.file]
    assert any(index > calls.index(log[1]) for index in response_indices)


def gateway(stack: Stack, folder: Path, spool: Path, *, once: bool) -> subprocess.Popen[str]:
    """`uncia gateway watch` on a folder of one camera."""
    command = [sys.executable, "-m", "uncia", "gateway", "watch", str(folder), "--station", "spooled"]
    command += ["--spool", str(spool), "--json", "--settle", "0", "--poll", "0.1", *(["--once"] if once else [])]
    return subprocess.Popen(
        command,
        env={**os.environ, **stack.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def uploaded(process: subprocess.Popen[str], enough_uploaded: threading.Event | None = None) -> dict[str, str]:
    """Path to key of all that the gateway reported as uploaded, until it ends."""
    assert process.stdout is not None
    keys = {}
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] in ("uploaded", "duplicate"):
            keys[event["path"]] = event["key"]
            if enough_uploaded is not None and len(keys) >= SPOOLED // 3:
                enough_uploaded.set()
    return keys


class ConcurrentUploads:
    """Uploads photographs in `AT_ONCE` threads until stopped. A context manager; its exit stops the threads."""

    def __init__(self, stack: Stack) -> None:
        self.confirmed: dict[str, bytes] = {}
        """Content by key of every upload that the store confirmed before the cut."""
        self._settings = stack.settings()
        self._stop, self._cutting = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._uploads: list[Future[None]] = []

    def __enter__(self) -> "ConcurrentUploads":
        self._uploads = [self._pool.submit(self._upload, number) for number in range(AT_ONCE)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def begin_cut(self) -> None:
        """Ignore later responses: they would not have been sent, because the machine would be off."""
        self._cutting.set()

    def wait(self) -> None:
        """Wait until the threads have ended. Raises what they raised."""
        for upload in self._uploads:
            upload.result()
        self._pool.shutdown()

    def _upload(self, number: int) -> None:
        store = ObjectStore(self._settings, timeout_s=5, attempts=1)
        while not self._stop.is_set():
            seed = 82_000 + number + AT_ONCE * len(self.confirmed)
            key, data = f"cut/cam{number}/{seed}.jpg", photograph(seed, size=(320, 240))
            with contextlib.suppress(BotoCoreError, ClientError, OSError):
                store.client.put_object(Bucket=self._settings.bucket, Key=key, Body=data)
                if not self._cutting.is_set():
                    self.confirmed[key] = data
        store.close()


@dataclass(frozen=True)
class BeforeTheCut:
    """What was confirmed before the power cut, and must exist after it."""

    confirmed: dict[str, bytes]
    """Content by key."""
    reported: dict[str, str]
    """Key by path, of the uploads that the gateway reported."""
    log: dict[tuple[str, int, int], bytes | None]


def fill_folder(folder: Path) -> None:
    """Write the photographs for the gateway."""
    folder.mkdir(parents=True)
    for number in range(SPOOLED):
        (folder / f"{number}.jpg").write_bytes(photograph(83_000 + number, size=(320, 240)))


def cut_power_during_uploads(stack: Stack, disk: power.Disk, folder: Path, spool: Path) -> BeforeTheCut:
    """Upload with S3 clients and a gateway, cut the power meanwhile, and kill all processes."""
    first_run = gateway(stack, folder, spool, once=False)
    enough_uploaded = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            reported = pool.submit(uploaded, first_run, enough_uploaded)
            with ConcurrentUploads(stack) as uploads:
                wait_until(lambda: len(uploads.confirmed) >= BEFORE_THE_CUT, 60, "uploads")
                assert enough_uploaded.wait(SCALE * 60)
                log = log_of(stack)
                uploads.begin_cut()
                disk.cut()
        finally:
            first_run.kill()
            first_run.wait()
        kill_all(stack_id(stack))
        uploads.wait()
        return BeforeTheCut(dict(uploads.confirmed), reported.result(), log)


def wait_until_readable(stack: Stack, store: ObjectStore, expected: dict[str, bytes]) -> None:
    """For some seconds, until its volumes have registered, the store refuses objects that it has."""
    bucket, unread = stack.settings().bucket, dict(expected)

    def all_readable() -> bool:
        for key, data in list(unread.items()):
            if content(store, bucket, key) == data:
                del unread[key]
        return not unread

    wait_until(all_readable, 60, "every confirmed photograph")


def upload_remaining(stack: Stack, folder: Path, spool: Path) -> dict[str, str]:
    """Run the gateway to its end. Returns the keys of what it uploaded, by path."""
    second_run = gateway(stack, folder, spool, once=True)
    keys = uploaded(second_run)
    assert second_run.wait(SCALE * 60) == 0
    return keys


def test_confirmed_uploads_and_the_log_survive_a_power_cut(stack: Stack, disk: power.Disk, tmp_path: Path) -> None:
    folder, spool = tmp_path / "photographs", disk.folder / "spool.sqlite"
    fill_folder(folder / "cam")
    before = cut_power_during_uploads(stack, disk, folder, spool)
    disk.restore()
    stack.up(extra_env=QUICK, timeout_s=SCALE * 120)

    store = ObjectStore(stack.settings())
    wait_until_readable(stack, store, before.confirmed)
    spooled = {**before.reported, **upload_remaining(stack, folder, spool)}
    assert len(spooled) == SPOOLED
    missing = [key for key in spooled.values() if content(store, stack.settings().bucket, key) is None]
    store.close()
    assert missing == []

    log = log_of(stack)
    lost = [position for position, value in before.log.items() if position not in log or log[position] != value]
    assert lost == []
    wait_until(lambda: set(before.confirmed) <= predicted_keys(stack), 90, "a prediction of each confirmed photograph")
    wait_until(lambda: is_reconciled(stack), 60, "reconcile finds nothing missing")
    assert all(status.ready for status in stack.status())


_ids: dict[Path, str] = {}


def stack_id(stack: Stack) -> str:
    """The id that was read before the cut; its file cannot be read afterwards."""
    return _ids[stack.folder]


@pytest.fixture(autouse=True)
def stack_id_recorded(stack: Stack) -> None:
    """Store the id of the stack, to kill its processes after a cut."""
    identity = stack.require_identity()
    _ids[stack.folder] = identity.stack_id


def kill_all(stack_id: str) -> None:
    """Kill all processes, as a power cut does; supervisord is first, so that nothing is restarted."""
    while running := list(processes.of_stack(stack_id)):
        for process in sorted(running, key=lambda process: process.part != "supervisord"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.1)


def content(store: ObjectStore, bucket: str, key: str) -> bytes | None:
    """The object; None where the store does not have it completely."""
    try:
        return store.get(bucket, key, max_bytes=10_000_000)
    except UnciaError:
        return None
