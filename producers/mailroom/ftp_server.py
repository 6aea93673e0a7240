"""The FTP server of the mailroom: explicit TLS (FTPES), passive mode, one thread."""

import errno
import logging
import threading
from functools import partial
from typing import Any

import structlog
from OpenSSL import SSL
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from uncia.errors import SettingsError
from uncia.producers.mailroom.accounts import Account, Accounts
from uncia.producers.mailroom.camera_folder import CameraFolder, deliver_held, remove_broken
from uncia.producers.mailroom.certificates import find_certificate
from uncia.producers.mailroom.config import MailroomConfig
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.ftp_session import CameraAuthorizer, CameraSession
from uncia.producers.mailroom.inbox import Inbox
from uncia.producers.mailroom.login_guard import LoginGuard

__all__ = ["MailroomFtpServer"]

_POLL_S = 0.5
"""The longest wait of the loop, so that it notices a request to end."""

_TEND_S = 30.0
"""Maximum interval of the checks for held files to hand over, in seconds."""

_WRONG_PASSWORD_DELAY_S = 3.0
_MAX_PASSWORDS = 3
"""Wrong passwords on one connection, each answered after the delay, before it is closed."""

_CONNECTIONS_PER_ADDRESS = 50
"""Many cameras share the public address of a mobile operator."""


class MailroomFtpServer:
    """Listens from its creation on, serves from `start` to `stop`. Raises `SettingsError` where it cannot listen."""

    def __init__(
        self, config: MailroomConfig, folders: MailroomFolders, accounts: Accounts, inbox: Inbox, guard: LoginGuard
    ) -> None:
        _forward_log()

        def open_folder(account: Account) -> CameraFolder:
            return CameraFolder(folders, inbox, account.station, account.camera, config.max_size)

        class Session(CameraSession):
            """The session with this configuration: pyftpdlib configures by class attributes."""

            authorizer = CameraAuthorizer(accounts, guard, open_folder)
            ssl_context = _tls_context(config)
            tls_control_required = not config.plain_ftp
            tls_data_required = not config.plain_ftp
            timeout = config.idle_s
            auth_failed_timeout = _WRONG_PASSWORD_DELAY_S
            max_login_attempts = _MAX_PASSWORDS
            passive_ports = config.passive_ports
            masquerade_address = config.public_address

        self._loop = IOLoop()
        try:
            self._server: Any = FTPServer((config.host, config.ftp_port or 0), Session, ioloop=self._loop)
        except OSError as error:
            self._loop.close()
            raise SettingsError(
                f"cannot listen on {config.host}:{config.ftp_port} ({errno.errorcode.get(error.errno or 0, error)}): "
                "set UNCIA_MAILROOM_HOST and UNCIA_MAILROOM_FTP_PORT"
            ) from error
        self._tend = partial(_tend, folders, inbox, config.hold_s)
        self._loop.call_every(min(_TEND_S, max(1.0, config.hold_s / 4)), self._tend)
        self._server.max_cons = config.connections
        self._server.max_cons_per_ip = min(_CONNECTIONS_PER_ADDRESS, config.connections)
        self.address: tuple[str, int] = self._server.address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="mailroom-ftp", daemon=True)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Close all connections. A transfer that runs is not confirmed, so its camera sends it again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._server.close_all()

    def _serve(self) -> None:
        try:
            self._tend()
            while not self._stop.is_set():
                self._loop.loop(_POLL_S, blocking=False)
        finally:
            self._server.close_all()


def _tend(folders: MailroomFolders, inbox: Inbox, hold_s: float) -> None:
    """Hand over what was held long enough, and tidy up. In the server's thread: no session changes a file meanwhile."""
    try:
        deliver_held(folders, inbox, hold_s)
        remove_broken(folders)
        inbox.remove_empty_folders()
    except OSError as error:  # of the disk; the next time may succeed
        structlog.get_logger().warning("mailroom_not_tidied", error=str(error))


def _tls_context(config: MailroomConfig) -> SSL.Context:
    certfile, keyfile = find_certificate(config)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    try:
        context.use_certificate_chain_file(str(certfile))
        context.use_privatekey_file(str(keyfile))
        context.check_privatekey()
    except SSL.Error as error:
        raise SettingsError(
            f"UNCIA_MAILROOM_CERTFILE, UNCIA_MAILROOM_KEYFILE: {certfile} and {keyfile} are no certificate and its key"
        ) from error
    return context


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning("ftp", message=record.getMessage(), error=str(record.exc_info or "") or None)


def _forward_log() -> None:
    """Warnings of pyftpdlib go to Uncia's log. Without a handler it would print every command to standard error."""
    logger = logging.getLogger("pyftpdlib")
    if not any(isinstance(handler, _Forward) for handler in logger.handlers):
        logger.addHandler(_Forward(logging.WARNING))
        logger.setLevel(logging.WARNING)
        logger.propagate = False
