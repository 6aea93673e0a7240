"""Kafka and SeaweedFS as plain processes, with exactly the files and commands of their containers.

Only paths, ports and host names differ from those of `docker-compose.yml`: there is no engine to separate them.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka.errors import TopicAuthorizationFailedError

from tests.free_ports import free_ports
from tests.paths import ROOT
from tests.stack.sign_in_broker import ended
from tests.toolchains import system_programs
from tests.waiting import wait_until
from uncia.errors import DependencyDown, UnciaError
from uncia.infra.docker import setup
from uncia.infra.docker.container_files import SERVICES_WITH_SETTINGS, Addresses, write_container_files
from uncia.infra.docker.setup import buckets, topics
from uncia.infra.local.java import find_java
from uncia.infra.local.kafka_files import Listener
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.seaweedfs import find_weed
from uncia.infra.local.security_checks import refuses_http, requires_certificate
from uncia.kafka.broker import existing_topics, read_topics
from uncia.kafka.connection import connect_producer
from uncia.settings import Settings, read_settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED, STORAGE_CHANGED, TOPICS

pytestmark = pytest.mark.skipif(
    os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="starts processes of its own"
)

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


@dataclass(frozen=True)
class Site:
    """A folder in place of the volumes, and the addresses in place of the containers' names."""

    folder: Path
    kafka: str
    kafka_internal: str
    kafka_outside: str
    ports: dict[str, int]
    """Those of SeaweedFS, by the name of its flag."""

    @property
    def addresses(self) -> Addresses:
        controller, *_ = free_ports(1)
        return Addresses(
            kafka=Listener.at(self.kafka),
            kafka_internal=Listener.at(self.kafka_internal),
            kafka_controller=f"127.0.0.1:{controller}",
            kafka_outside=Listener.at(self.kafka_outside),
            kafka_logs=self.folder / "data" / "kafka" / "log",
            files_of=lambda name: self.folder / name,
        )

    def settings(self, name: str, monkeypatch: pytest.MonkeyPatch, **changed: str) -> Settings:
        """The settings of a service, read from its files, with these variables from the compose file."""
        for field in Settings.model_fields:
            monkeypatch.delenv(f"UNCIA_{field.upper()}", raising=False)
        monkeypatch.setenv("UNCIA_STACK_DIR", str(self.folder / "none"))
        monkeypatch.setenv("UNCIA_SECRETS_DIR", str(self.folder / name))
        monkeypatch.setenv("UNCIA_KAFKA", self.kafka)
        monkeypatch.setenv("UNCIA_S3_ENDPOINT", f"http://127.0.0.1:{self.ports['s3.port']}")
        for variable, value in changed.items():
            monkeypatch.setenv(variable, value)
        return read_settings()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The files of all containers, as the service `keys` writes them."""
    flags = ("s3.port", "s3.port.grpc", "filer.port", "filer.port.grpc", "master.port", "master.port.grpc")
    names = (*flags, "volume.port", "volume.port.grpc", "admin.port")
    kafka, internal, outside, *store = free_ports(3 + len(names))
    site = Site(
        tmp_path_factory.mktemp("containers"),
        kafka=f"127.0.0.1:{kafka}",
        kafka_internal=f"127.0.0.1:{internal}",
        kafka_outside=f"127.0.0.1:{outside}",
        ports=dict(zip(names, store, strict=True)),
    )
    write_container_files(site.folder, site.folder / "own", site.addresses, Settings(_env_file=None))
    for name in ("kafka", "seaweedfs"):
        (site.folder / "data" / name).mkdir(parents=True)
    return site


@pytest.fixture(scope="module")
def kafka(site: Site) -> Iterator[Site]:
    """The broker, started by the script of its container, with users, rules and topics from the service `topics`."""
    files, log = site.folder / "kafka", site.folder / "kafka.log"
    command = ["sh", str(files / "start.sh"), str(files), str(site.folder / "data" / "kafka")]
    path = f"{find_java().parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KAFKA_LIBS": f"{parts_dir()}/kafka/libs"}
    with running(command, files, environment, log), pytest.MonkeyPatch.context() as monkeypatch:
        as_administrator(site, monkeypatch)
        wait_until(lambda: answers(lambda: topics(site.folder / "own")), 90, "Kafka accepts the users and the topics")
        yield site


@pytest.fixture(scope="module")
def store(kafka: Site) -> Iterator[Site]:
    """SeaweedFS, with the command of its container, and the buckets from the service `buckets`."""
    ports = [f"-{flag}={port}" for flag, port in kafka.ports.items()]
    given = {
        "-dir=/store": f"-dir={kafka.folder}/data/seaweedfs",
        "-ip=seaweedfs": "-ip=127.0.0.1",
        "-ip.bind=0.0.0.0": "-ip.bind=127.0.0.1",
        "-s3.config=/run/uncia/s3_identities.json": f"-s3.config={kafka.folder}/seaweedfs/s3_identities.json",
    }
    command = [str(find_weed()), *(given.pop(word, word) for word in COMPOSE["seaweedfs"]["command"]), *ports]
    assert not given, "the command of the container has changed"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with running(command, kafka.folder / "seaweedfs", environment, kafka.folder / "seaweedfs.log"):
        with pytest.MonkeyPatch.context() as monkeypatch:
            kafka.settings("buckets", monkeypatch)
            wait_until(lambda: answers(buckets), 60, "the store creates the buckets")
        yield kafka


@contextlib.contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> Iterator[None]:
    """Run a server in a folder that it cannot change, as a volume that is mounted read-only."""
    folder.chmod(0o500)
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    with ended(process):
        yield


def as_administrator(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the service `topics`, with the variables that the compose file gives it."""
    given = {
        name: value.replace("/keys/own", str(site.folder / "own"))
        for name, value in COMPOSE["topics"]["environment"].items()
    }
    return site.settings("none", monkeypatch, **{**given, "UNCIA_KAFKA": site.kafka_internal, "UNCIA_SECRETS_DIR": ""})


