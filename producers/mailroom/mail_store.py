"""Stores the files and the status report of a mail, before the mail is confirmed."""

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path

from uncia.producers.mailroom.file_names import final_name
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.inbox import Inbox
from uncia.producers.mailroom.mail_attachments import find_attachments, parse_mail
from uncia.producers.mailroom.mail_text import read_mail_text
from uncia.producers.mailroom.report_store import ReportStore

__all__ = ["MailStore"]


class MailStore:
    """Safe for several threads."""

    def __init__(self, folders: MailroomFolders, inbox: Inbox, reports: ReportStore) -> None:
        """Removes what a crash left: no mail that was not stored completely was confirmed. Raises `OSError`."""
        self._folders = folders
        self._inbox = inbox
        self._reports = reports
        self._messages = Inbox(folders.messages)
        for left in folders.receiving_mail.iterdir():
            left.unlink(missing_ok=True)

    def store(self, raw: bytes, cameras: list[tuple[str, str]], received_at: datetime | None = None) -> None:
        """Store the files of a mail for these cameras (station, camera), and what it reports of their condition; a mail
        without files is kept as it is. `received_at`: aware; None: now.

        All of it is on disk when this returns. Raises `OSError`; the camera then sends the mail again, and what was
        stored already is recognised by the gateway.
        """
        message = parse_mail(raw)
        attachments = find_attachments(message)
        self._folders.check_space(sum(len(one.data) for one in attachments) or len(raw))
        for station, camera in cameras:
            for attachment in attachments:
                name = final_name(attachment.name, attachment.data[:16])
                self._deliver(self._inbox, attachment.data, station, camera, name)
            if not attachments:
                now, digest = datetime.now(UTC), hashlib.sha256(raw).hexdigest()
                self._deliver(self._messages, raw, station, camera, f"{now:%Y%m%dT%H%M%SZ}-{digest[:8]}.eml")
        self._reports.add_mail(read_mail_text(message), attachments, cameras, received_at)

    def _deliver(self, inbox: Inbox, data: bytes, station: str, camera: str, name: str) -> Path:
        part = self._folders.receiving_mail / secrets.token_hex(8)
        try:
            part.write_bytes(data)  # `deliver` writes it to disk
            return inbox.deliver(part, station, camera, name)
        finally:
            part.unlink(missing_ok=True)
