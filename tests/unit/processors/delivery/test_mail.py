"""E-mail to real servers on loopback: STARTTLS, TLS, refusals and time limits."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.certificates import Authority
from tests.unit.processors.delivery.examples import TAXA, alert, channel, deployment, secret_file
from uncia.events import AlertState, Severity
from uncia.processors.delivery.channels import Channel, ChannelType
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.mail import MailSender
from uncia.processors.delivery.message import message_of


class Mailbox:
    """A handler of aiosmtpd that keeps mails, or replies as configured."""

    def __init__(self, recipient: dict[str, str] | None = None, data: str = "250 OK") -> None:
        self.mails: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self._recipient, self._data = recipient or {}, data

    async def handle_RCPT(self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        reply = self._recipient.get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        if self._data.startswith("250"):
            self.mails.append(mail)
            self.encrypted.append(session.ssl is not None)
        return self._data


def sign_in(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"uncia", b"let me in"), handled=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@contextmanager
def mail_server(mailbox: Mailbox, authority: Authority, *, tls: bool = False, **options: Any) -> Iterator[int]:
    """A server with STARTTLS, or with TLS from the beginning; its port."""
    certfile, keyfile = authority.issue("mail", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certfile, keyfile)
    chosen = {"ssl_context": context} if tls else {"tls_context": context, "require_starttls": True}
    if options.pop("plain", False):
        chosen = {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **chosen, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def mail_channel(address: str, authority: Authority | None = None, **changes: Any) -> Channel:
    values: dict[str, Any] = {
        "address": address,
        "sender": "uncia@reserve.example",
        "recipients": ("a@reserve.example", "b@reserve.example"),
        "cafile": authority.cafile if authority else None,
        "timeout_s": 5.0,
    }
    return channel("mail", ChannelType.EMAIL, **{**values, **changes})


def send(one: Channel, revision: int = 1, state: AlertState = AlertState.RAISED, **changes: Any) -> None:
    event = alert(revision=revision, state=state, **changes)
    MailSender(one).send(message_of(event, one, deployment(), "https://uncia.example", TAXA), None, False)


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "tls"])
def test_a_mail_arrives_encrypted(authority: Authority, tls: bool) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, authority, tls=tls) as port:
        send(mail_channel(f"{'smtps' if tls else 'smtp'}://127.0.0.1:{port}", authority), severity=Severity.CRITICAL)
    (mail,) = mailbox.mails
    # A server with TLS from the beginning understands nothing else; aiosmtpd knows of it only after STARTTLS.
    assert tls or mailbox.encrypted == [True]
    assert mail["Subject"].strip() == "[critical] snow leopard (Panthera uncia) at ridge/north, 2026-05-01 21:36"
    text, markup = (part.get_content() for part in mail.iter_parts())
    assert "Time: 2026-05-01 21:36:00 (UTC+0500)" in text
    assert "snow leopard (Panthera uncia)" in markup
    assert "47.12" not in mail.as_string() and "https://" not in mail.as_string()


def test_mails_of_one_alert_are_one_conversation_and_repetitions_are_the_same_mail(authority: Authority) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, authority) as port:
        one = mail_channel(f"smtp://127.0.0.1:{port}", authority)
        send(one)
        send(one)
        send(one, 2, AlertState.WITHDRAWN)
    first, again, withdrawn = mailbox.mails
    assert first["Message-ID"] == again["Message-ID"] == "<alr-1.1@reserve.example>"
    assert withdrawn["Message-ID"] == "<alr-1.2@reserve.example>"
    assert {mail["References"] for mail in mailbox.mails} == {"<alr-1@reserve.example>"}


def test_a_name_cannot_add_a_header(authority: Authority) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, authority) as port:
        one = mail_channel(f"smtp://127.0.0.1:{port}", authority)
        send(one, summary="wolf at ridge\r\nBcc: x@example.org\r\n\r\n<script>alert(1)</script>")
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert "<script>" not in mail.get_payload(1).get_content()  # type: ignore[union-attr]


def test_a_certificate_of_another_authority_is_refused(authority: Authority) -> None:
    with mail_server(Mailbox(), authority) as port, pytest.raises(SendFailed, match="certificate") as caught:
        send(mail_channel(f"smtp://127.0.0.1:{port}"))
    assert not caught.value.may_have_arrived


def test_a_server_without_starttls_gets_nothing(authority: Authority) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, authority, plain=True) as port, pytest.raises(SendFailed, match="STARTTLS"):
        send(mail_channel(f"smtp://127.0.0.1:{port}"))
    assert not mailbox.mails


def test_a_password_is_sent_and_a_wrong_one_waits(authority: Authority, tmp_path: Path) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, authority, authenticator=sign_in, auth_required=True) as port:
        secret = secret_file(tmp_path, "let me in")
        one = mail_channel(f"smtp://127.0.0.1:{port}", authority, username="uncia", secret_file=secret)
        send(one)
        secret_file(tmp_path, "wrong")
        with pytest.raises(SendFailed, match="535") as caught:
            send(one)
    assert len(mailbox.mails) == 1
    assert not caught.value.may_have_arrived
    assert caught.value.needs_operator


def test_a_recipient_who_is_refused_keeps_no_mail_from_the_others(authority: Authority) -> None:
    mailbox = Mailbox({"a@reserve.example": "550 no such user"})
    with mail_server(mailbox, authority) as port:
        send(mail_channel(f"smtp://127.0.0.1:{port}", authority))
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("mailbox", "failure"),
    [
        (Mailbox(dict.fromkeys(("a@reserve.example", "b@reserve.example"), "550 no such user")), RefusedForGood),
        (Mailbox(dict.fromkeys(("a@reserve.example", "b@reserve.example"), "450 greylisted")), SendFailed),
        (Mailbox(data="554 no thanks"), RefusedForGood),
        (Mailbox(data="452 disk full"), SendFailed),
    ],
    ids=["no recipient", "greylisted", "refused", "full"],
)
def test_refusals_are_final_or_not_by_their_code(
    authority: Authority, mailbox: Mailbox, failure: type[Exception]
) -> None:
    with mail_server(mailbox, authority) as port, pytest.raises(failure) as caught:
        send(mail_channel(f"smtp://127.0.0.1:{port}", authority))
    assert not getattr(caught.value, "may_have_arrived", False)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_says_nothing_is_left_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SendFailed, match="no answer within 1 s") as caught:
            send(mail_channel(address, timeout_s=1.0))
    assert not caught.value.may_have_arrived


def test_a_server_that_drips_is_left_in_time() -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                while not ended.wait(0.05):
                    try:
                        peer.sendall(b"220-wait\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(SendFailed, match="no answer within 1 s"):
                send(mail_channel(f"smtp://127.0.0.1:{server.getsockname()[1]}", timeout_s=1.0))
        finally:
            ended.set()
            thread.join()
