"""Thousands of connections in turn leave nothing behind in the process of the mailroom."""

import smtplib
import socket
from ftplib import FTP_TLS
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from tests.free_ports import free_port
from tests.unit.producers.gateway.builders import jpeg
from tests.unit.producers.mailroom.builders import Mailroom, build, trusting_context
from tests.unit.producers.mailroom.test_mail_attachments import mail
from tests.unit.producers.mailroom.test_service import process
from tests.waiting import wait_until

CONNECTIONS = 10_000
SIGN_IN_EVERY = 100


def look_in(port: int) -> None:
    """Connect, read the banner, close: as scanners do."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        assert client.recv(100).startswith(b"220")


def send_by_ftp(mailroom: Mailroom, port: int, seed: int) -> None:
    with FTP_TLS(context=trusting_context(), timeout=60) as client:
        client.connect("127.0.0.1", port)
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        client.prot_p()
        assert client.storbinary(f"STOR {seed}.JPG", BytesIO(jpeg(seed))).startswith("226")


def send_by_mail(mailroom: Mailroom, port: int, seed: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.starttls(context=trusting_context())
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        message = mail((f"{seed}.JPG", "image/jpeg", jpeg(seed))).as_bytes()
        assert client.sendmail("camera@example.org", ["mailroom@example.org"], message) == {}


@pytest.mark.timeout(900)
def test_connections_in_turn_leave_no_file_thread_or_memory_behind(tmp_path: Path) -> None:
    mailroom, ports = build(tmp_path), (free_port(), free_port())
    senders = (send_by_ftp, send_by_mail)

    def connect(numbers: range) -> None:
        for number in numbers:
            server = number % 2
            if number // 2 % SIGN_IN_EVERY == 0:
                senders[server](mailroom, ports[server], number)
            else:
                look_in(ports[server])

    with process(tmp_path, *ports) as running:
        server = psutil.Process(running.pid)
        connect(range(CONNECTIONS // 10))
        files, threads, resident = server.num_fds(), server.num_threads(), server.memory_info().rss
        connect(range(CONNECTIONS // 10, CONNECTIONS))
        wait_until(lambda: server.num_fds() <= files + 2, 10, "the connections are closed")
        assert server.num_threads() <= threads
        assert server.memory_info().rss - resident < 8 << 20
    assert len(mailroom.contents()) == CONNECTIONS // SIGN_IN_EVERY
