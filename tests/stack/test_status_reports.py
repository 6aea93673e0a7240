"""A cellular camera's mail about its battery reaches the topic and the page Health, with the key of its station."""

import contextlib
import os
import smtplib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.free_ports import free_port
from tests.stack.conftest import KIND
from tests.stack.dashboard_client import SignIn
from tests.stack.mailroom_process import running_mailroom, uncia
from tests.stack.result_consumer import messages_of_uncia
from tests.waiting import SCALE, wait_until
from uncia.camtrap.status_documents import CheckedStatus, StatusDocument, status_key
from uncia.events import DeadLetter, StatusReported, StatusSource
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics
from uncia.producers.reconcile.announce import announce
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectStore
from uncia.topics import DEAD_LETTER, STATUS_REPORTED, UPLOAD_TOPICS, Topic

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

LIMIT_S = 60


@pytest.fixture(params=["gateway", "uploader"])
def environment(request: pytest.FixtureRequest, stack: Stack, station: str, tmp_path: Path) -> dict[str, str]:
    """That of a mailroom with a key of one station, and nothing of the operator's."""
    issued = uncia({**os.environ, **stack.environment()}, "keys", "issue", request.param, station)
    others = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    return {
        **others,
        **issued,
        "UNCIA_STACK_DIR": str(tmp_path / "no stack"),
        "UNCIA_MAILROOM_DIR": str(tmp_path / "mailroom"),
        "UNCIA_MAILROOM_FTP_PORT": "0",
        "UNCIA_MAILROOM_SMTP_PORT": str(free_port()),
    }


def messages(settings: Settings, *topics: Topic) -> list[tuple[bytes | None, bytes | None]]:
    """The keys and values on topics up to now."""
    found = messages_of_uncia(settings, *topics)
    return [(message.key, message.value) for message in found]


def test_a_status_mail_becomes_an_event_and_is_shown_on_health(
    environment: dict[str, str], settings: Settings, sign_in: SignIn, station: str, tmp_path: Path
) -> None:
    camera = uncia(environment, "mailroom", "add", station, "north")
    message = EmailMessage()
    message["Subject"] = "Daily report"
    message.set_content("Battery: 12%\nSignal: 3/5\nSD card: 24 GB free\nTemp: -4 C\nIMEI: 860000000000000\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as most cameras do
    with (
        running_mailroom(environment, tmp_path, servers=1),
        smtplib.SMTP("127.0.0.1", int(environment["UNCIA_MAILROOM_SMTP_PORT"]), timeout=SCALE * LIMIT_S) as smtp,
    ):
        smtp.starttls(context=context)
        for _ in range(2):  # a camera that did not see the reply sends it again
            smtp.send_message(message, "trap@example.org", [f"{camera['address']}@example.org"])

        def published() -> list[StatusReported]:
            own = (value for key, value in messages(settings, STATUS_REPORTED) if key == f"{station}/north".encode())
            return [StatusReported.from_bytes(value) for value in own]

        events = wait_until(published, LIMIT_S, "the status report on its topic")
    assert len({event.report_id for event in events}) == 1
    assert (events[0].source, events[0].profile) == (StatusSource.MAIL, "generic")
    assert events[0].status.model_dump(exclude_none=True) == {
        "battery_percent": 12,
        "signal_bars": 3,
        "signal_bars_of": 5,
        "card_free_mb": 24 * 1024,
        "temperature_c": -4,
    }
    assert b"8600" not in b"".join(value or b"" for _, value in messages(settings, STATUS_REPORTED))

    viewer = sign_in("viewer", station)

    def shown() -> dict[str, Any] | None:
        cameras = viewer.read("/health")["cameras"]
        return next((one for one in cameras if one["camera"] == f"{station}/north"), None)

    health = wait_until(shown, LIMIT_S, "the camera on Health")
    assert (health["battery_low"], health["reported_battery_percent"]) == (True, 12)
    assert (health["signal_bars"], health["signal_bars_of"], health["card_free_mb"]) == (3, 5, 24 * 1024)
    assert (health["reported_temperature_c"], health["silent"]) == (-4, False)
    assert not [key for key, _ in messages(settings, *UPLOAD_TOPICS) if station.encode() in (key or b"")]


def test_reconcile_counts_a_published_report_and_what_it_announces_is_published(
    admin_store: ObjectStore, settings: Settings, reconcile: Callable[..., list[dict[str, Any]]], station: str
) -> None:
    key = status_key(station, "north", f"sts-{'0b' * 12}")
    document = StatusDocument(
        received_at=datetime.now(UTC),
        source=StatusSource.MAIL,
        profile="generic",
        status=CheckedStatus(battery_bars=2, battery_bars_of=3),
    )
    admin_store.put(settings.bucket, key, document.to_text().encode(), content_type="application/json")

    def published() -> int:
        return sum(of == f"{station}/north".encode() for of, _ in messages(settings, STATUS_REPORTED))

    before = wait_until(published, LIMIT_S, "the status report on its topic")
    counts = reconcile("--prefix", f"status/{station}/")[-1]
    assert (counts["zero"], counts["answered"], counts["stored"]) == (True, 1, 1)

    announce(settings, list(admin_store.list(settings.bucket, key)))
    wait_until(lambda: published() > before, LIMIT_S, "the report that was announced again")


def test_an_invalid_report_is_a_dead_letter_and_another_station_is_refused(
    environment: dict[str, str], settings: Settings, station: str
) -> None:
    keys = {
        "s3_access_key": environment["UNCIA_S3_ACCESS_KEY"],
        "s3_secret_key": SecretStr(environment["UNCIA_S3_SECRET_KEY"]),
    }
    name = f"sts-{'0a' * 12}"
    with contextlib.closing(ObjectStore(settings.model_copy(update=keys), attempts=1)) as own:
        own.put(settings.bucket, status_key(station, "north", name), b"{}", content_type="application/json")
        with pytest.raises(AccessRefused):
            own.put(settings.bucket, status_key(f"{station}-2", "north", name), b"{}", content_type="application/json")

    def refused() -> list[str]:
        letters = read_topics(settings, (DEAD_LETTER,), from_beginning=True, until_end=True)
        own = (letter for letter in letters if station.encode() in (letter.key or b""))
        return [DeadLetter.from_headers(letter.headers).reason for letter in own]

    assert set(wait_until(refused, LIMIT_S, "the dead letter")) == {"status-report-invalid"}
