"""Fetches mails from mailboxes elsewhere, and stores their files as the SMTP server does."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from pathlib import Path

from uncia.errors import UnciaError
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.mailroom.accounts import Accounts
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.mail_store import MailStore
from uncia.producers.mailroom.mail_text import time_of_delivery
from uncia.producers.mailroom.mailbox_clients import MailboxClient, open_mailbox
from uncia.producers.mailroom.mailboxes import Mailbox, Mailboxes
from uncia.storage.durable import write_durably

__all__ = ["FetchSummary", "MailFetcher"]

_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
_SAVE_EVERY = 20
_MAX_DELAY_S = 3600.0


@dataclass
class FetchSummary:
    """What became of the mails that were new in a mailbox."""

    stored: int = 0
    left: int = 0
    """Too large, or of no camera: they stay in the mailbox, and are checked again after a change of the accounts."""


class MailFetcher:
    """Fetches from all mailboxes in turn, at intervals, in a thread of its own.

    A mail counts as fetched only after its files are on disk in the inbox. After a crash before this is noted, the mail
    is fetched again, and the gateway recognises the copies.
    """

    def __init__(
        self,
        folders: MailroomFolders,
        accounts: Accounts,
        store: MailStore,
        reporter: EventReporter,
        *,
        max_size: int,
        interval_s: float,
        connect: Callable[[Mailbox], MailboxClient] = open_mailbox,
    ) -> None:
        """`max_size`: of a mail, in bytes."""
        self._folders = folders
        self._mailboxes = Mailboxes(folders.mailboxes)
        self._accounts = accounts
        self._store = store
        self._reporter = reporter
        self._max_size = max_size
        self._interval_s = interval_s
        self._connect = connect
        self._left: dict[str, tuple[object, set[str]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailroom-fetch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the mail that is being fetched."""
        self._stop.set()
        self._thread.join()

    def fetch(self, mailbox: Mailbox) -> FetchSummary:
        """Fetch what is new in one mailbox. Raises `UnciaError`, or `OSError` of the disk."""
        summary, accounts = FetchSummary(), self._accounts.all()
        known, left = self._left.get(mailbox.name, (None, set[str]()))
        left = left if known is accounts else set()
        with self._connect(mailbox) as client:
            sizes = client.sizes()
            done = self._load(mailbox) & set(sizes)
            try:
                for count, mail_id in enumerate(id_ for id_ in sizes if id_ not in done and id_ not in left):
                    if self._stop.is_set():
                        break
                    if self._store_mail(mailbox, client, mail_id, sizes[mail_id]):
                        done.add(mail_id)
                        summary.stored += 1
                    else:
                        left.add(mail_id)
                        summary.left += 1
                    if count % _SAVE_EVERY == _SAVE_EVERY - 1:
                        self._save(mailbox, done)
            finally:
                self._save(mailbox, done)
            if mailbox.delete:
                for mail_id in done:
                    client.delete(mail_id)
        self._left[mailbox.name] = (accounts, left)
        return summary

    def _store_mail(self, mailbox: Mailbox, client: MailboxClient, mail_id: str, size: int) -> bool:
        if size > self._max_size:
            self._report_left(mailbox, f"a mail of {size:,} bytes is too large")
            return False
        raw = client.fetch(mail_id)
        cameras = self._cameras(mailbox, raw)
        if not cameras:
            self._report_left(mailbox, "no recipient is the address of a camera")
            return False
        self._store.store(raw, cameras, time_of_delivery(raw, datetime.now(UTC)))
        return True

    def _report_left(self, mailbox: Mailbox, reason: str) -> None:
        message = f"a mail stays in the mailbox {mailbox.name}: {reason}"
        self._reporter.emit("mail-left", message, mailbox=mailbox.name, error=reason)

    def _cameras(self, mailbox: Mailbox, raw: bytes) -> list[tuple[str, str]]:
        """The cameras to whose addresses a mail is, as such or as `box+address@…`; else that of the mailbox."""
        headers = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)
        fields = [str(value) for name in _RECIPIENTS for value in headers.get_all(name, [])]
        found: dict[tuple[str, str], None] = {}
        for _, address in getaddresses(fields):
            local = address.rpartition("@")[0]
            for part in (local, local.rpartition("+")[2]):
                if part and (account := self._accounts.find_address(f"{part}@")):
                    found[account.station, account.camera] = None
        if not found and mailbox.station and mailbox.camera:
            return [(mailbox.station, mailbox.camera)]
        return list(found)

    def _run(self) -> None:
        failures: dict[str, int] = {}
        due: dict[str, float] = {}
        elapsed = 0.0
        while not self._stop.is_set():
            try:
                mailboxes = self._mailboxes.all()
            except UnciaError as error:
                self._reporter.emit("waiting", str(error), error=str(error))
                mailboxes = ()
            for mailbox in mailboxes:
                if due.get(mailbox.name, 0.0) > elapsed or self._stop.is_set():
                    continue
                try:
                    summary = self.fetch(mailbox)
                    failures.pop(mailbox.name, None)
                    if summary.stored:
                        message = f"fetched {summary.stored:,} mails from {mailbox.name}"
                        self._reporter.emit("fetched", message, mailbox=mailbox.name, mails=summary.stored)
                except (UnciaError, OSError) as error:
                    count = failures[mailbox.name] = failures.get(mailbox.name, 0) + 1
                    delay_s = min(_MAX_DELAY_S, self._interval_s * 2.0 ** min(count, 16))
                    due[mailbox.name] = elapsed + delay_s
                    message = f"{error}; next attempt in {delay_s:.0f} s"
                    self._reporter.emit("waiting", message, mailbox=mailbox.name, error=str(error), seconds=delay_s)
            self._stop.wait(self._interval_s)
            elapsed += self._interval_s

    def _state(self, mailbox: Mailbox) -> Path:
        return self._folders.fetched / f"{mailbox.name}.json"

    def _load(self, mailbox: Mailbox) -> set[str]:
        """The ids of fetched mails; none where the file is damaged, because fetching again is harmless."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            return set(json.loads(self._state(mailbox).read_text(encoding="utf-8"))["fetched"])
        return set()

    def _save(self, mailbox: Mailbox, done: set[str]) -> None:
        write_durably(self._state(mailbox), json.dumps({"fetched": sorted(done)}), mode=0o600)
