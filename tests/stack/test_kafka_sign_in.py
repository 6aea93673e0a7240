"""A Kafka that asks clients to sign in: every way that the settings offer works, and a refusal is explained."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.paths import ROOT
from tests.stack.sign_in_broker import PASSWORD, SESSION_S, USER, SignInBroker, ended, running_broker
from tests.unit.processors.clock_health.builders import live
from uncia.errors import DependencyDown
from uncia.events import ClockJudged, ImagePredicted
from uncia.kafka.broker import CameraProducer, create_topics, existing_topics, read_topics, send_to_cameras
from uncia.kafka.connection import connect_consumer
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, CLOCK_JUDGED, IMAGE_PREDICTED

WAYS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "MTLS", "OAUTHBEARER")
WORKER = ["-m", "uncia", "worker", "clocks"]
LIMIT_S = 90


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignInBroker]:
    """One broker for all ways."""
    with running_broker(tmp_path_factory.mktemp("sign-in")) as broker:
        yield broker


def variables(broker: SignInBroker, way: str) -> dict[str, str]:
    """The settings with which a client signs in this way."""
    common = {"UNCIA_KAFKA_CAFILE": str(broker.authority.cafile), "UNCIA_PARTITIONS": "2"}
    if way == "MTLS":
        certfile, keyfile = broker.authority.issue("client")
        return {
            **common,
            "UNCIA_KAFKA": broker.at["MTLS"],
            "UNCIA_KAFKA_SECURITY_PROTOCOL": "SSL",
            "UNCIA_KAFKA_CERTFILE": str(certfile),
            "UNCIA_KAFKA_KEYFILE": str(keyfile),
        }
    listener = {"PLAIN": "PLAIN", "OAUTHBEARER": "OAUTH"}.get(way, "SCRAM")
    signed = {
        **common,
        "UNCIA_KAFKA": broker.at[listener],
        "UNCIA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "UNCIA_KAFKA_SASL_MECHANISM": way,
    }
    if way == "OAUTHBEARER":
        return {**signed, "UNCIA_KAFKA_TOKEN_FILE": str(broker.token_file())}
    return {**signed, "UNCIA_KAFKA_USERNAME": USER, "UNCIA_KAFKA_PASSWORD": PASSWORD}


def settings_of(variables: dict[str, str], **changed: Any) -> Settings:
    """These settings, some of them changed; None unsets one."""
    values: dict[str, Any] = {name.removeprefix("UNCIA_").lower(): value for name, value in variables.items()}
    return Settings(_env_file=None, **{**values, **changed})


@pytest.mark.parametrize("way", WAYS)
def test_messages_are_sent_and_received(broker: SignInBroker, way: str) -> None:
    settings = settings_of(variables(broker, way), namespace=f"sent-{way.lower()}")
    create_topics(settings, (IMAGE_PREDICTED,))
    producer = CameraProducer(settings)
    try:
        producer.send([(IMAGE_PREDICTED, "ridge/north", b"key", b"value")])
    finally:
        producer.close()
    messages = read_topics(settings, (IMAGE_PREDICTED,), from_beginning=True, until_end=True)
    assert [(message.key, message.value) for message in messages] == [(b"key", b"value")]


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_reads_writes_and_keeps_its_state(broker: SignInBroker, way: str, tmp_path: Path) -> None:
    signed = {**variables(broker, way), "UNCIA_NAMESPACE": f"worker-{way.lower()}"}
    settings = settings_of(signed)
    create_topics(settings)
    events = live(12, camera="ridge/north", begin=datetime.now(UTC) - timedelta(hours=24))
    with running(WORKER, signed, tmp_path) as log:
        assert _judged(settings, events, log).camera == "ridge/north"


def test_a_worker_goes_on_when_its_session_has_expired(broker: SignInBroker, tmp_path: Path) -> None:
    """The broker ends connections after a while where clients do not sign in again, as aiokafka does not."""
    signed = {**variables(broker, "OAUTHBEARER"), "UNCIA_NAMESPACE": "session"}
    settings = settings_of(signed)
    create_topics(settings)
    start = datetime.now(UTC) - timedelta(hours=24)
    with running(WORKER, signed, tmp_path) as log:
        for camera in ("ridge/north", "ridge/south"):
            assert _judged(settings, live(12, camera=camera, begin=start), log).camera == camera
            time.sleep(SESSION_S + 1)
            assert "Traceback" not in log.read_text(errors="replace")


def test_tokens_can_come_from_a_server(broker: SignInBroker) -> None:
    signed = variables(broker, "OAUTHBEARER")
    with token_server(broker.token_file().read_text(encoding="ascii").strip()) as url:
        settings = settings_of(
            signed, kafka_token_file=None, kafka_token_url=url, kafka_username="uncia", kafka_password="secret"
        )
        assert isinstance(existing_topics(settings), set)


@contextlib.contextmanager
def token_server(token: str) -> Iterator[str]:
    """Issues this token to everybody; returns its URL."""

    class Issuer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": token, "expires_in": 3600}).encode())

    with HTTPServer(("127.0.0.1", 0), Issuer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()


REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "wrong password": ("SCRAM-SHA-512", {"kafka_password": "wrong"}, "refuses the user ranger .*UNCIA_KAFKA_PASSWORD"),
    "wrong password, PLAIN": ("PLAIN", {"kafka_password": "wrong"}, "refuses the user ranger .*UNCIA_KAFKA_PASSWORD"),
    "unknown user": ("SCRAM-SHA-256", {"kafka_username": "fox"}, "refuses the user fox "),
    "mechanism that is not offered": (
        "PLAIN",
        {"kafka_sasl_mechanism": "SCRAM-SHA-512"},
        "does not offer .*SCRAM-SHA-512, but PLAIN",
    ),
    "no authority": ("SCRAM-SHA-512", {"kafka_cafile": None}, "not trusted by this system .*UNCIA_KAFKA_CAFILE"),
    "no certificate": ("MTLS", {"kafka_certfile": None, "kafka_keyfile": None}, "asks for a certificate"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_explained_at_once(broker: SignInBroker, case: str) -> None:
    way, changed, sentence = REFUSALS[case]
    began = time.monotonic()
    with pytest.raises(DependencyDown, match=sentence):
        existing_topics(settings_of(variables(broker, way), **changed))
    assert time.monotonic() - began < 25, "kafka-python alone tries for 30 s"


def test_certificates_of_a_stranger_are_refused_on_both_sides(broker: SignInBroker, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    signed = variables(broker, "MTLS")
    with pytest.raises(DependencyDown, match=r"not trusted by those in .*stranger\.pem"):
        existing_topics(settings_of(signed, kafka_cafile=stranger.cafile))
    certfile, keyfile = stranger.issue("client")
    with pytest.raises(DependencyDown, match=r"refuses the certificate in .*client\.pem"):
        existing_topics(settings_of(signed, kafka_certfile=certfile, kafka_keyfile=keyfile))


def test_another_host_name_than_the_certificates_is_refused(broker: SignInBroker) -> None:
    signed = variables(broker, "SCRAM-SHA-512")
    with pytest.raises(DependencyDown, match="is not for localhost"):
        existing_topics(settings_of(signed, kafka=f"localhost:{broker.port('SCRAM')}"))


def test_an_expired_token_is_refused(broker: SignInBroker) -> None:
    signed = variables(broker, "OAUTHBEARER")
    with pytest.raises(DependencyDown, match=r"refuses the token .*expired"):
        existing_topics(settings_of(signed, kafka_token_file=broker.token_file(expired=True)))


def test_a_plain_client_at_an_encrypted_port_and_the_reverse(broker: SignInBroker) -> None:
    plain = Settings(_env_file=None, kafka=broker.at["SCRAM"])
    with pytest.raises(DependencyDown, match=r"expects TLS.*SASL_SSL"):
        connect_consumer(plain, bootstrap_timeout_ms=5000)
    signed = variables(broker, "SCRAM-SHA-512")
    with pytest.raises(DependencyDown, match="does not answer in TLS"):
        existing_topics(settings_of(signed, kafka=broker.at["PLAINTEXT"]))


def test_a_client_that_does_not_sign_in_is_refused(broker: SignInBroker) -> None:
    encrypted = Settings(
        _env_file=None,
        kafka=broker.at["SCRAM"],
        kafka_security_protocol="SSL",
        kafka_cafile=broker.authority.cafile,
    )
    with pytest.raises(DependencyDown, match="expects clients to sign in"):
        existing_topics(encrypted)


def test_a_command_prints_one_sentence(broker: SignInBroker, tmp_path: Path) -> None:
    signed = variables(broker, "SCRAM-SHA-512")

    def create_topics_with(**changed: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "topics", "create"],
            env=environment({**signed, **changed}, tmp_path),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        return done.returncode, " ".join(done.stderr.split())

    assert create_topics_with() == (0, "")
    status, refused = create_topics_with(UNCIA_KAFKA_PASSWORD="wrong")
    assert status == 1
    assert refused.endswith("and that the broker has this user for SCRAM-SHA-512")
    status, contradiction = create_topics_with(UNCIA_KAFKA_SECURITY_PROTOCOL="SSL")
    assert status == 2
    assert "UNCIA_KAFKA_SASL_MECHANISM has no effect" in contradiction


def test_the_example_of_a_subscriber_signs_in(broker: SignInBroker, tmp_path: Path) -> None:
    settings = settings_of(signed := variables(broker, "SCRAM-SHA-512"))
    create_topics(settings, (BURST_RESOLVED,))
    fields = {"burst_id": "bst-1", "revision": 1, "started_at": "2026-01-01T00:00:00", "camera": "ridge/north"}
    burst = json.dumps({**fields, "status": "final"})
    send_to_cameras(settings, BURST_RESOLVED, [("ridge/north", b"burst", burst.encode())])
    with running([str(ROOT / "examples" / "subscriber.py")], signed, tmp_path) as output:
        _wait(lambda: "ridge/north\tunreadable\tfinal" in output.read_text(), output)


def test_a_worker_with_a_wrong_password_reports_it_and_waits(broker: SignInBroker, tmp_path: Path) -> None:
    signed = {**variables(broker, "SCRAM-SHA-512"), "UNCIA_KAFKA_PASSWORD": "wrong"}
    with running(WORKER, signed, tmp_path) as log:
        _wait(lambda: "refuses the user ranger" in log.read_text(errors="replace"), log)
        assert "wrong" not in log.read_text(errors="replace").replace("UNCIA_KAFKA_PASSWORD", "")


def environment(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment of a process with these settings, and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    folders = {"UNCIA_STACK_DIR": str(folder), "UNCIA_DATA_DIR": str(folder / "workers")}
    return {**others, **folders, **variables}


@contextlib.contextmanager
def running(command: list[str], variables: dict[str, str], folder: Path) -> Iterator[Path]:
    """Run a Python program; returns the file with its output."""
    output = folder / "output.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", *command], env=environment(variables, folder), stdout=file, stderr=file
        )
    with ended(process):
        yield output


def _judged(settings: Settings, events: list[ImagePredicted], log: Path) -> ClockJudged:
    """Send predictions of a camera, and return the worker's newest assessment of it."""
    producer = CameraProducer(settings)
    try:
        producer.send([(IMAGE_PREDICTED, event.camera, event.camera.encode(), event.to_bytes()) for event in events])
    finally:
        producer.close()
    found: list[ClockJudged] = []

    def arrived() -> bool:
        messages = read_topics(settings, (CLOCK_JUDGED,), from_beginning=True, until_end=True)
        judged = [ClockJudged.from_bytes(message.value) for message in messages]
        found.extend(one for one in judged if one.camera == events[0].camera)
        return bool(found)

    _wait(arrived, log)
    return found[-1]


def _wait(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-5000:]
        time.sleep(0.5)
