"""A station's power goes and its temporary directory is emptied: what was confirmed is there, and all goes on."""

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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.recovery.power import disk as power
from tests.recovery.power import trace
from tests.recovery.running_stack import QUICK
from tests.stack.photographs import photograph
from uncia.errors import UnciaError
from uncia.events import ImagePredicted
from uncia.infra.local import processes
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.infra.local.sync_attribute import has_sync_attribute
from uncia.kafka.broker import read_topics
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
    """The disk of the station."""
    if reason := power.skip_reason():
        pytest.skip(reason)
    with power.disk() as made:
        yield made


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
    """All parts, on that disk, in a folder whose name no socket and no class path may have."""
    stack = Stack(disk.folder / "a station, 100% 'odd'" / "stack")
    with stop_on_exit(stack):
        stack.up(extra_env=QUICK)
        yield stack


def part(stack: Stack, name: str) -> int:
    """The process of a part."""
    return next(status.pid for status in stack.status() if status.name == name and status.pid)


def until(condition: object, limit_s: float, what: str) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what}: not within {limit_s:.0f} s"
        time.sleep(0.2)


def answered(stack: Stack) -> set[str]:
    """Keys of all photographs that were answered."""
    settings = stack.settings()
    return {
        ImagePredicted.from_bytes(message.value).key
        for message in read_topics(settings, (IMAGE_PREDICTED,), from_beginning=True, until_end=True)
        if message.value is not None
    }


def log_of(stack: Stack) -> dict[tuple[str, int, int], bytes | None]:
    """All messages of all topics, by place. What compaction may take away is in none of them yet."""
    return {
        (message.topic, message.partition, message.offset): message.value
        for message in read_topics(stack.settings(), TOPICS, from_beginning=True, until_end=True)
    }


def reconciled(stack: Stack) -> bool:
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


def test_a_temporary_directory_that_is_emptied_takes_nothing_that_kafka_needs_to_come_back(
    stack: Stack, temporary: Path
) -> None:
    subprocess.run(["find", str(temporary), "-mindepth", "1", "-delete"], check=True)
    killed = stack.kill("kafka", signal.SIGKILL)

    def back() -> bool:
        now = next(status for status in stack.status() if status.name == "kafka")
        return now.ready and now.pid != killed

    until(back, 60, "Kafka is back")
    settings = stack.settings()
    store = ObjectStore(settings)
    store.client.put_object(Bucket=settings.bucket, Key="cleaned/cam/after.jpg", Body=photograph(81_000))
    store.close()
    until(lambda: "cleaned/cam/after.jpg" in answered(stack), 60, "an answer")


def test_an_upload_is_answered_when_its_bytes_its_index_and_its_name_are_on_disk(stack: Stack, tmp_path: Path) -> None:
    if reason := trace.why_no_trace():
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
    answers = trace.dirty_at_answer(calls, identity.ports["s3"], below=str(data))
    written = {call.file for call in calls if call.name in trace.WRITES and call.file.startswith(str(data))}

    assert len(answers) >= 3
    assert {Path(file).suffix for file in written} >= {".dat", ".idx", ".log"}
    # Objects are synced by call, on every file system; the rest is written through, which no call shows.
    assert [file for dirty in answers for file in dirty if file.endswith(".dat")] == []
    assert [str(path) for path in trace.paths_of(written) if not has_sync_attribute(path)] == []


def test_kafka_answers_when_a_message_is_on_disk(stack: Stack, tmp_path: Path) -> None:
    if reason := trace.why_no_trace():
        pytest.skip(reason)
    from kafka import KafkaProducer

    identity, settings = stack.require_identity(), stack.settings()
    topic = STORAGE_CHANGED.full_name(settings)
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    out = tmp_path / "trace"
    with trace.traced(part(stack, "kafka"), out):
        # No notification: a dead letter, which is a message in a second topic.
        producer.send(topic, key=b"/buckets/nothing", value=b"none").get(30)
        trace.wait_until_written(out, "fsync(")
    producer.close()
    calls = list(trace.parse(out.read_text(encoding="utf-8", errors="replace").splitlines()))
    log = [call for call in calls if f"/{topic}-" in call.file and call.file.endswith(".log")]
    assert log[0].name in trace.WRITES
    assert log[1].name in trace.SYNCS
    answers = [at for at, call in enumerate(calls) if f":{identity.ports['kafka']}->" in call.file]
    assert any(at > calls.index(log[1]) for at in answers)


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


