"""Kafka and the store for other machines, the mailroom, and alerts, of a stack whose settings switch them on.

Gateways and subscribers on other machines know the printed settings and the authority's certificate only. The address
for them is 127.0.0.2, a second address of loopback.
"""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from ftplib import FTP_TLS
from io import BytesIO
from pathlib import Path

import pytest

from tests.free_ports import free_ports
from tests.stack.photographs import photograph
from tests.temporary_stack import temporary_stack
from tests.toolchains import system_programs
from tests.unit.processors.alerts.builders import burst, reviewed
from tests.waiting import SCALE, wait_until
from uncia.events import AlertRaised, AlertState, BurstCategory, BurstResolved, BurstStatus, ReviewDecision
from uncia.infra.local import processes
from uncia.infra.local.key_management import revoke
from uncia.infra.local.security_checks import run_security_checks
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectStore
from uncia.topics import ALERT_RAISED, BURST_RESOLVED

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded" or sys.platform != "linux",
    reason="about the embedded stack alone, and on a second address of loopback",
)

RULES = """
rules:
  - {name: leopard, taxon: Panthera uncia, max_age: any}
  - {name: first leopard, taxon: Panthera uncia, max_age: any, rare: 30d, cameras: peak/rare}
  - {name: person, category: person, provisional: true, max_age: any}
"""
PARTS = ("kafka", "seaweedfs", "seaweedfs-network", "mailroom", "alerts")


@pytest.fixture(scope="module")
def served() -> Iterator[Stack]:
    """Broker, store and mailroom of a stack that has an address for other machines."""
    folder = Path(tempfile.mkdtemp(prefix="uncia network "))
    rules = folder / "alert rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    # The store's needs a second one, 10,000 above it.
    s3_port, kafka_port, ftp_port, smtp_port, *_ = sorted(free_ports(8))
    switched_on = {
        "UNCIA_NETWORK_HOST": "127.0.0.2",
        "UNCIA_NETWORK_KAFKA_PORT": str(kafka_port),
        "UNCIA_NETWORK_S3_PORT": str(s3_port),
        "UNCIA_MAILROOM": "true",
        "UNCIA_MAILROOM_DIR": str(folder / "mailroom"),
        "UNCIA_MAILROOM_HOST": "0.0.0.0",
        "UNCIA_MAILROOM_FTP_PORT": str(ftp_port),
        "UNCIA_MAILROOM_FTP_PASSIVE_PORTS": "43500-43600",
        "UNCIA_ALERT_RULES": str(rules),
        "UNCIA_MAILROOM_SMTP_PORT": str(smtp_port),
    }
    with temporary_stack(folder, switched_on) as stack:
        stack.up(PARTS, timeout_s=SCALE * 60)
        yield stack


@pytest.fixture
def authority(served: Stack, tmp_path: Path) -> Path:
    """The other machine's copy of the authority's certificate."""
    return Path(shutil.copy(served.folder / "keys" / "ca.pem", tmp_path / "the authority.pem"))


def printed(served: Stack, authority: Path, *arguments: str) -> dict[str, str]:
    """The settings that `uncia keys issue` prints for another machine."""
    command = [sys.executable, "-m", "uncia", "keys", "issue", *arguments, "--network", "--cafile", str(authority)]
    environment = {**os.environ, "UNCIA_STACK_DIR": str(served.folder)}
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, timeout=SCALE * 60)
    assert done.returncode == 0, done.stderr
    assert "ca.pem" in done.stderr
    settings: dict[str, str] = json.loads(done.stdout)
    return settings


def elsewhere(variables: dict[str, str]) -> Settings:
    """The settings of a process that knows these variables only."""
    return Settings(_env_file=None, **{name.removeprefix("UNCIA_").lower(): value for name, value in variables.items()})  # type: ignore[arg-type]


