"""Cameras that send photographs by mail, over real sockets."""

import base64
import contextlib
import smtplib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.producers.gateway.builders import jpeg
from tests.unit.producers.mailroom.builders import Mailroom, smtp_server, trusting_context
from tests.unit.producers.mailroom.test_mail_attachments import mail
from uncia.errors import UnciaError
from uncia.producers.mailroom import smtp_server as module

PICTURE = jpeg(1, side=200)


@pytest.fixture(autouse=True)
def short_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFUSAL_DELAY_S", 0.05)


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    with smtp_server(tmp_path / "mailroom") as running:
        yield running


@contextlib.contextmanager
def connected(mailroom: Mailroom, *, tls: bool = True) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(*mailroom.address, timeout=60) as client:
        client.ehlo()
        if tls:
            client.starttls(context=trusting_context())
            client.ehlo()
        yield client


def pictures(*data: bytes) -> bytes:
    return mail(*((f"IMG_{number}.JPG", "image/jpeg", one) for number, one in enumerate(data))).as_bytes()


def send(client: smtplib.SMTP, recipient: str, message: bytes) -> None:
    assert client.sendmail("camera@example.org", [recipient], message) == {}


def test_several_pictures_are_in_the_inbox_before_the_mail_is_confirmed(mailroom: Mailroom) -> None:
    with connected(mailroom) as client:
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        send(client, "anybody@example.org", pictures(jpeg(1), jpeg(2), jpeg(3)))
        assert mailroom.delivered() == {f"IMG_{number}.JPG": jpeg(number + 1) for number in range(3)}


def test_a_secret_address_needs_no_password(mailroom: Mailroom) -> None:
    with connected(mailroom) as client:
        send(client, f"{mailroom.camera.address}@example.org", pictures(PICTURE))
    assert mailroom.contents() == [PICTURE]


def test_a_mail_for_two_cameras_is_stored_for_both(mailroom: Mailroom) -> None:
    other = mailroom.accounts.add("valley", "south")
    with connected(mailroom) as client:
        recipients = [f"{address}@example.org" for address in (mailroom.camera.address, other.address)]
        client.sendmail("camera@example.org", recipients, pictures(PICTURE))
    assert len(list(mailroom.folders.inbox.glob("*/*/IMG_0.JPG"))) == 2


def test_an_unknown_address_is_refused(mailroom: Mailroom) -> None:
    with connected(mailroom) as client, pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
        send(client, "north@example.org", pictures(PICTURE))
    assert mailroom.contents() == []


def test_without_tls_nothing_is_accepted(mailroom: Mailroom) -> None:
    with connected(mailroom, tls=False) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
            send(client, f"{mailroom.camera.address}@example.org", pictures(PICTURE))
        with pytest.raises(smtplib.SMTPException):
            client.login(mailroom.camera.account.user, mailroom.camera.password)


def test_plain_mail_is_possible_where_the_operator_permits_it(tmp_path: Path) -> None:
    with smtp_server(tmp_path, plain_smtp=True) as mailroom, connected(mailroom, tls=False) as client:
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        send(client, "anybody@example.org", pictures(PICTURE))
        assert mailroom.contents() == [PICTURE]


def test_wrong_passwords_lock_the_name_for_a_time(mailroom: Mailroom) -> None:
    codes = []
    for _ in range(6):
        with connected(mailroom) as client:
            client.user, client.password = mailroom.camera.account.user, "wrong"
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.auth("PLAIN", client.auth_plain)
            codes.append(refused.value.smtp_code)
    assert codes == [535] * 5 + [454]
    with connected(mailroom) as client, pytest.raises(smtplib.SMTPAuthenticationError, match="454"):
        client.login(mailroom.camera.account.user, mailroom.camera.password)


def test_a_mail_that_announces_too_many_bytes_is_refused_at_once(mailroom: Mailroom) -> None:
    with connected(mailroom) as client:
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        code, _ = client.mail("camera@example.org", [f"size={200 << 20}"])
        assert code == 552


def test_a_mail_with_too_many_bytes_is_refused_at_its_end(tmp_path: Path) -> None:
    with smtp_server(tmp_path, max_size=1 << 20) as mailroom, connected(mailroom) as client:
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        client.mail("camera@example.org")
        client.rcpt("anybody@example.org")
        code, _ = client.data(pictures(PICTURE) + (b"x" * 70 + b"\r\n") * 30_000)
        assert code == 552
        send(client, "anybody@example.org", pictures(PICTURE))
        assert mailroom.contents() == [PICTURE]


@pytest.mark.parametrize("block", [b"x" * 60_000, (b"x" * 98 + b"\r\n") * 600, b"x" * 30_000 + b"\n\n"])
def test_an_endless_mail_ends_the_connection(tmp_path: Path, block: bytes) -> None:
    with smtp_server(tmp_path, max_size=1 << 20) as mailroom:
        with connected(mailroom) as client:
            client.mail("camera@example.org")
            client.rcpt(f"{mailroom.camera.address}@example.org")
            client.putcmd("data")
            client.getreply()
            with pytest.raises(smtplib.SMTPServerDisconnected):
                for _ in range(1000):
                    client.send(block)
        with connected(mailroom) as client:
            send(client, f"{mailroom.camera.address}@example.org", pictures(PICTURE))
        assert mailroom.contents() == [PICTURE]


