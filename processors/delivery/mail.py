"""E-mail: one message per event, which mail programs show as one conversation per alert."""

import html
import smtplib
import socket
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import urlsplit

import structlog

from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.http_client import connect, deadline, tls_context
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.secret_file import read_secret

__all__ = ["MailSender", "mail_of"]

_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}

log = structlog.get_logger("uncia")


class MailSender:
    """Sends by one mail server, with a connection per message: alerts are rare, and idle connections are closed."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message; returns None. Raises `SendFailed` or `RefusedForGood`.

        A mail that some of its recipients were refused for is delivered, and is not sent again to the others.
        """
        channel = self._channel
        mail = mail_of(message, channel)
        # Before the server is bothered.
        password = read_secret(channel) if channel.username else ""
        sent = False
        try:
            with self._connect() as server:
                if channel.username:
                    server.login(channel.username, password)
                sent = True
                refused = server.send_message(mail, channel.sender, list(channel.recipients))
                # The server has the mail: what comes of the end of the conversation does not matter.
                sent = False
        except TimeoutError as error:
            raise SendFailed(f"no answer within {channel.timeout_s:g} s", may_have_arrived=sent) from error
        except smtplib.SMTPException as error:
            raise _failure(error, sent) from error
        except (OSError, EOFError) as error:
            if isinstance(error, ssl.SSLCertVerificationError):
                problem = f"the certificate is not valid: {error.verify_message}"
                raise SendFailed(problem, may_have_arrived=False) from error
            raise SendFailed(str(error) or type(error).__name__, may_have_arrived=sent) from error
        for recipient, (code, _) in refused.items():
            log.warning("recipient_refused", channel=channel.name, recipient=recipient, code=code)
        return None

    def _connect(self) -> "_Connection":
        return _Connection(self._channel)


class _Connection:
    """A conversation with a mail server, encrypted, with one limit on its whole duration."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        parts = urlsplit(channel.address)
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> smtplib.SMTP:
        channel = self._channel
        raw = connect(self._host, self._port, channel.timeout_s, private_address=channel.private_address)
        self._limit = deadline(raw, channel.timeout_s)
        self._limit.__enter__()
        try:
            self._server = self._greet(raw)
        except BaseException as error:
            raw.close()
            self._limit.__exit__(type(error), error, error.__traceback__)
            raise
        return self._server

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._server is not None:
            self._server.close()
        self._limit.__exit__(kind, error, None)

    def _greet(self, raw: socket.socket) -> smtplib.SMTP:
        context = tls_context(self._channel.cafile)
        channel: socket.socket = raw
        if self._scheme == "smtps":
            channel = context.wrap_socket(raw, server_hostname=self._host)
        server = _Connected(channel, self._host)
        server.ehlo_or_helo_if_needed()
        if self._scheme == "smtp":
            if not server.has_extn("starttls"):
                server.close()
                raise SendFailed("the mail server does not offer STARTTLS", may_have_arrived=False)
            server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
        return server


class _Connected(smtplib.SMTP):
    """`smtplib.SMTP` on a connection that exists, whose address was checked."""

    def __init__(self, channel: socket.socket, host: str) -> None:
        self._channel = channel
        super().__init__(host, local_hostname="uncia")
        # For the check of the certificate by STARTTLS.
        self._host = host

    def _get_socket(self, host: str, port: int, timeout: object) -> socket.socket:
        return self._channel


def mail_of(message: AlertMessage, channel: Channel) -> EmailMessage:
    """The mail of an event. Its Message-ID is that of every attempt; its References are those of the whole alert."""
    domain = channel.sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Uncia", addr_spec=channel.sender)
    mail["To"] = ", ".join(channel.recipients)
    mail["Subject"] = message.title[:250]
    # Of the event, not of the attempt: a repeated mail is the same mail.
    mail["Date"] = format_datetime(message.updated_at)
    mail["Message-ID"] = f"<{message.alert_id}.{message.revision}@{domain}>"
    thread = f"<{message.alert_id}@{domain}>"
    mail["In-Reply-To"] = thread
    mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Uncia-Alert"] = message.key
    text = message.text()
    mail.set_content(text)
    paragraphs = "<br>\n".join(html.escape(line) for line in text.splitlines())
    if message.link is not None:
        link = html.escape(message.link)
        paragraphs = paragraphs.replace(link, f'<a href="{link}">{link}</a>')
    mail.add_alternative(f"<html><body><p>{paragraphs}</p></body></html>\n", subtype="html")
    return mail


def _failure(error: smtplib.SMTPException, sent: bool) -> SendFailed | RefusedForGood:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        reason = f"all recipients were refused: {_reply(*next(iter(error.recipients.values())))}"
        if any(code < 500 for code in codes):
            return SendFailed(reason, may_have_arrived=False)
        return RefusedForGood(reason)
    if isinstance(error, smtplib.SMTPResponseException):
        reason = _reply(error.smtp_code, error.smtp_error)
        # Of a wrong password the cause is here, and the next message has it as well: they wait.
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return SendFailed(reason, may_have_arrived=False, needs_operator=True)
        return SendFailed(reason, may_have_arrived=False) if error.smtp_code < 500 else RefusedForGood(reason)
    return SendFailed(str(error) or type(error).__name__, may_have_arrived=sent)


def _reply(code: int, text: bytes | str) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"SMTP {code} {' '.join(shown.split())}"[:200]