def test_a_gateway_uploads_with_the_printed_settings_alone(served: Stack, authority: Path, tmp_path: Path) -> None:
    variables = printed(served, authority, "gateway", "ridge")
    card = tmp_path / "card" / "north"
    card.mkdir(parents=True)
    picture = photograph(81_000)
    (card / "IMG_0001.JPG").write_bytes(picture)
    own = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    command = [sys.executable, "-m", "uncia", "gateway", "card", str(card.parent), "--station", "ridge"]
    done = subprocess.run(
        [*command, "--spool", str(tmp_path / "spool.sqlite")],
        env={**own, **variables, "UNCIA_STACK_DIR": str(tmp_path / "no stack")},
        capture_output=True,
        text=True,
        timeout=SCALE * 60,
    )
    assert done.returncode == 0, done.stderr
    store, settings = ObjectStore(served.settings()), served.settings()
    keys = [entry.key for entry in store.list(settings.bucket, "ridge/north/")]
    assert [store.get(settings.bucket, key, max_bytes=10_000_000) for key in keys] == [picture]


def test_a_client_stores_with_the_configuration_that_connect_writes(served: Stack, tmp_path: Path) -> None:
    system_programs("curl")
    board = tmp_path / "on the board"
    board.mkdir()
    (board / "photograph.jpg").write_bytes(photograph(81_002))
    options = ["--for", "gateway", "--station", "hut", "--network", "--output", "keys"]
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "connect", "curl", *options, "--json"],
        env={**os.environ, "UNCIA_STACK_DIR": str(served.folder)},
        cwd=board,
        capture_output=True,
        text=True,
        timeout=SCALE * 60,
    )
    assert done.returncode == 0, done.stderr
    (configuration,) = json.loads(done.stdout)
    subprocess.run(configuration["commands"][0], shell=True, cwd=board, check=True, timeout=SCALE * 60)
    store, settings = ObjectStore(served.settings()), served.settings()
    assert [entry.key for entry in store.list(settings.bucket, "hut/")] == ["hut/CAMERA/photograph.jpg"]


def test_a_subscriber_reads_with_the_printed_settings_alone(served: Stack, authority: Path) -> None:
    variables = printed(served, authority, "subscriber", "office")
    send_to_cameras(served.admin_settings(), BURST_RESOLVED, [("ridge/north", b"ridge/north", b"a verdict")])
    messages = read_topics(elsewhere(variables), (BURST_RESOLVED,), from_beginning=True, until_end=True)
    assert [message.value for message in messages] == [b"a verdict"]


def test_a_key_that_is_revoked_is_refused_by_the_store_for_other_machines_as_well(
    served: Stack, authority: Path
) -> None:
    settings = elsewhere(printed(served, authority, "gateway", "valley"))
    store = ObjectStore(settings)
    store.put(settings.bucket, "valley/cam/a.jpg", b"one", content_type="image/jpeg")
    revoke(served, "gateway-valley")

    def refused() -> bool:
        try:
            store.put(settings.bucket, "valley/cam/b.jpg", b"two", content_type="image/jpeg")
        except AccessRefused:
            return True
        return False

    wait_until(refused, 10, "the refusal of a revoked key")


def test_the_security_checks_find_no_open_door(served: Stack) -> None:
    found = {check.name: check for check in run_security_checks(served)}
    assert {
        name: found[name].detail
        for name in ("ports", "network: s3", "network: s3_grpc", "network: kafka", "mailroom: ftp", "mailroom: smtp")
        if not found[name].ok
    } == {}
    ports = [os.environ[f"UNCIA_MAILROOM_{server}_PORT"] for server in ("FTP", "SMTP")]
    assert found["ports"].detail.endswith(f"for cameras {', '.join(ports)}")


