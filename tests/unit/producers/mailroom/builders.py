"""A mailroom with one camera, on free ports of the loopback interface."""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from ftplib import FTP_TLS
from functools import cache
from pathlib import Path
from typing import Any

from uncia.camtrap.status_documents import StatusDocument
from uncia.producers.mailroom.accounts import Accounts, NewAccount
from uncia.producers.mailroom.camera_profiles import load_profiles
from uncia.producers.mailroom.config import MailroomConfig
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.ftp_server import MailroomFtpServer
from uncia.producers.mailroom.inbox import Inbox
from uncia.producers.mailroom.login_guard import LoginGuard
from uncia.producers.mailroom.mail_store import MailStore
from uncia.producers.mailroom.report_store import ReportStore
from uncia.producers.mailroom.smtp_server import MailroomSmtpServer

STATION, CAMERA = "ridge", "north"


def config(root: Path, **changes: Any) -> MailroomConfig:
    values: dict[str, Any] = {
        "root": root.resolve(),
        "host": "127.0.0.1",
        "ftp_port": 0,
        "smtp_port": 0,
        "lmtp_port": None,
        "passive_ports": range(42_000, 42_400),
        "public_address": None,
        "plain_ftp": False,
        "plain_smtp": False,
        "certfile": None,
        "keyfile": None,
        "max_size": 4 << 20,
        "connections": 50,
        "idle_s": 30.0,
        "hold_s": 300.0,
        "fetch_s": 0.2,
        **changes,
    }
    return MailroomConfig(**values)


@dataclass
class Mailroom:
    """The parts of a mailroom under test."""

    folders: MailroomFolders
    accounts: Accounts
    inbox: Inbox
    camera: NewAccount
    reports: ReportStore
    address: tuple[str, int] = ("", 0)

    def delivered(self) -> dict[str, bytes]:
        """The files in the inbox of the camera, by their names."""
        folder = self.folders.inbox / STATION / CAMERA
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    def contents(self) -> list[bytes]:
        """The contents of the files in the inbox of the camera, in no order."""
        folder = self.folders.inbox / STATION / CAMERA
        return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]

    def reported(self) -> list[StatusDocument]:
        """The status reports of the camera."""
        folder = self.folders.reports / STATION / CAMERA
        return [StatusDocument.model_validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]

    def received(self) -> list[Path]:
        """The files whose transfer has not ended."""
        return [path for path in self.folders.receiving.rglob("*") if path.is_file()]

    def held(self) -> list[str]:
        """The names of the held files."""
        return sorted(path.name for path in self.folders.held.rglob("*") if path.is_file())


def build(root: Path) -> Mailroom:
    folders = MailroomFolders(root.resolve())
    folders.create()
    accounts = Accounts(folders.accounts)
    reports = ReportStore(folders.reports, load_profiles())
    return Mailroom(
        folders, accounts, Inbox(folders.inbox, reports=reports), accounts.add(STATION, CAMERA), reports=reports
    )


@contextlib.contextmanager
def ftp_server(root: Path, **changes: Any) -> Iterator[Mailroom]:
    mailroom = build(root)
    server = MailroomFtpServer(
        config(root, **changes), mailroom.folders, mailroom.accounts, mailroom.inbox, LoginGuard()
    )
    mailroom.address = server.address
    server.start()
    try:
        yield mailroom
    finally:
        server.stop()


@contextlib.contextmanager
def smtp_server(root: Path, *, lmtp: bool = False, **changes: Any) -> Iterator[Mailroom]:
    mailroom = build(root)
    store = MailStore(mailroom.folders, mailroom.inbox, mailroom.reports)
    server = MailroomSmtpServer(config(root, **changes), mailroom.accounts, store, LoginGuard(), lmtp=lmtp)
    mailroom.address = server.address
    server.start()
    try:
        yield mailroom
    finally:
        server.stop()


@cache
def trusting_context() -> ssl.SSLContext:
    """As most cameras do: no check of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def signed_in(mailroom: Mailroom) -> Iterator[FTP_TLS]:
    with FTP_TLS(context=trusting_context(), timeout=60) as client:
        client.connect(*mailroom.address)
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        client.prot_p()
        client.voidcmd("TYPE I")
        yield client
