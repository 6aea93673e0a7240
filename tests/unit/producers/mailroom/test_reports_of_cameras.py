"""Status reports by mail and by FTP: on disk before they are confirmed, once, and then in the store."""

import io
import smtplib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.producers.gateway.builders import FakeStore, RecordingReporter, jpeg
from tests.unit.producers.mailroom.builders import Mailroom, build, ftp_server, signed_in, smtp_server
from tests.unit.producers.mailroom.test_mail_attachments import mail
from tests.unit.producers.mailroom.test_smtp_server import connected, send
from uncia.camtrap.status_documents import read_status_document
from uncia.errors import DependencyDown
from uncia.events import StatusSource
from uncia.producers.gateway.uploader import Receipt, Upload
from uncia.producers.mailroom.mail_store import MailStore
from uncia.producers.mailroom.report_uploads import ReportUploads
from uncia.storage.object_store import AccessRefused

WILLFINE = b"IMEI:860000000000000\nCSQ:31\nCamID:\nTemp:24\xe2\x84\x83\nDate:05/12/2025 15:46:47\nBattery:60%\n"


@pytest.fixture
def by_mail(tmp_path: Path) -> Iterator[Mailroom]:
    with smtp_server(tmp_path / "mailroom") as running:
        yield running


def test_a_status_mail_is_a_report_before_it_is_confirmed(by_mail: Mailroom) -> None:
    with connected(by_mail) as client:
        send(client, f"{by_mail.camera.address}@example.org", mail().as_bytes())
        (report,) = by_mail.reported()
    assert (report.status.battery_percent, report.source, report.profile) == (80, StatusSource.MAIL, "generic")
    assert abs((datetime.now(UTC) - report.received_at).total_seconds()) < 600


def test_a_mail_with_photographs_may_report_as_well(by_mail: Mailroom) -> None:
    with connected(by_mail) as client:
        send(client, f"{by_mail.camera.address}@example.org", mail(("a.jpg", "image/jpeg", jpeg(1))).as_bytes())
    assert [one.status.battery_percent for one in by_mail.reported()] == [80]
    assert by_mail.contents() == [jpeg(1)]


def test_the_same_mail_twice_is_one_report(by_mail: Mailroom) -> None:
    with connected(by_mail) as client:
        for _ in range(2):
            send(client, f"{by_mail.camera.address}@example.org", mail().as_bytes())
    assert len(by_mail.reported()) == 1


def test_a_mail_without_a_status_is_no_report(by_mail: Mailroom) -> None:
    message = mail()
    message.set_content("A fox.")
    with connected(by_mail) as client:
        send(client, f"{by_mail.camera.address}@example.org", message.as_bytes())
    assert by_mail.reported() == []


def test_a_report_that_cannot_be_written_is_not_confirmed(by_mail: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("uncia.producers.mailroom.report_store.os.link", fail)
    with connected(by_mail) as client, pytest.raises(smtplib.SMTPDataError, match="451"):
        send(client, f"{by_mail.camera.address}@example.org", mail().as_bytes())
    assert by_mail.reported() == []
    assert list(by_mail.folders.reports.rglob("*.new")) == []


def test_a_text_file_by_ftp_is_a_report_before_it_is_confirmed(tmp_path: Path) -> None:
    with ftp_server(tmp_path) as mailroom, signed_in(mailroom) as client:
        reply = client.storbinary("STOR 860000000000000-05122025154647-dr.txt", io.BytesIO(WILLFINE))
        assert reply.startswith("226")
        (report,) = mailroom.reported()
    assert (report.profile, report.source) == ("willfine", StatusSource.FILE)
    assert (report.status.battery_percent, report.status.temperature_c, report.status.signal_bars) == (60, 24, 31)
    assert report.camera_time == datetime(2025, 12, 5, 15, 46, 47)
    assert "8600" not in report.to_text()


def test_a_fetched_mail_was_received_when_its_server_got_it(tmp_path: Path) -> None:
    mailroom, moment = build(tmp_path), datetime(2026, 1, 2, 3, tzinfo=UTC)
    store = MailStore(mailroom.folders, mailroom.inbox, mailroom.reports)
    store.store(mail().as_bytes(), [("ridge", "north"), ("valley", "south")], moment)
    assert [one.received_at for one in mailroom.reported()] == [moment]
    assert len(list(mailroom.folders.reports.glob("*/*/sts-*.json"))) == 2


@pytest.fixture
def waiting(tmp_path: Path) -> Mailroom:
    """A mailroom with a report of two stations."""
    mailroom = build(tmp_path)
    MailStore(mailroom.folders, mailroom.inbox, mailroom.reports).store(
        mail().as_bytes(), [("ridge", "north"), ("valley", "south")]
    )
    return mailroom


def test_a_report_is_removed_after_the_store_has_confirmed_it(waiting: Mailroom) -> None:
    store, reporter = FakeStore(), RecordingReporter()
    ReportUploads(waiting.folders.reports, store, reporter).upload_all()
    assert waiting.reported() == []
    events = [read_status_document(key, content, datetime.now(UTC)) for key, content in store.objects.items()]
    assert {event.camera for event in events} == {"ridge/north", "valley/south"}
    assert {one["key"] for one in reporter.of("reported")} == set(store.objects)


def test_while_the_store_is_down_no_report_is_lost_or_tried_at_once_again(waiting: Mailroom) -> None:
    store, reporter = FakeStore(DependencyDown("down")), RecordingReporter()
    uploads = ReportUploads(waiting.folders.reports, store, reporter)
    for _ in range(3):
        uploads.upload_all()
    assert len(list(waiting.folders.reports.glob("*/*/*.json"))) == 2
    assert len(reporter.of("waiting")) == 1


def test_a_refused_station_does_not_hold_up_the_others(waiting: Mailroom) -> None:
    class Refusing(FakeStore):
        def send(self, upload: Upload) -> Receipt:
            if upload.station == "ridge":
                raise AccessRefused("not permitted")
            return super().send(upload)

    store, reporter = Refusing(), RecordingReporter()
    ReportUploads(waiting.folders.reports, store, reporter).upload_all()
    assert len(waiting.reported()) == 1
    assert [key.split("/")[1] for key in store.objects] == ["valley"]
    assert [one["station"] for one in reporter.of("waiting")] == ["ridge"]


def test_the_thread_uploads_and_ends(waiting: Mailroom) -> None:
    stored = threading.Event()

    class Store(FakeStore):
        def send(self, upload: Upload) -> Receipt:
            receipt = super().send(upload)
            if len(self.objects) == 2:
                stored.set()
            return receipt

    uploads = ReportUploads(waiting.folders.reports, Store(), RecordingReporter(), poll_s=0.01)
    uploads.start()
    assert stored.wait(60)
    uploads.stop()
    assert list(waiting.folders.reports.glob("*/*/*.json")) == []