def test_the_mailroom_of_a_stack_stores_what_a_camera_sends(served: Stack) -> None:
    command = [sys.executable, "-m", "uncia", "mailroom", "add", "ridge", "cellular", "--json"]
    environment = {**os.environ, "UNCIA_STACK_DIR": str(served.folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SCALE * 60, check=True)
    account = json.loads(done.stdout)
    picture = photograph(81_001)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as most cameras do
    with FTP_TLS(context=context, timeout=SCALE * 60) as ftp:
        ftp.connect("127.0.0.1", int(os.environ["UNCIA_MAILROOM_FTP_PORT"]))
        ftp.login(account["user"], account["password"])
        ftp.prot_p()
        ftp.storbinary("STOR IMG_0001.JPG", BytesIO(picture))
    store, settings = ObjectStore(served.settings()), served.settings()

    def stored() -> list[str]:
        return [entry.key for entry in store.list(settings.bucket, "ridge/cellular/")]

    (key,) = wait_until(stored, 60, "the photograph of the camera in the store")
    assert store.get(settings.bucket, key, max_bytes=10_000_000) == picture


class Verdicts:
    """Verdicts on one camera that a test publishes, and the alerts that follow."""

    def __init__(self, stack: Stack, camera: str) -> None:
        self._settings, self._camera = stack.admin_settings(), camera

    def publish(self, *events: BurstResolved) -> None:
        own = {"station": self._camera.partition("/")[0], "camera": self._camera}
        sent = [event.model_copy(update=own) for event in events]
        send_to_cameras(
            self._settings,
            BURST_RESOLVED,
            [(self._camera, event.burst_id.encode(), event.to_bytes()) for event in sent],
        )

    def alerts(self) -> list[AlertRaised]:
        messages = read_topics(self._settings, (ALERT_RAISED,), from_beginning=True, until_end=True)
        found = [AlertRaised.from_bytes(message.value) for message in messages]
        return [alert for alert in found if alert.camera == self._camera]


def test_alerts_are_raised_and_withdrawn_and_a_kill_loses_none(served: Stack) -> None:
    bursts = [f"bst-{uuid.uuid4().hex[:24]}" for _ in range(60)]
    verdicts = Verdicts(served, "peak/alerts")
    # An hour apart: each is an encounter of its own.
    verdicts.publish(*(burst(name, minute=60 * number) for number, name in enumerate(bursts)))
    wait_until(verdicts.alerts, limit_s=30)
    (worker,) = [one for one in processes.of_stack(served.require_identity().stack_id) if one.part == "alerts"]
    os.kill(worker.pid, signal.SIGKILL)
    blank = reviewed(ReviewDecision.BLANK)
    verdicts.publish(
        *(burst(name, revision=2, minute=60 * number, review=blank) for number, name in enumerate(bursts[:30]))
    )

    def newest() -> dict[str, AlertRaised]:
        return {alert.bursts[0].burst_id: alert for alert in verdicts.alerts()}

    wait_until(lambda: sum(one.state is AlertState.WITHDRAWN for one in newest().values()) == 30, limit_s=60)
    wait_until(lambda: set(newest()) == set(bursts), limit_s=60)
    published = {(alert.alert_id, alert.revision): alert for alert in verdicts.alerts()}
    assert sorted(alert.revision for alert in published.values()) == [1] * 60 + [2] * 30
    # What was published a second time is the same.
    assert all(alert == published[alert.alert_id, alert.revision] for alert in verdicts.alerts())


def test_a_person_on_a_provisional_verdict_raises_an_alert_within_seconds(served: Stack) -> None:
    verdicts = Verdicts(served, "peak/person")
    name = f"bst-{uuid.uuid4().hex[:24]}"
    person = burst(name, category=BurstCategory.PERSON, status=BurstStatus.PROVISIONAL)
    # The first one waits for the worker to have its partitions.
    verdicts.publish(person)
    wait_until(verdicts.alerts, limit_s=60)
    later = burst(f"{name}-2", minute=600, category=BurstCategory.PERSON, status=BurstStatus.PROVISIONAL)
    verdicts.publish(later)
    wait_until(lambda: len(verdicts.alerts()) == 2, limit_s=5)
    alert = verdicts.alerts()[-1]
    assert (alert.rule, alert.state) == ("person", AlertState.RAISED)
    assert alert.summary == "a person at peak/person, 2026-05-02 07:30 (provisional)"


def test_a_kill_between_verdicts_leaves_rare_sightings_rare_once(served: Stack) -> None:
    verdicts = Verdicts(served, "peak/rare")
    names = [f"bst-{uuid.uuid4().hex[:24]}" for _ in range(40)]
    # A day apart: within the month only the first is rare.
    sent = [burst(name, minute=24 * 60 * number) for number, name in enumerate(names)]
    verdicts.publish(*sent[:20])
    wait_until(lambda: any(alert.rule == "first leopard" for alert in verdicts.alerts()), limit_s=60)
    (worker,) = [one for one in processes.of_stack(served.require_identity().stack_id) if one.part == "alerts"]
    os.kill(worker.pid, signal.SIGKILL)
    verdicts.publish(*sent[20:])

    def raised(rule: str) -> set[str]:
        return {alert.bursts[0].burst_id for alert in verdicts.alerts() if alert.rule == rule}

    wait_until(lambda: raised("leopard") == set(names), limit_s=60)
    assert raised("first leopard") == {names[0]}
