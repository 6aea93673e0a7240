"""What `uncia doctor --security` tries at the mailroom of a stack: passwords and mails without TLS."""

import ftplib
import smtplib
from collections.abc import Callable
from functools import partial

from uncia.errors import StackError
from uncia.settings import Settings

__all__ = ["camera_ports", "mailroom_checks", "refuses_plain_ftp", "refuses_plain_smtp"]

_TIMEOUT_S = 10

_ENTER_PASSWORD = "331"
_CHALLENGE, _OK = 334, 250


def camera_ports(settings: Settings) -> frozenset[int]:
    """The ports of the mailroom on the address that the settings name; none where the stack has no mailroom."""
    if not settings.mailroom:
        return frozenset()
    first, _, last = settings.mailroom_ftp_passive_ports.partition("-")
    passive = range(int(first), int(last) + 1) if settings.mailroom_ftp_port else ()
    return frozenset({settings.mailroom_ftp_port, settings.mailroom_smtp_port, *passive} - {0})


def mailroom_checks(settings: Settings) -> list[tuple[str, Callable[[], str]]]:
    """The checks of the mailroom's servers, by name; none where the stack has no mailroom."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.mailroom_host, settings.mailroom_host)
    checks: list[tuple[str, Callable[[], str]]] = []
    if settings.mailroom and (port := settings.mailroom_ftp_port):
        checks.append(("mailroom: ftp", partial(refuses_plain_ftp, host, port, permitted=settings.mailroom_plain_ftp)))
    if settings.mailroom and (port := settings.mailroom_smtp_port):
        permitted = settings.mailroom_plain_smtp
        checks.append(("mailroom: smtp", partial(refuses_plain_smtp, host, port, permitted=permitted)))
    return checks


def refuses_plain_ftp(host: str, port: int, *, permitted: bool) -> str:
    """Begin a sign-in without TLS, without a password. Raises `StackError` where the server requests one.

    `permitted`: the operator has switched plain FTP on.
    """
    try:
        with ftplib.FTP(timeout=_TIMEOUT_S) as client:
            client.connect(host, port)
            accepted = client.sendcmd("USER stranger").startswith(_ENTER_PASSWORD)
    except ftplib.error_perm:
        accepted = False
    except (ftplib.Error, EOFError) as error:
        raise StackError(f"the FTP server at port {port} does not answer as expected: {error}") from error
    return _finding(f"the FTP server at port {port}", "passwords", "UNCIA_MAILROOM_PLAIN_FTP", accepted, permitted)


def refuses_plain_smtp(host: str, port: int, *, permitted: bool) -> str:
    """Begin a sign-in and a mail without TLS. Raises `StackError` where the server accepts one of them.

    `permitted`: the operator has switched plain mail on.
    """
    with smtplib.SMTP(host, port, timeout=_TIMEOUT_S) as client:
        client.ehlo()
        accepted = client.docmd("AUTH", "LOGIN")[0] == _CHALLENGE
        if accepted:
            client.docmd("*")  # ends the exchange
        accepted |= client.mail("stranger@example.org")[0] == _OK
    name = "UNCIA_MAILROOM_PLAIN_SMTP"
    return _finding(f"the SMTP server at port {port}", "passwords and mails", name, accepted, permitted)


def _finding(server: str, what: str, setting: str, accepted: bool, permitted: bool) -> str:
    if accepted and permitted:
        raise StackError(
            f"{server} accepts {what} without TLS, which can be read on the way, because {setting}=true: set it to "
            "false unless all cameras reach it by a private network (docs/mailroom.md)"
        )
    if accepted:
        raise StackError(f"{server} accepts {what} without TLS: report this as a fault of Uncia")
    return f"refuses {what} without TLS"