def uploaded(process: subprocess.Popen[str], until_key: threading.Event | None = None) -> dict[str, str]:
    """Path to key of all that the gateway reported as uploaded, until it ends."""
    assert process.stdout is not None
    found = {}
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] in ("uploaded", "duplicate"):
            found[event["path"]] = event["key"]
            if until_key is not None and len(found) >= SPOOLED // 3:
                until_key.set()
    return found


def test_what_was_confirmed_is_there_after_a_power_cut_and_all_that_was_in_the_log(
    stack: Stack, disk: power.Disk, tmp_path: Path
) -> None:
    card = tmp_path / "photographs" / "cam"
    card.mkdir(parents=True)
    for number in range(SPOOLED):
        (card / f"{number}.jpg").write_bytes(photograph(83_000 + number, size=(320, 240)))
    spool = disk.folder / "spool.sqlite"
    watching = gateway(stack, card.parent, spool, once=False)
    some = threading.Event()
    confirmed: dict[str, bytes] = {}
    stop, cutting = threading.Event(), threading.Event()
    settings = stack.settings()

    def upload(number: int) -> None:
        store = ObjectStore(settings, timeout_s=5, attempts=1)
        while not stop.is_set():
            seed = 82_000 + number + AT_ONCE * len(confirmed)
            key, data = f"cut/cam{number}/{seed}.jpg", photograph(seed, size=(320, 240))
            with contextlib.suppress(BotoCoreError, ClientError, OSError):
                store.client.put_object(Bucket=settings.bucket, Key=key, Body=data)
                # An answer that comes after the cut comes from a machine that would be off.
                if not cutting.is_set():
                    confirmed[key] = data
        store.close()

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        try:
            reported = pool.submit(uploaded, watching, some)
            uploads = [pool.submit(upload, number) for number in range(AT_ONCE)]
            until(lambda: len(confirmed) >= BEFORE_THE_CUT, 60, "uploads")
            assert some.wait(60)
            seen = log_of(stack)
            cutting.set()
            disk.cut()
        finally:
            stop.set()
            watching.kill()
            watching.wait()
        kill_all(stack_id(stack))
        for done in uploads:
            done.result()
    known = dict(confirmed)
    disk.restore()
    stack.up(extra_env=QUICK)

    store = ObjectStore(stack.settings())
    # The store refuses what it has for some seconds, until its volumes have registered.
    lost = dict(known)

    def found_again() -> bool:
        for key, data in list(lost.items()):
            if content(store, settings.bucket, key) == data:
                del lost[key]
        return not lost

    until(found_again, 60, "every confirmed photograph")
    rest = gateway(stack, card.parent, spool, once=True)
    again = uploaded(rest)
    assert rest.wait(60) == 0
    confirmed_before = reported.result()
    assert len({**confirmed_before, **again}) == SPOOLED
    missing = [key for key in {**confirmed_before, **again}.values() if content(store, settings.bucket, key) is None]
    store.close()
    assert missing == []
    now = log_of(stack)
    assert [place for place, value in seen.items() if place not in now or now[place] != value] == []
    until(lambda: set(known) <= answered(stack), 90, "an answer to each confirmed photograph")
    until(lambda: reconciled(stack), 60, "reconcile says zero")
    assert all(status.ready for status in stack.status())


_ids: dict[Path, str] = {}


def stack_id(stack: Stack) -> str:
    """Known from before the cut: its file cannot be read any more."""
    return _ids[stack.folder]


@pytest.fixture(autouse=True)
def remembered(stack: Stack) -> None:
    """Whose processes they are."""
    identity = stack.require_identity()
    _ids[stack.folder] = identity.stack_id


def kill_all(mark: str) -> None:
    """End all processes at once, as a power cut does, so that nothing is restarted."""
    while living := list(processes.of_stack(mark)):
        for process in sorted(living, key=lambda process: process.part != "supervisord"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.1)


def content(store: ObjectStore, bucket: str, key: str) -> bytes | None:
    """None where the store does not have it, or not whole."""
    try:
        return store.get(bucket, key, max_bytes=10_000_000)
    except UnciaError:
        return None
