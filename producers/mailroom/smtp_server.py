"""The SMTP and LMTP servers of the mailroom, on aiosmtpd (1.4): STARTTLS, AUTH, addresses that cannot be guessed."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable
from typing import Any

import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, syntax

from uncia.errors import SettingsError, UnciaError
from uncia.producers.mailroom.accounts import Account, Accounts
from uncia.producers.mailroom.certificates import find_certificate
from uncia.producers.mailroom.config import MailroomConfig
from uncia.producers.mailroom.folders import NoSpace
from uncia.producers.mailroom.login_guard import LoginGuard
from uncia.producers.mailroom.mail_store import MailStore

__all__ = ["MailroomSmtpServer"]

_REFUSAL_DELAY_S = 2.0
"""Before the reply to a wrong password or an unknown address."""

_CALLS = {"AUTH": 3, "RCPT": 100, "*": 2000}
"""How often one connection may use a command."""

_MAX_LINE = 1 << 16
"""Bytes in a line. The standard has 1,000; some cameras send a whole picture in a few long lines."""

_MAX_DATA_FACTOR = 4
"""A mail that is larger than the limit is refused at its end; one that is this many times larger is cut off."""

_START_TIMEOUT_S = 60.0


class CameraSmtp(SMTP):
    """One connection of a camera.

    aiosmtpd buffers a line without its end, in a mail that is already too large as well. The connection is therefore
    closed where one line of a mail is longer than a mail may be.
    """

    line_length_limit = _MAX_LINE
    # The words that most cameras look for, instead of aiosmtpd's.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"

    def __init__(self, handler: "MailHandler", connections: set[object], limit: int, **options: Any) -> None:
        super().__init__(handler, **options)
        self._connections = connections
        self._limit = limit
        self._in_data = False
        self._data_size = self._line_size = 0
        """Bytes since DATA, and since the last end of a line in them."""
        self._last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse a connection above the limit. Called a second time by STARTTLS."""
        if self not in self._connections and len(self._connections) >= self._limit:
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(b"421 4.3.2 Too many connections\r\n")
            transport.close()
            self._refused = True
            return
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection ended."""
        if not self._refused:
            self._connections.discard(self)
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """In a mail, count its bytes, and the idle time from the last one: aiosmtpd would cut slow mails, because it
        counts from the last command. Outside of mails it still does, so that no stranger holds a connection for long.
        """
        if self._refused:
            return
        if self._in_data:
            self._reset_timeout()
            if self._is_endless(data):
                assert isinstance(self.transport, asyncio.WriteTransport) and self.session is not None
                structlog.get_logger().warning("mail_cut", address=_address(self.session), size=self._data_size)
                self.transport.write(b"552 5.3.4 Too much mail data\r\n")
                self.transport.abort()
                return
        super().data_received(data)

    def _is_endless(self, data: bytes) -> bool:
        self._data_size += len(data)
        seen = self._last + data
        end = seen.rfind(b"\r\n")
        self._line_size = self._line_size + len(data) if end < 0 else len(seen) - end - 2
        self._last = data[-1:]
        limit = self.data_size_limit or 0
        return self._line_size > limit or self._data_size > _MAX_DATA_FACTOR * limit

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        """See `data_received`."""
        self._in_data, self._data_size, self._line_size, self._last = True, 0, 0, b""
        try:
            await super().smtp_DATA(arg)
        finally:
            self._in_data = False

    def eof_received(self) -> bool | None:
        """The camera sends no more."""
        return None if self._refused else super().eof_received()

    _refused = False


class CameraLmtp(CameraSmtp, LMTP):
    """A connection of a mail server on this machine, which passes on the mails of cameras."""


class MailHandler:
    """The decisions about mails; the methods have the names and parameters that aiosmtpd calls."""

    def __init__(self, accounts: Accounts, store: MailStore, guard: LoginGuard) -> None:
        self._accounts = accounts
        self._store = store
        self._guard = guard

    def authenticate(
        self, _server: SMTP, session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """Check a user name and password."""
        assert isinstance(data, LoginPassword)
        user, password = (text.decode(errors="replace") for text in (data.login, data.password))
        address = _address(session)
        if self._guard.seconds_locked(address, user):
            return AuthResult(success=False, handled=False, message="454 4.7.0 Too many wrong passwords; try later")
        try:
            account = self._accounts.check(user, password)
        except UnciaError:
            return AuthResult(success=False, handled=False, message="454 4.7.0 Accounts are not available now")
        if account is None:
            self._guard.failed(address, user)
            return AuthResult(success=False, handled=False)
        self._guard.succeeded(address, user)
        return AuthResult(success=True, auth_data=account)

    async def handle_RCPT(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept any recipient from a camera that has signed in, and otherwise only the addresses of cameras."""
        if not session.authenticated and self._accounts.find_address(address) is None:
            self._guard.unknown_recipient(_address(session))
            await asyncio.sleep(_REFUSAL_DELAY_S)
            return "550 5.1.1 Unknown address"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store the mail, and confirm it only then: once, or in LMTP once for each recipient."""
        status = await self._store_mail(session, envelope)
        return "\r\n".join([status] * len(envelope.rcpt_tos)) if isinstance(server, LMTP) else status

    async def _store_mail(self, session: Session, envelope: Envelope) -> str:
        try:
            found: list[Account | None] = (
                [session.auth_data]
                if session.authenticated
                else [self._accounts.find_address(address) for address in envelope.rcpt_tos]
            )
            cameras = list(dict.fromkeys((account.station, account.camera) for account in found if account is not None))
            if not cameras:
                return "550 5.1.1 Unknown address"  # removed since RCPT
            await asyncio.to_thread(self._store.store, envelope.original_content or b"", cameras)
        except NoSpace:
            return "452 4.3.1 No space on the disk; try again later"
        except (OSError, UnciaError) as error:
            structlog.get_logger().warning("mail_not_stored", error=str(error))
            return "451 4.3.0 Not stored; try again later"
        return "250 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Any other error: the camera keeps the mail and tries again."""
        structlog.get_logger().warning("smtp_failed", error=f"{type(error).__name__}: {error}")
        return "451 4.3.0 Internal error; try again later"


