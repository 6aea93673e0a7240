"""Cellular cameras reach the stream by FTP and by mail, with the key of their station: a photograph, a prediction."""

import json
import os
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from ftplib import FTP_TLS
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port
from tests.stack.conftest import KIND
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.waiting import SCALE
from uncia.events import BurstResolved
from uncia.infra.local.stack import Stack

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

LIMIT_S = 60


@pytest.fixture
def environment(stack: Stack, station: str, tmp_path: Path) -> dict[str, str]:
    """That of a mailroom with the key of one station, and nothing of the operator's."""
    issued = uncia({**os.environ, **stack.environment()}, "keys", "issue", "gateway", station)
    others = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    return {
        **others,
        **issued,
        "UNCIA_STACK_DIR": str(tmp_path / "no stack"),
        "UNCIA_MAILROOM_DIR": str(tmp_path / "mailroom"),
        "UNCIA_MAILROOM_FTP_PORT": str(free_port()),
        "UNCIA_MAILROOM_SMTP_PORT": str(free_port()),
        "UNCIA_MAILROOM_FTP_PASSIVE_PORTS": "43300-43400",
    }


def uncia(environment: dict[str, str], *arguments: str) -> Any:
    """Run a command with `--json`; returns what it prints."""
    line = [sys.executable, "-m", "uncia", *arguments, "--json"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=SCALE * LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def mailroom(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """`uncia mailroom run`, once it listens on both ports."""
    command = [sys.executable, "-m", "uncia", "mailroom", "run", "--json"]
    with (
        (tmp_path / "mailroom.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as running,
    ):
        try:
            assert running.stdout is not None
            for _ in range(2):
                assert json.loads(running.stdout.readline())["event"] == "listening"
            yield
        finally:
            running.terminate()
            running.communicate(timeout=SCALE * LIMIT_S)


def any_certificate() -> ssl.SSLContext:
    """As most cameras do: no check of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_photographs_by_ftp_and_by_mail_are_predicted_and_form_bursts_of_their_cameras(
    environment: dict[str, str],
    mailroom: None,
    station: str,
    results: ResultConsumer,
    settled: Callable[..., list[BurstResolved]],
) -> None:
    ftp_camera = uncia(environment, "mailroom", "add", station, "north")
    mail_camera = uncia(environment, "mailroom", "add", station, "south")
    with FTP_TLS(context=any_certificate(), timeout=SCALE * LIMIT_S) as ftp:
        ftp.connect("127.0.0.1", int(environment["UNCIA_MAILROOM_FTP_PORT"]))
        ftp.login(ftp_camera["user"], ftp_camera["password"])
        ftp.prot_p()
        for number in range(2):
            data = photograph(number, f"2026:05:14 21:36:0{number}")
            assert ftp.storbinary(f"STOR IMG_{number}.JPG", BytesIO(data)).startswith("226")
    message = EmailMessage()
    message["Subject"] = "Motion"
    message.set_content("Battery 80%")
    for number in range(2):
        data = photograph(10 + number, f"2026:05:14 21:36:0{number}")
        message.add_attachment(data, "image", "jpeg", filename=f"IMG_{number}.JPG")
    with smtplib.SMTP("127.0.0.1", int(environment["UNCIA_MAILROOM_SMTP_PORT"]), timeout=SCALE * LIMIT_S) as smtp:
        smtp.starttls(context=any_certificate())
        smtp.send_message(message, "trap@example.org", [f"{mail_camera['address']}@example.org"])

    for camera in ("north", "south"):
        (burst,) = settled(f"{station}/{camera}", 1, LIMIT_S)
        assert (len(burst.frames), burst.unreadable) == (2, 0)
        images = results.of_camera(f"{station}/{camera}")
        assert len({image.upload_id for image in images}) == len(images) == 2