def test_bytes_without_a_command_do_not_hold_a_connection(tmp_path: Path) -> None:
    with (
        smtp_server(tmp_path, idle_s=1.0) as mailroom,
        socket.create_connection(mailroom.address, 60) as client,
        pytest.raises(OSError, match=r"[Rr]eset|pipe"),
    ):
        for _ in range(100):
            client.sendall(b"x")
            threading.Event().wait(0.1)  # the pace of the bytes, which is what this is about


def test_long_lines_are_accepted(mailroom: Mailroom) -> None:
    message = mail()
    message.make_mixed()
    raw = message.as_bytes()
    boundary = message.get_boundary()
    assert boundary is not None
    line = base64.b64encode(PICTURE)
    part = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--%s--\r\n"
    raw = raw.replace(b"--%s--" % boundary.encode(), part % (boundary.encode(), line, boundary.encode()))
    assert len(line) > 10_000
    with connected(mailroom) as client:
        send(client, f"{mailroom.camera.address}@example.org", raw)
    assert mailroom.contents() == [PICTURE]


def test_a_mail_without_a_picture_is_kept(mailroom: Mailroom) -> None:
    with connected(mailroom) as client:
        send(client, f"{mailroom.camera.address}@example.org", mail().as_bytes())
    (kept,) = mailroom.folders.messages.glob("ridge/north/*.eml")
    assert b"Battery 80%" in kept.read_bytes()


def test_a_failure_of_the_disk_is_not_confirmed(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("uncia.producers.mailroom.inbox._sync_file", fail)
    with connected(mailroom) as client, pytest.raises(smtplib.SMTPDataError, match="451"):
        send(client, f"{mailroom.camera.address}@example.org", pictures(PICTURE))
    assert list(mailroom.folders.receiving_mail.iterdir()) == []


def test_a_full_disk_refuses_mails(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uncia.producers.mailroom.folders.RESERVE", 1 << 60)
    with connected(mailroom) as client, pytest.raises(smtplib.SMTPDataError, match="452"):
        send(client, f"{mailroom.camera.address}@example.org", pictures(PICTURE))


def test_an_unexpected_error_makes_the_camera_try_again(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UnciaError("cannot read the accounts")

    with connected(mailroom) as client:
        monkeypatch.setattr(mailroom.accounts, "find_address", fail)
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="451"):
            send(client, f"{mailroom.camera.address}@example.org", pictures(PICTURE))


def test_a_connection_that_breaks_within_a_mail_stores_nothing(mailroom: Mailroom) -> None:
    with contextlib.suppress(smtplib.SMTPServerDisconnected), connected(mailroom) as client:
        client.mail("camera@example.org")
        client.rcpt(f"{mailroom.camera.address}@example.org")
        client.putcmd("data")
        client.getreply()
        client.send(pictures(PICTURE)[:20_000])
        client.close()
    with connected(mailroom) as client:
        client.noop()
    assert mailroom.contents() == []


def test_a_slow_mail_is_not_cut_while_bytes_arrive(tmp_path: Path) -> None:
    message = pictures(PICTURE).replace(b"\n", b"\r\n")
    with smtp_server(tmp_path, idle_s=2.0) as mailroom, connected(mailroom) as client:
        client.mail("camera@example.org")
        client.rcpt(f"{mailroom.camera.address}@example.org")
        client.putcmd("data")
        client.getreply()
        step = len(message) // 8
        for start in range(0, len(message), step):
            client.send(message[start : start + step])
            threading.Event().wait(0.4)  # the pace of the camera, which is what this is about
        client.send(b"\r\n.\r\n")
        assert client.getreply()[0] == 250
        assert mailroom.contents() == [PICTURE]


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with smtp_server(tmp_path, idle_s=1.0) as mailroom, connected(mailroom) as client:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.getreply()
        client.close()


def test_more_connections_than_allowed_are_refused(tmp_path: Path) -> None:
    with smtp_server(tmp_path, connections=4) as mailroom:
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connected(mailroom))
            with pytest.raises(smtplib.SMTPConnectError, match="421"):
                smtplib.SMTP(*mailroom.address, timeout=60)
        with connected(mailroom) as client:
            client.noop()


# LMTP.


@pytest.fixture
def local_mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    with smtp_server(tmp_path / "mailroom", lmtp=True, lmtp_port=0, host="0.0.0.0") as running:
        yield running


def test_a_mail_server_on_this_machine_passes_mails_on(local_mailroom: Mailroom) -> None:
    host, port = local_mailroom.address
    assert host == "127.0.0.1"
    with smtplib.LMTP(host, port, timeout=60) as client:
        send(client, f"{local_mailroom.camera.address}@example.org", pictures(PICTURE))
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
            send(client, "north@example.org", pictures(PICTURE))
    assert local_mailroom.contents() == [PICTURE]


def test_lmtp_confirms_every_recipient(local_mailroom: Mailroom) -> None:
    other = local_mailroom.accounts.add("valley", "south")
    with smtplib.LMTP(*local_mailroom.address, timeout=60) as client:
        client.ehlo()
        client.mail("camera@example.org")
        for address in (local_mailroom.camera.address, other.address):
            client.rcpt(f"{address}@example.org")
        assert client.data(pictures(PICTURE))[0] == 250
        assert client.getreply()[0] == 250
        assert client.noop()[0] == 250
    assert len(list(local_mailroom.folders.inbox.glob("*/*/IMG_0.JPG"))) == 2