class _Controller(Controller):
    """Listens from its creation on. Raises `OSError`."""

    protocol = CameraSmtp

    def __init__(self, handler: MailHandler, config: MailroomConfig, host: str, port: int, **options: Any) -> None:
        self._connections: set[object] = set()
        self._limit = config.connections
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        super().__init__(
            handler,
            hostname=host,
            port=self._socket.getsockname()[1],
            ready_timeout=_START_TIMEOUT_S,
            server_hostname=socket.gethostname(),
            ident="Uncia mailroom",
            data_size_limit=config.max_size,
            timeout=config.idle_s,
            command_call_limit=_CALLS,
            **options,
        )

    def factory(self) -> SMTP:
        """The protocol of a new connection."""
        return self.protocol(self.handler, self._connections, self._limit, loop=self.loop, **self.SMTP_kwargs)

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        # On a socket that listens already: aiosmtpd reports a port that is in use only after its time limit.
        return self.loop.create_server(self._factory_invoker, sock=self._socket)


class _LmtpController(_Controller):
    protocol = CameraLmtp


class MailroomSmtpServer:
    """Listens from its creation on, serves from `start` to `stop`. Raises `SettingsError` where it cannot listen."""

    def __init__(
        self,
        config: MailroomConfig,
        accounts: Accounts,
        store: MailStore,
        guard: LoginGuard,
        *,
        lmtp: bool = False,
    ) -> None:
        """`lmtp`: for a mail server on this machine, on loopback, without encryption and passwords."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        handler = MailHandler(accounts, store, guard)
        host, port = ("127.0.0.1", config.lmtp_port) if lmtp else (config.host, config.smtp_port)
        try:
            self._controller = (
                _LmtpController(handler, config, host, port or 0)
                if lmtp
                else _Controller(
                    handler,
                    config,
                    host,
                    port or 0,
                    tls_context=_tls_context(config),
                    require_starttls=not config.plain_smtp,
                    auth_require_tls=not config.plain_smtp,
                    authenticator=handler.authenticate,
                )
            )
        except OSError as error:
            name = "LMTP" if lmtp else "SMTP"
            raise SettingsError(
                f"cannot listen on {host}:{port} ({errno.errorcode.get(error.errno or 0, error)}): "
                f"set UNCIA_MAILROOM_{name}_PORT" + ("" if lmtp else " and UNCIA_MAILROOM_HOST")
            ) from error
        self.address: tuple[str, int] = (host, self._controller.port)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._controller.start()

    def stop(self) -> None:
        """Close all connections. A mail that was not confirmed is sent again by its camera."""
        self._controller.stop(no_assert=True)


def _tls_context(config: MailroomConfig) -> ssl.SSLContext:
    certfile, keyfile = find_certificate(config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certfile, keyfile)
    except ssl.SSLError as error:
        raise SettingsError(
            f"UNCIA_MAILROOM_CERTFILE, UNCIA_MAILROOM_KEYFILE: {certfile} and {keyfile} are no certificate and its key"
        ) from error
    return context


def _address(session: Session) -> str:
    return str(session.peer[0]) if isinstance(session.peer, tuple) else str(session.peer)
