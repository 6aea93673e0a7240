"""Cellular cameras reach the stream by FTP and by mail, with the key of their station: a photograph, a prediction."""

import os
import smtplib
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from ftplib import FTP_TLS
from io import BytesIO
from pathlib import Path

import pytest

from tests.free_ports import free_port
from tests.stack.conftest import KIND
from tests.stack.mailroom_process import running_mailroom, uncia
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.unit.producers.gateway.test_videos import MP4
from tests.waiting import SCALE
from uncia.events import BurstResolved, BurstStatus
from uncia.ids import content_hash, image_id
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


@pytest.fixture
def mailroom(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """`uncia mailroom run`, once it listens on both ports."""
    with running_mailroom(environment, tmp_path, servers=2):
        yield


def any_certificate() -> ssl.SSLContext:
    """As most cameras do: no check of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def send_by_ftp(environment: dict[str, str], account: dict[str, str], name: str, data: bytes) -> None:
    with FTP_TLS(context=any_certificate(), timeout=SCALE * LIMIT_S) as ftp:
        ftp.connect("127.0.0.1", int(environment["UNCIA_MAILROOM_FTP_PORT"]))
        ftp.login(account["user"], account["password"])
        ftp.prot_p()
        assert ftp.storbinary(f"STOR {name}", BytesIO(data)).startswith("226")


def send_by_mail(environment: dict[str, str], account: dict[str, str], *files: tuple[str, bytes]) -> None:
    message = EmailMessage()
    message["Subject"] = "Motion"
    message.set_content("Battery 80%")
    for name, data in files:
        message.add_attachment(data, "image", "jpeg", filename=name)
    with smtplib.SMTP("127.0.0.1", int(environment["UNCIA_MAILROOM_SMTP_PORT"]), timeout=SCALE * LIMIT_S) as smtp:
        smtp.starttls(context=any_certificate())
        smtp.send_message(message, "trap@example.org", [f"{account['address']}@example.org"])


def test_photographs_by_ftp_and_by_mail_are_predicted_and_form_bursts_of_their_cameras(
    environment: dict[str, str],
    mailroom: None,
    station: str,
    results: ResultConsumer,
    settled: Callable[..., list[BurstResolved]],
) -> None:
    ftp_camera = uncia(environment, "mailroom", "add", station, "north")
    mail_camera = uncia(environment, "mailroom", "add", station, "south")
    for number in range(2):
        send_by_ftp(environment, ftp_camera, f"IMG_{number}.JPG", photograph(number, f"2026:05:14 21:36:0{number}"))
    pictures = [(f"IMG_{number}.JPG", photograph(10 + number, f"2026:05:14 21:36:0{number}")) for number in range(2)]
    send_by_mail(environment, mail_camera, *pictures)

    for camera in ("north", "south"):
        (burst,) = settled(f"{station}/{camera}", 1, LIMIT_S)
        assert (len(burst.frames), burst.unreadable) == (2, 0)
        images = results.of_camera(f"{station}/{camera}")
        assert len({image.upload_id for image in images}) == len(images) == 2


def test_the_small_picture_by_mail_and_the_full_one_by_ftp_are_one_frame(
    environment: dict[str, str], mailroom: None, station: str, results: ResultConsumer
) -> None:
    camera, account = f"{station}/north", uncia(environment, "mailroom", "add", station, "north")
    small, full = (photograph(1, "2026:05:14 21:36:00", size=size) for size in ((320, 240), (1024, 768)))

    def frames() -> list[str]:
        bursts = [burst for burst in results.bursts(camera) if burst.status is not BurstStatus.SUPERSEDED]
        return [frame.image_id for burst in bursts for frame in burst.frames]

    def identity(data: bytes) -> str:
        return image_id(camera, content_hash(data))

    send_by_mail(environment, account, ("IMG_0001.JPG", small))
    results.wait_for(lambda: frames() == [identity(small)], LIMIT_S, "the small picture is the frame")
    send_by_ftp(environment, account, "IMG_0001.JPG", full)
    results.wait_for(lambda: frames() == [identity(full)], LIMIT_S, "the full picture is the only frame")


def test_a_film_is_stored_and_answered_as_not_analysed(
    environment: dict[str, str], mailroom: None, station: str, results: ResultConsumer
) -> None:
    account = uncia(environment, "mailroom", "add", station, "north")
    send_by_ftp(environment, account, "MOV_0001.MP4", MP4)
    (answer,) = results.wait_for(lambda: results.of_camera(f"{station}/north"), LIMIT_S)
    assert answer.rejection is not None
    assert answer.rejection.reason == "video-not-analysed"
