"""Keeps the status reports of cameras until the object store has them."""

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from uncia import ids
from uncia.camtrap.status_documents import StatusDocument
from uncia.events import StatusSource
from uncia.imaging.exif import read_exif
from uncia.producers.gateway.spool_database import create_folder_durably
from uncia.producers.mailroom.camera_profiles import CameraProfile
from uncia.producers.mailroom.file_names import JPEG_START
from uncia.producers.mailroom.mail_attachments import Attachment
from uncia.producers.mailroom.mail_text import MailText
from uncia.producers.mailroom.status_reports import ReportText, StatusReport, read_status_report
from uncia.storage.durable import sync_folder

__all__ = ["ReportStore"]

_TEXT_FILES = (".txt", ".log", ".csv")
_MAX_FILE = 1 << 16
"""Bytes of a text file that is read as a report."""

_EXIF_BYTES = 1 << 16


class ReportStore:
    """The folder `<station>/<camera>/<report id>.json`. Safe for several threads and processes.

    A report that is there is on disk. The same mail or file gives the same id, so that a repetition is one report.
    """

    def __init__(self, folder: Path, profiles: tuple[CameraProfile, ...]) -> None:
        self.folder = folder
        self._profiles = profiles

    def add_mail(
        self,
        mail: MailText,
        attachments: list[Attachment],
        cameras: list[tuple[str, str]],
        received_at: datetime | None = None,
    ) -> bool:
        """Store what a mail reports of the condition of its cameras. Returns whether it is a report. Raises `OSError`.

        `received_at`: aware; None: now.
        """
        makes = (read_exif(one.data[:_EXIF_BYTES]).make for one in attachments if one.data.startswith(JPEG_START))
        text = ReportText(
            mail.sender,
            mail.subject,
            mail.text,
            tuple(one.name for one in attachments),
            tuple(make for make in makes if make),
        )
        report = read_status_report(text, self._profiles)
        if report is None:
            return False
        for station, camera in cameras:
            report_id = ids.status_report_id(f"{station}/{camera}", "mail", *mail.identity)
            self._add(station, camera, report_id, report, StatusSource.MAIL, received_at)
        return True

    def add_file(self, path: Path, station: str, camera: str, name: str) -> bool:
        """Store what a file reports: a text file by its content, any file by its name. Raises `OSError`."""
        text, content = "", b""
        if name.lower().endswith(_TEXT_FILES) and path.stat().st_size <= _MAX_FILE:
            content = path.read_bytes()
            text = content.decode("utf-8", errors="replace")
        report = read_status_report(ReportText(text=text, file_names=(name,)), self._profiles)
        if report is None:
            return False
        report_id = ids.status_report_id(f"{station}/{camera}", "file", name, content)
        self._add(station, camera, report_id, report, StatusSource.FILE, None)
        return True

    def _add(
        self,
        station: str,
        camera: str,
        report_id: str,
        report: StatusReport,
        source: StatusSource,
        received_at: datetime | None,
    ) -> None:
        document = StatusDocument(
            received_at=received_at or datetime.now(UTC),
            camera_time=report.camera_time,
            utc_offset_minutes=report.utc_offset_minutes,
            source=source,
            profile=report.profile,
            status=report.status,
        )
        folder = self.folder / station / camera
        create_folder_durably(folder)
        target = folder / f"{report_id}.json"
        # A name of its own: two connections may bring the same mail at the same time.
        new = folder / f".{secrets.token_hex(8)}.new"
        try:
            with new.open("x", encoding="utf-8") as file:
                file.write(document.to_text())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # the first one knows when it was received
                os.link(new, target)
            sync_folder(folder)
        finally:
            new.unlink(missing_ok=True)
