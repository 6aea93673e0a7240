"""curl as a camera, by FTP and by mail."""

import subprocess
from pathlib import Path

import pytest

from tests.toolchains import system_programs
from tests.unit.producers.gateway.builders import jpeg
from tests.unit.producers.mailroom.builders import Mailroom, ftp_server, signed_in, smtp_server
from tests.unit.producers.mailroom.test_ftp_server import break_off
from tests.unit.producers.mailroom.test_mail_attachments import mail

PICTURE = jpeg(1, side=200)
DENIED = 67


@pytest.fixture(autouse=True)
def installed() -> None:
    system_programs("curl")


def curl(mailroom: Mailroom, url: str, *options: str, password: str = "") -> int:
    """Returns curl's exit status."""
    user = f"{mailroom.camera.account.user}:{password or mailroom.camera.password}"
    host, port = mailroom.address
    command = ["curl", "--silent", "--insecure", "--user", user, *options, url.format(f"{host}:{port}")]
    return subprocess.run(command, check=False, timeout=60).returncode


def test_curl_resumes_and_uploads_by_ftp_and_is_refused_with_a_wrong_password(tmp_path: Path) -> None:
    file, url = tmp_path / "1.JPG", "ftp://{}/1.JPG"
    file.write_bytes(PICTURE)
    upload = ("--ssl-reqd", "--upload-file", str(file))
    with ftp_server(tmp_path / "mailroom") as mailroom:
        with signed_in(mailroom) as client:
            break_off(client, "1.JPG", PICTURE[:5000])
        assert curl(mailroom, url, *upload, "--continue-at", "-") == 0
        assert mailroom.delivered() == {"1.JPG": PICTURE}
        assert curl(mailroom, url, *upload) == 0
        assert mailroom.contents() == [PICTURE, PICTURE]
        assert curl(mailroom, url, *upload, password="wrong") == DENIED


def test_curl_sends_a_mail_and_is_refused_with_a_wrong_password_and_without_tls(tmp_path: Path) -> None:
    file, url = tmp_path / "mail", "smtp://{}"
    file.write_bytes(mail(("1.JPG", "image/jpeg", PICTURE)).as_bytes().replace(b"\n", b"\r\n"))
    send = ("--mail-from", "camera@example.org", "--mail-rcpt", "mailroom@example.org", "--upload-file", str(file))
    with smtp_server(tmp_path / "mailroom") as mailroom:
        assert curl(mailroom, url, *send, "--ssl-reqd", password="wrong") == DENIED
        assert curl(mailroom, url, *send) != 0
        assert mailroom.contents() == []
        assert curl(mailroom, url, *send, "--ssl-reqd") == 0
        assert mailroom.delivered() == {"1.JPG": PICTURE}