def answers(attempt: Any) -> bool:
    try:
        attempt()
    except UnciaError:
        return False
    return True


def send(settings: Settings, topic: str) -> None:
    producer = connect_producer(settings)
    try:
        producer.send(topic, key=b"key", value=b"{}").get(timeout=30)
    finally:
        producer.close()


@pytest.mark.thorough
def test_a_worker_signs_in_with_its_files_and_sees_its_topics(kafka: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = kafka.settings("predict", monkeypatch)
    assert settings.kafka_username == "predict"
    identity = SERVICES_WITH_SETTINGS["predict"]
    assert existing_topics(settings) == {topic.full_name(settings) for topic in identity.reads | identity.writes}


def test_a_worker_may_write_its_topic_and_no_other(kafka: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = kafka.settings("predict", monkeypatch)
    send(settings, IMAGE_PREDICTED.full_name(settings))
    with pytest.raises(TopicAuthorizationFailedError):
        send(settings, BURST_RESOLVED.full_name(settings))


def test_a_worker_with_the_password_of_another_is_refused(kafka: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    other = (kafka.folder / "bursts" / "UNCIA_KAFKA_PASSWORD").read_text(encoding="utf-8").strip()
    settings = kafka.settings("predict", monkeypatch, UNCIA_KAFKA_PASSWORD=other)
    with pytest.raises(DependencyDown):
        existing_topics(settings)


def test_the_port_of_this_machine_has_the_same_rules(kafka: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = kafka.settings("bursts", monkeypatch, UNCIA_KAFKA=kafka.kafka_outside)
    send(settings, BURST_RESOLVED.full_name(settings))
    with pytest.raises(TopicAuthorizationFailedError):
        send(settings, IMAGE_PREDICTED.full_name(settings))


@pytest.mark.thorough
def test_a_client_without_a_sign_in_is_refused(kafka: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DependencyDown):
        existing_topics(kafka.settings("none", monkeypatch, UNCIA_SECRETS_DIR="", UNCIA_KAFKA=kafka.kafka_outside))
    requires_certificate(int(kafka.kafka_internal.rpartition(":")[2]))


def test_the_topics_are_created_once(kafka: Site, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    settings = as_administrator(kafka, monkeypatch)
    assert existing_topics(settings) >= {topic.full_name(settings) for topic in TOPICS}
    setup.topics(kafka.folder / "own")
    assert f"0 of {len(TOPICS)} topics were created" in capsys.readouterr().out


def test_a_worker_reads_the_store_and_cannot_write(store: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = store.settings("predict", monkeypatch)
    reader = ObjectStore(settings)
    try:
        assert list(reader.list(settings.bucket)) == []
        refused = reader.client.exceptions.ClientError
        with pytest.raises(refused, match="AccessDenied"):
            reader.client.put_object(Bucket=settings.bucket, Key="ridge/north/a.jpg", Body=b"x")
    finally:
        reader.close()


def test_only_crops_stores_crops_and_the_change_is_published(store: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = store.settings("crops", monkeypatch)
    writer = ObjectStore(settings)
    try:
        writer.client.put_object(Bucket=settings.bucket, Key="crops/a.jpg", Body=b"x")
        refused = writer.client.exceptions.ClientError
        with pytest.raises(refused, match="AccessDenied"):
            writer.client.put_object(Bucket=settings.bucket, Key="ridge/north/a.jpg", Body=b"x")
    finally:
        writer.close()
    admin = as_administrator(store, monkeypatch)
    wait_until(lambda: notified(admin, "crops/a.jpg"), 30, "the store publishes the change")


def notified(settings: Settings, key: str) -> bool:
    return any(
        key.encode() in (message.value or b"") or key.encode() in (message.key or b"")
        for message in read_topics(settings, (STORAGE_CHANGED,), from_beginning=True, until_end=True)
    )


@pytest.mark.parametrize(
    ("flag", "path"),
    [("s3.port", "/camera-uploads"), ("filer.port", "/buckets/"), ("master.port", "/dir/status")],
)
def test_the_store_serves_nothing_without_a_key(store: Site, flag: str, path: str) -> None:
    refuses_http(store.ports[flag], path)


@pytest.mark.parametrize("flag", ["master.port.grpc", "filer.port.grpc", "volume.port.grpc", "s3.port.grpc"])
def test_the_stores_inner_ports_require_its_certificate(store: Site, flag: str) -> None:
    requires_certificate(store.ports[flag])


@pytest.mark.thorough
def test_the_health_check_of_the_store_passes_and_turns_syncing_on(store: Site) -> None:
    system_programs("wget")  # the image has it
    master = f"127.0.0.1:{store.ports['master.port']}.{store.ports['master.port.grpc']}"
    _, check = COMPOSE["seaweedfs"]["healthcheck"]["test"]
    check = check.replace("seaweedfs:9333", master).replace("127.0.0.1:8333", f"127.0.0.1:{store.ports['s3.port']}")
    environment = {**os.environ, "PATH": f"{find_weed().parent}:{os.environ['PATH']}", "no_proxy": "127.0.0.1"}
    for _ in range(2):
        completed = subprocess.run(
            ["sh", "-c", check], cwd=store.folder / "seaweedfs", env=environment, capture_output=True, check=False
        )
        assert completed.returncode == 0, completed.stderr
    shown = subprocess.run(
        [str(find_weed()), "shell", f"-master={master}"],
        input="fs.configure\n",
        cwd=store.folder / "seaweedfs",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rules = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])["locations"]
    assert [rule["locationPrefix"] for rule in rules if rule.get("fsync")] == ["/buckets/camera-uploads/"]
