"""The mailroom as a process, and the gateways that upload what it has received."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from ftplib import FTP_TLS, all_errors
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port
from tests.paths import ROOT
from tests.unit.producers.gateway.builders import FakeStore, jpeg
from tests.unit.producers.gateway.test_videos import MP4
from tests.unit.producers.mailroom.builders import build, config, ftp_server, signed_in, smtp_server, trusting_context
from tests.unit.producers.mailroom.test_mail_attachments import mail
from tests.waiting import wait_until
from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.service import run_mailroom
from uncia.producers.mailroom.uploads import MailroomReporter, StationUploads
from uncia.storage.video_names import is_video_name


class Reporter(MailroomReporter):
    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.lines: list[dict[str, Any]] = []

    def emit(self, event: str, message: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})


@contextlib.contextmanager
def process(root: Path, port: int, smtp_port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """`uncia mailroom run --no-upload`, once it listens."""
    environment = {
        **os.environ,
        "UNCIA_STACK_DIR": str(root / "stack"),
        "UNCIA_MAILROOM_DIR": str(root),
        "UNCIA_MAILROOM_FTP_PORT": str(port),
        "UNCIA_MAILROOM_SMTP_PORT": str(smtp_port),
        "UNCIA_MAILROOM_FTP_PASSIVE_PORTS": "43000-43200",
    }
    command = [sys.executable, "-m", "uncia", "mailroom", "run", "--no-upload", "--json"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            for _ in range(2 if smtp_port else 1):
                assert json.loads(running.stdout.readline())["event"] == "listening"
            threading.Thread(target=running.stdout.read, daemon=True).start()  # so that it never waits for a reader
            yield running
        finally:
            running.kill()


def upload_until_it_dies(port: int, user: str, password: str, seeds: Iterator[int], confirmed: set[int]) -> None:
    """Send photographs one after the other, and note those that were confirmed."""
    with contextlib.suppress(*all_errors), FTP_TLS(context=trusting_context(), timeout=60) as client:
        client.connect("127.0.0.1", port)
        client.login(user, password)
        client.prot_p()
        for seed in seeds:
            if client.storbinary(f"STOR {seed}.JPG", BytesIO(jpeg(seed))).startswith("226"):
                confirmed.add(seed)


def mail_until_it_dies(port: int, user: str, password: str, seeds: Iterator[int], confirmed: set[int]) -> None:
    """Send mails with two photographs each, and note those that were confirmed."""
    with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.starttls(context=trusting_context())
        client.login(user, password)
        for seed in seeds:
            files = [(f"{number}.JPG", "image/jpeg", jpeg(number)) for number in (seed, seed + 100_000)]
            if client.sendmail("camera@example.org", ["mailroom@example.org"], mail(*files).as_bytes()) == {}:
                confirmed |= {seed, seed + 100_000}


def upload_all(folders: MailroomFolders, store: FakeStore, expected: int) -> Reporter:
    """Run a mailroom over these folders until the store has this many objects."""
    reporter, stop = Reporter(), threading.Event()
    uploads = StationUploads(folders, store, reporter, store="test", parallel=1, poll_s=0.1)
    thread = threading.Thread(target=run_mailroom, args=(config(folders.root), uploads, reporter, stop))
    thread.start()
    try:
        wait_until(lambda: len(store.objects) >= expected, 30, "everything is stored")
        wait_until(lambda: not [path for path in folders.inbox.rglob("*") if path.is_file()], 30, "the inbox is empty")
    finally:
        stop.set()
        thread.join()
    return reporter


@pytest.mark.parametrize("send", [upload_until_it_dies, mail_until_it_dies], ids=["ftp", "mail"])
def test_kill_9_after_the_confirmation_loses_nothing(tmp_path: Path, send: Any) -> None:
    mailroom, ports, confirmed = build(tmp_path), (free_port(), free_port()), set[int]()
    account, port = mailroom.camera, ports[send is mail_until_it_dies]
    with process(tmp_path, *ports) as running:
        cameras = [
            threading.Thread(
                target=send,
                args=(port, account.account.user, account.password, iter(range(first, 10_000, 3)), confirmed),
            )
            for first in range(3)
        ]
        for camera in cameras:
            camera.start()
        wait_until(lambda: len(confirmed) >= 20, 30)
        running.send_signal(signal.SIGKILL)
        for camera in cameras:
            camera.join()
    store = FakeStore(DependencyDown("the uplink is down"), DependencyDown("still"))
    upload_all(mailroom.folders, store, len(confirmed))
    stored = set(store.objects.values())
    assert {seed for seed in confirmed if jpeg(seed) not in stored} == set()
    # A photograph that was not confirmed may be stored, because the kill came in between, but only as a whole.
    sent = {*range(200), *range(100_000, 100_200)}
    assert stored <= {jpeg(seed) for seed in sent}


def test_photographs_are_uploaded_under_their_camera_and_leave_the_inbox(tmp_path: Path) -> None:
    mailroom = build(tmp_path)
    source = mailroom.folders.receiving / "file"
    for station, camera in (("ridge", "north"), ("valley", "south")):
        source.write_bytes(jpeg(1))
        mailroom.inbox.deliver(source, station, camera, "IMG_20260514_213600.JPG")
    store = FakeStore()
    reporter = upload_all(mailroom.folders, store, 2)
    days, names = ({key.rsplit("/", 2)[part] for key in store.objects} for part in (0, 2))
    assert days == {"ridge/north/2026/05/14", "valley/south/2026/05/14"}
    assert {name.partition("-file-name-")[0] for name in names} == {"20260514T213600"}
    assert {line["event"] for line in reporter.lines} >= {"listening", "uploaded"}


@pytest.mark.parametrize("way", ["ftp", "mail"])
def test_a_film_is_stored_and_leaves_the_inbox(tmp_path: Path, way: str) -> None:
    with contextlib.ExitStack() as stack:
        if way == "ftp":
            mailroom = stack.enter_context(ftp_server(tmp_path))
            client = stack.enter_context(signed_in(mailroom))
            assert client.storbinary("STOR MOV_0001.MP4", BytesIO(MP4)).startswith("226")
        else:
            mailroom = stack.enter_context(smtp_server(tmp_path))
            smtp = stack.enter_context(smtplib.SMTP(*mailroom.address, timeout=60))
            smtp.starttls(context=trusting_context())
            message = mail(("MOV_0001.MP4", "video/mp4", MP4)).as_bytes()
            assert smtp.sendmail("camera@example.org", [f"{mailroom.camera.address}@example.org"], message) == {}
        assert mailroom.delivered() == {"MOV_0001.MP4": MP4}
    store = FakeStore()
    upload_all(mailroom.folders, store, 1)
    ((key, data),) = store.objects.items()
    assert (key.startswith("ridge/north/"), is_video_name(key), data) == (True, True, MP4)


def test_a_partial_photograph_is_uploaded_and_marked(tmp_path: Path) -> None:
    mailroom = build(tmp_path)
    source = mailroom.folders.receiving / "file"
    source.write_bytes(jpeg(1)[:500])
    mailroom.inbox.deliver(source, "ridge", "north", "1.JPG")
    store, reporter, stop = FakeStore(), Reporter(), threading.Event()
    uploads = StationUploads(mailroom.folders, store, reporter, store="test", poll_s=0.1)
    uploads.start_new()
    try:
        (line,) = wait_until(lambda: [line for line in reporter.lines if line["event"] == "uploaded"], 30)
    finally:
        stop.set()
        uploads.stop()
    assert line["partial"] == "the JPEG has no end yet"


def test_the_rest_of_a_partial_photograph_replaces_it_under_the_same_key(tmp_path: Path) -> None:
    mailroom = build(tmp_path)
    store, reporter, source = FakeStore(), Reporter(), mailroom.folders.receiving / "file"
    uploads = StationUploads(mailroom.folders, store, reporter, store="test", poll_s=0.1)
    try:
        for data in (jpeg(1)[:500], jpeg(1)):
            source.write_bytes(data)
            mailroom.inbox.deliver(source, "ridge", "north", "1.JPG")
            uploads.start_new()
            wait_until(lambda data=data: data in store.objects.values(), 30)  # type: ignore[misc]
        wait_until(lambda: not mailroom.contents(), 30, "the whole photograph leaves the inbox")
    finally:
        uploads.stop()
    assert list(store.objects.values()) == [jpeg(1)]


def test_a_second_mailroom_with_the_same_folder_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    with process(tmp_path, free_port()), pytest.raises(UnciaError, match="another mailroom uses"):
        run_mailroom(config(tmp_path), None, Reporter(), threading.Event())


@pytest.mark.parametrize("name", ["ftp_port", "smtp_port", "lmtp_port"])
def test_a_port_that_is_in_use_is_reported_at_once(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}.*UNCIA_MAILROOM_{name.upper()}"):
            run_mailroom(config(tmp_path, **{name: port}), None, Reporter(), threading.Event())


def test_with_nothing_to_receive_from_it_does_not_start(tmp_path: Path) -> None:
    nothing = config(tmp_path, ftp_port=None, smtp_port=None, lmtp_port=None)
    with pytest.raises(SettingsError, match="nothing is received"):
        run_mailroom(nothing, None, Reporter(), threading.Event())


def test_held_files_are_handed_over_when_the_ftp_server_is_switched_off(tmp_path: Path) -> None:
    mailroom, stop = build(tmp_path), threading.Event()
    held = mailroom.folders.held / "ridge" / "north" / "1.JPG.tmp"
    held.parent.mkdir(parents=True)
    held.write_bytes(jpeg(1))
    stop.set()
    run_mailroom(config(tmp_path, ftp_port=None), None, Reporter(), stop)
    assert mailroom.delivered() == {"1.JPG": jpeg(1)}


def test_the_mailroom_ends_at_a_signal(tmp_path: Path) -> None:
    build(tmp_path)
    with process(tmp_path, free_port()) as running:
        running.terminate()
        assert running.wait(timeout=60) == 0


def test_large_mails_do_not_fill_the_memory(tmp_path: Path) -> None:
    """200 MB whose size was not announced, of 64 that are permitted: in lines, and in one line."""
    mailroom, port = build(tmp_path), free_port()
    recipient = f"{mailroom.camera.address}@example.org"

    def begin(client: smtplib.SMTP) -> None:
        client.starttls(context=trusting_context())
        client.ehlo()
        client.mail("camera@example.org")
        client.rcpt(recipient)
        client.putcmd("data")
        assert client.getreply()[0] == 354

    def peak_mb() -> float:
        status = Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    with process(tmp_path, free_port(), port) as running:
        before = peak_mb()
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            begin(client)
            lines = (b"x" * 998 + b"\r\n") * 1000
            for _ in range(200):
                client.send(lines)
            client.send(b".\r\n")
            assert client.getreply()[0] == 552
            message = mail(("1.JPG", "image/jpeg", jpeg(1))).as_bytes()
            assert client.sendmail("camera@example.org", [recipient], message) == {}
        assert mailroom.contents() == [jpeg(1)]
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            begin(client)
            block = b"x" * 1_000_000
            with pytest.raises(smtplib.SMTPServerDisconnected):
                for _ in range(200):
                    client.send(block)
        assert peak_mb() - before < 150


def test_a_spool_of_another_store_stops_the_mailroom(tmp_path: Path) -> None:
    mailroom = build(tmp_path)
    source = mailroom.folders.receiving / "file"
    source.write_bytes(jpeg(1))
    mailroom.inbox.deliver(source, "ridge", "north", "1.JPG")
    upload_all(mailroom.folders, FakeStore(), 1)
    reporter = Reporter()
    uploads = StationUploads(mailroom.folders, FakeStore(), reporter, store="another")
    with pytest.raises(UnciaError, match="belongs to test"):
        run_mailroom(config(tmp_path), uploads, reporter, threading.Event())
