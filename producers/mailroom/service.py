"""Runs the parts of the mailroom until it is stopped."""

import contextlib
import threading
from pathlib import Path

from uncia.audit import AuditLog
from uncia.errors import SettingsError, UnciaError
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.mailroom.accounts import Accounts
from uncia.producers.mailroom.camera_folder import deliver_held
from uncia.producers.mailroom.camera_profiles import load_profiles
from uncia.producers.mailroom.config import MailroomConfig
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.ftp_server import MailroomFtpServer
from uncia.producers.mailroom.inbox import Inbox
from uncia.producers.mailroom.login_guard import LoginGuard
from uncia.producers.mailroom.mail_fetcher import MailFetcher
from uncia.producers.mailroom.mail_store import MailStore
from uncia.producers.mailroom.mailboxes import Mailboxes
from uncia.producers.mailroom.report_store import ReportStore
from uncia.producers.mailroom.report_uploads import ReportUploads
from uncia.producers.mailroom.sign_in_log import SignInLog
from uncia.producers.mailroom.smtp_server import MailroomSmtpServer
from uncia.producers.mailroom.uploads import StationUploads
from uncia.storage.process_lock import exclusive
from uncia.telemetry import mark_ready

__all__ = ["run_mailroom"]

_CHECK_S = 1.0


def run_mailroom(
    config: MailroomConfig,
    uploads: StationUploads | None,
    reporter: EventReporter,
    stop: threading.Event,
    report_uploads: ReportUploads | None = None,
    *,
    audit: AuditLog | None = None,
) -> None:
    """Receive until `stop` is set. Without `uploads`, other gateways upload the folders of the inbox; without
    `report_uploads`, status reports stay in the mailroom.

    Sign-ins and refusals are recorded in `audit`.

    Raises `SettingsError` where nothing could be received, `UnciaError` when a part failed.
    """
    folders = MailroomFolders(config.root)
    folders.create()
    accounts = Accounts(folders.accounts)
    accounts.all()
    ports = (config.ftp_port, config.smtp_port, config.lmtp_port)
    if all(port is None for port in ports) and not Mailboxes(folders.mailboxes).all():
        raise SettingsError("UNCIA_MAILROOM_FTP_PORT and the other ports are 0, and no mailbox: nothing is received")

    def report(station: str, camera: str, path: Path) -> None:
        reporter.emit(
            "received", f"{station}/{camera} sent {path.name}", station=station, camera=camera, path=str(path)
        )

    reports = ReportStore(folders.reports, load_profiles(config.profiles))
    inbox = Inbox(folders.inbox, report, reports)
    guard = LoginGuard(log=None if audit is None else SignInLog(accounts, audit))
    refusal = UnciaError(f"another mailroom uses {config.root}: stop it, or set UNCIA_MAILROOM_DIR")
    with contextlib.ExitStack() as stack:
        stack.enter_context(exclusive(config.root / "mailroom.lock", refusal))
        if uploads is not None:
            stack.callback(uploads.stop)
        if report_uploads is not None:
            stack.callback(report_uploads.stop)
            report_uploads.start()
        ftp = None
        if config.ftp_port is None:
            deliver_held(folders, inbox, 0)  # no camera can continue or rename a file
            inbox.remove_empty_folders()
        if config.ftp_port is not None:
            ftp = MailroomFtpServer(config, folders, accounts, inbox, guard)
            stack.callback(ftp.stop)
            ftp.start()
            _announce(reporter, "FTP" if config.plain_ftp else "FTPS", ftp.address)
        store = MailStore(folders, inbox, reports)
        for protocol, port in (("SMTP", config.smtp_port), ("LMTP", config.lmtp_port)):
            if port is not None:
                smtp = MailroomSmtpServer(config, accounts, store, guard, lmtp=protocol == "LMTP")
                stack.callback(smtp.stop)
                smtp.start()
                _announce(reporter, protocol, smtp.address)
        fetcher = MailFetcher(folders, accounts, store, reporter, max_size=config.max_size, interval_s=config.fetch_s)
        fetcher.start()
        stack.callback(fetcher.stop)
        mark_ready()
        while not stop.is_set():
            if uploads is not None:
                uploads.start_new()
            if ftp is not None and not ftp.is_alive():
                raise UnciaError("the FTP server ended: see the messages before this one")
            stop.wait(_CHECK_S)


def _announce(reporter: EventReporter, protocol: str, address: tuple[str, int]) -> None:
    host, port = address
    reporter.emit("listening", f"{protocol} on {host}:{port}", protocol=protocol, host=host, port=port)
