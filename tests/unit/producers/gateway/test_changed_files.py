"""Files that change: taken when they are whole, taken again after a change, and one photograph all along."""

import io
import os
import random
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.processors.predict.reconyx_notes import hyperfire
from tests.unit.producers.gateway.builders import FakeStore, RecordingReporter, jpeg, rows, run
from tests.unit.uncia.imaging.exif_builders import (
    DATE_TIME_ORIGINAL,
    MAKER_NOTE,
    MODEL,
    SUB_SECOND_ORIGINAL,
    exif_segment,
)
from tests.waiting import wait_until
from uncia.errors import DependencyDown
from uncia.producers.gateway import incomplete_files
from uncia.producers.gateway.completeness import CompletenessReader
from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.incomplete_files import GracePeriod, is_open_for_writing
from uncia.producers.gateway.options import GatewayOptions
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.upload_pool import ThreadUploadPool
from uncia.producers.gateway.watcher import Watcher

WHOLE = jpeg(1, side=120)
WRITER = """
import sys
path, *ends = sys.argv[1:]
data = sys.stdin.buffer.read(int(ends[-1]))
with open(path, "wb", buffering=0) as file:
    start = 0
    for end in map(int, ends):
        file.write(data[start:end])
        start = end
        print("written", end, flush=True)
        sys.stdin.buffer.read(1)  # a pause, until the test ends it
print("closed", flush=True)
sys.stdin.buffer.read(1)
"""


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "card"
    folder.mkdir()
    return folder


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def photograph(exif: Mapping[int, str | bytes], seed: int = 1, model: str = "") -> bytes:
    """A complete JPEG with EXIF."""
    whole = jpeg(seed, side=80)
    segment = exif_segment({MODEL: model} if model else None, exif)
    return whole[:2] + segment + whole[2:]


def replace_in_place(path: Path, data: bytes, *, keep_time: bool = True) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ctime_ns != before.st_ctime_ns


# Files that are being written.


def test_a_file_that_another_process_writes_with_long_pauses_is_uploaded_once_and_whole(
    card: Path, spool: Path
) -> None:
    """With threads, a clock and a writer that are real. The pauses are longer than many scans, the last one comes when
    the photograph has its end already."""
    store, reporter, stop = FakeStore(), RecordingReporter(), threading.Event()
    path = card / "1.JPG"
    ends = [len(WHOLE) // 2, len(WHOLE), len(WHOLE) + 10]
    data = WHOLE + b"serial 007"
    command = [sys.executable, "-c", WRITER, str(path), *map(str, ends)]

    def waits(seen: int, reason: str) -> bool:
        """Whether the gateway reported after its first `seen` lines that it waits for the file for this reason."""
        return any(line["event"] == "incomplete" and reason in line["error"] for line in reporter.lines[seen:])

    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer,
        Spool(spool, destination="test") as opened,
    ):
        assert writer.stdin is not None
        assert writer.stdout is not None
        watcher = Watcher(card, settle_s=0)
        options = GatewayOptions(card, "ridge", poll_s=0.1, grace=GracePeriod.watching(None))
        gateway = Gateway(options, opened, watcher, store, ThreadUploadPool(2), reporter, stop)
        thread = threading.Thread(target=gateway.run)
        thread.start()
        try:
            writer.stdin.write(data)
            writer.stdin.flush()
            seen = 0
            for end, reason in zip(ends, ("no end yet", "open for writing", "open for writing"), strict=True):
                assert writer.stdout.readline() == f"written {end}\n".encode()
                wait_until(lambda seen=seen, reason=reason: waits(seen, reason), 20, reason)  # type: ignore[misc]
                assert store.objects == {}
                seen = len(reporter.lines)
                writer.stdin.write(b"\n")
                writer.stdin.flush()
            assert writer.stdout.readline() == b"closed\n"
            wait_until(lambda: bool(store.objects), 20, "the upload")
            writer.stdin.write(b"\n")
            writer.stdin.flush()
        finally:
            stop.set()
            thread.join(20)
            writer.kill()
    assert (list(store.objects.values()), len(store.sent)) == ([data], 1)


def test_a_whole_photograph_is_taken_as_soon_as_its_writer_closes_it(card: Path, spool: Path) -> None:
    """Although nothing in it changes any more: the grace period of 600 seconds is not waited for."""
    path = card / "1.JPG"
    path.write_bytes(WHOLE)
    store, reporter = FakeStore(), RecordingReporter()
    file = path.open("ab")
    run(card, spool, store, reporter, writer=[(40, file.close)], grace=GracePeriod(600), give_up_after_s=100)
    assert list(store.objects.values()) == [WHOLE]
    assert reporter.of("incomplete")[0]["error"] == "a program has it open for writing"


def test_a_writer_that_never_ends_delays_a_whole_photograph_only_so_long(card: Path, spool: Path) -> None:
    path = card / "1.JPG"
    path.write_bytes(WHOLE)
    store = FakeStore()
    with path.open("ab"):
        summary = run(card, spool, store, grace=GracePeriod(10))
    assert (list(store.objects.values()), summary.partial) == ([WHOLE], 0)


def test_a_writer_is_known_without_a_list_of_open_files(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the process of another user, of which /proc shows nothing to a gateway that is not root."""
    monkeypatch.setattr(incomplete_files, "_is_listed_as_open", lambda _: False)
    path = card / "1.JPG"
    path.write_bytes(WHOLE)
    assert not is_open_for_writing(path)
    with path.open("rb"):
        assert not is_open_for_writing(path)
    with path.open("r+b"):
        assert is_open_for_writing(path)
    assert not is_open_for_writing(path)
    assert not is_open_for_writing(card / "none.JPG")


def test_programs_that_open_the_file_during_the_check_disturb_nobody(card: Path) -> None:
    """The kernel signals the holder of a lease that another program wants to write: that must not end the gateway."""
    path = card / "1.JPG"
    path.write_bytes(WHOLE)
    opener = "import sys\nfor _ in range(3000): open(sys.argv[1], 'ab').close()"
    with subprocess.Popen([sys.executable, "-c", opener, str(path)]) as process:
        while process.poll() is None:
            incomplete_files._is_lease_refused(path)
    assert process.returncode == 0


# Changes after the file was taken.


def test_a_copy_that_waits_for_the_store_is_followed_by_the_content_that_replaced_it_in_place(
    card: Path, spool: Path
) -> None:
    """Neither size nor modification time show the change, and the copy still has the earlier content."""
    path = card / "1.JPG"
    path.write_bytes(b"light")
    store = FakeStore(*(DependencyDown("down") for _ in range(4)))
    summary = run(card, spool, store, writer=[(3, lambda: replace_in_place(path, b"LIGHT"))], copy=True)
    assert sorted(store.objects.values()) == [b"LIGHT", b"light"]
    assert summary.complete


def test_a_new_change_time_alone_starts_no_second_upload_of_a_waiting_file(card: Path, spool: Path) -> None:
    path = card / "1.JPG"
    path.write_bytes(WHOLE)
    store = FakeStore(*(DependencyDown("down") for _ in range(4)))
    run(card, spool, store, writer=[(3, lambda: path.chmod(0o600))], copy=True)
    assert [(row["state"], row["ctime_ns"]) for row in rows(spool)] == [("confirmed", path.stat().st_ctime_ns)]
    assert len(store.sent) == 1


@pytest.mark.parametrize("keep_time", [True, False])
def test_new_metadata_supersede_the_earlier_content(card: Path, spool: Path, keep_time: bool) -> None:
    path = card / "1.JPG"
    earlier = photograph({DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"}, model="TRAP 1")
    later = photograph({DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"}, model="TRAP 2")
    path.write_bytes(earlier)
    store, reporter = FakeStore(), RecordingReporter()
    run(card, spool, store)
    replace_in_place(path, later, keep_time=keep_time)
    run(card, spool, store, reporter)
    assert list(store.objects.values()) == [later]
    assert [row["state"] for row in rows(spool)] == ["superseded", "confirmed"]
    assert reporter.of("uploaded")[0]["replaces"]


@pytest.mark.parametrize(
    "exif",
    [
        {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", SUB_SECOND_ORIGINAL: "250"},
        {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", MAKER_NOTE: hyperfire(sequence=(2, 3), event=7)},
    ],
    ids=["fraction of a second", "numbers of the camera"],
)
def test_an_edited_picture_of_the_same_capture_supersedes_the_earlier_content(
    card: Path, spool: Path, exif: Mapping[int, str | bytes]
) -> None:
    path = card / "1.JPG"
    path.write_bytes(photograph(exif, seed=1))
    store = FakeStore()
    run(card, spool, store)
    path.write_bytes(photograph(exif, seed=2))
    run(card, spool, store)
    assert list(store.objects.values()) == [photograph(exif, seed=2)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"}, {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"}),
        (
            {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", SUB_SECOND_ORIGINAL: "250"},
            {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", SUB_SECOND_ORIGINAL: "750"},
        ),
        (
            {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", MAKER_NOTE: hyperfire(sequence=(1, 3), event=7)},
            {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", MAKER_NOTE: hyperfire(sequence=(2, 3), event=7)},
        ),
        ({}, {}),
    ],
    ids=["one second", "other fractions", "other numbers", "no time"],
)
def test_another_photograph_of_a_burst_under_the_same_name_replaces_nothing(
    card: Path, spool: Path, first: Mapping[int, str | bytes], second: Mapping[int, str | bytes]
) -> None:
    path = card / "image.jpg"
    contents = [photograph(first, seed=1), photograph(second, seed=2)]
    store = FakeStore()
    for content in contents:
        path.write_bytes(content)
        run(card, spool, store)
    assert sorted(store.objects.values()) == sorted(contents)


def test_an_edit_never_replaces_bytes_that_a_duplicate_needs(card: Path, spool: Path) -> None:
    exif = {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"}
    for name in ("1.JPG", "2.JPG"):
        (card / name).write_bytes(photograph(exif))
    store = FakeStore()
    assert run(card, spool, store).duplicates == 1
    (card / "1.JPG").write_bytes(photograph(exif, model="TRAP 2"))
    run(card, spool, store)
    assert sorted(store.objects.values()) == sorted([photograph(exif), photograph(exif, model="TRAP 2")])


@pytest.mark.parametrize("later", [photograph({}, model="TRAP 2"), photograph({}) + b"appended"])
def test_a_copy_of_the_earlier_content_overwrites_nothing(card: Path, spool: Path, later: bytes) -> None:
    (card / "1.JPG").write_bytes(photograph({}))
    store = FakeStore()
    for change in (lambda: None, lambda: (card / "1.JPG").write_bytes(later)):
        change()
        run(card, spool, store)
    assert list(store.objects.values()) == [later]
    (card / "2.JPG").write_bytes(photograph({}))
    for _ in range(2):
        run(card, spool, store)
    assert sorted(store.objects.values()) == sorted([photograph({}), later])
    assert len(store.sent) == 3


def test_a_half_written_edit_replaces_nothing(card: Path, spool: Path) -> None:
    exif = {DATE_TIME_ORIGINAL: "2026:05:14 21:36:00", SUB_SECOND_ORIGINAL: "250"}
    (card / "1.JPG").write_bytes(photograph(exif))
    store = FakeStore()
    run(card, spool, store)
    half = photograph(exif, model="TRAP 2")[:900]
    (card / "1.JPG").write_bytes(half)
    run(card, spool, store, grace=GracePeriod(10))
    assert photograph(exif) in store.objects.values()


# The digest of the image data.


@pytest.mark.parametrize("size", [1, 7, 100, 4096, 1 << 20])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_image_digest_depends_on_the_image_data_alone(size: int, progressive: bool) -> None:
    buffer = io.BytesIO()
    noise = Image.frombytes("RGB", (64, 64), random.Random(3).randbytes(64 * 64 * 3))
    noise.save(buffer, "JPEG", progressive=progressive)
    plain = buffer.getvalue()
    other = plain[:2] + exif_segment(exif={DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"}) + plain[2:] + b"trailer \xff\xd9"

    def digest(data: bytes, chunk: int) -> str | None:
        reader = CompletenessReader()
        for at in range(0, len(data), chunk):
            reader.feed(data[at : at + chunk])
        return reader.result().image_digest

    assert digest(other, size) == digest(plain, 1 << 20)
    changed = bytearray(plain)
    changed[-20] ^= 1
    assert digest(bytes(changed), size) != digest(plain, 1 << 20)
