"""The start scripts and configuration files that `uncia up` writes."""

import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from uncia.access import TritonRight
from uncia.identities import PART_IDENTITIES
from uncia.infra.local.access_log import BROKER_LINES
from uncia.infra.local.certificates import ensure_certificates
from uncia.infra.local.credentials import ensure_keys
from uncia.infra.local.kafka import CLASSES_PART, FEATURES_FILE, Kafka, archive_options, class_path
from uncia.infra.local.layout import Layout, claim
from uncia.infra.local.own_user import Confined, user_number
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.service import Service, StackContext
from uncia.infra.local.stack_identity import StackIdentity, ensure_identity, environment_of
from uncia.infra.local.triton import _OWN_SHARED_MEMORY, Triton
from uncia.infra.local.workers import Auditor, Catalogue, Dashboard, Reconcile, TritonKeeper, Worker, worker_services
from uncia.settings import Settings


def own_services() -> list[type[Worker]]:
    """The parts that run Uncia's own code."""
    return [*worker_services(), TritonKeeper, Reconcile, Catalogue, Dashboard]


class Echo(Service):
    """A part that prints its working directory and environment, and exits."""

    name = "echo"

    def check_installed(self) -> None:
        """Nothing to check."""

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", 'printf "%s|%s|%s|%s" "$PWD" "$ODD" "$UNCIA_STACK_PART" "$1"', "sh", "a b$HOME'\""]

    def environment(self) -> dict[str, str]:
        return {"ODD": "100% 'odd'; $HOME\n\"x\""}

    def probe(self) -> str:
        return ""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[StackContext]:
    folder = tmp_path / "a stack, 100% 'odd'; really"
    claim(folder)
    layout = Layout.make(folder)
    ensure_certificates(folder)
    identity: StackIdentity = ensure_identity(folder, layout.runtime_dir)
    yield StackContext(layout, identity, ensure_keys(folder), Settings(_env_file=None), environment_of(identity))
    layout.remove_runtime_dir()


def test_special_characters_reach_the_part_unchanged(site: StackContext) -> None:
    folder = site.layout.folder
    echo = Echo(site)
    echo.write(folder)
    output = subprocess.run(["/bin/sh", echo.script], capture_output=True, text=True, check=True).stdout
    assert output == f"{folder}|100% 'odd'; $HOME\n\"x\"|echo|a b$HOME'\""


def test_the_runtime_directory_has_a_plain_path_and_links_to_the_real_folder(site: StackContext) -> None:
    assert str(site.layout.run).isascii()
    assert not set(str(site.layout.run)) & set(" %;:'")
    assert site.layout.run.resolve() == (site.layout.folder / "run").resolve()


def test_the_control_socket_fits_into_a_socket_address(site: StackContext) -> None:
    assert len(str(site.layout.socket)) < 100


def test_removing_the_runtime_directory_keeps_the_stacks_data(site: StackContext) -> None:
    file = site.layout.folder / "data" / "file"
    file.touch()
    site.layout.remove_runtime_dir()
    assert file.exists()
    assert not site.layout.runtime_dir.exists()


def test_kafka_listens_on_loopback_and_does_not_auto_create_topics(site: StackContext) -> None:
    lines = dict(
        line.split("=", 1)
        for line in Kafka(site).files()["kafka.properties"].splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert re.findall(r"://(.*?):", lines["listeners"]) == ["127.0.0.1"] * 3
    assert lines["auto.create.topics.enable"] == "false"


def test_every_listener_of_kafka_requires_sign_in_or_a_certificate(site: StackContext) -> None:
    text = Kafka(site).files()["kafka.properties"]
    assert "listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL\n" in text
    for listener in ("internal", "controller"):
        assert f"listener.name.{listener}.ssl.client.auth=required\n" in text
    assert "PLAINTEXT" not in text
    assert "allow.everyone.if.no.acl.found" not in text


def test_kafka_starts_without_an_archive_of_its_classes(site: StackContext, tmp_path: Path) -> None:
    assert archive_options(tmp_path) == []
    assert "kafka.Kafka" in Kafka(site).command()


def test_kafka_uses_the_archive_of_its_classes_where_there_is_one(tmp_path: Path) -> None:
    archive = tmp_path / "kafka-classes" / "kafka.jsa"
    archive.parent.mkdir()
    archive.touch()
    assert f"-XX:SharedArchiveFile={archive}" in archive_options(tmp_path)


def test_the_store_notifies_this_kafka(site: StackContext) -> None:
    text = SeaweedFS(site).files()["notification.toml"]
    assert f"127.0.0.1:{site.identity.ports['kafka']}" in text
    assert "storage.object.changed" in text


def test_the_stores_credentials_are_not_on_its_command_line(site: StackContext) -> None:
    command = shlex.join(SeaweedFS(site).command())
    assert site.keys.internal.store_signing not in command
    for credential in site.keys.credentials.values():
        assert credential.secret_key not in command
        assert credential.access_key not in command


def test_every_server_of_the_store_accepts_the_certificate_of_this_stack_alone(site: StackContext) -> None:
    security = tomllib.loads(SeaweedFS(site).files()["security.toml"])
    ca = f"{site.layout.keys}/ca.pem"
    servers = ("master", "volume", "filer", "admin")
    assert {security["grpc"]["ca"], *(security["https"][server]["ca"] for server in servers)} == {ca}
    for part in ("master", "volume", "filer", "s3", "admin", "worker"):
        assert security["grpc"][part]["allowed_commonNames"] == "seaweedfs"
        assert security["grpc"][part]["cert"] == f"{site.layout.keys}/seaweedfs.pem"


def test_the_store_takes_no_further_identity_from_the_callers_environment(site: StackContext) -> None:
    assert any(line.startswith("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY") for line in SeaweedFS(site).before())


def test_java_reads_kafkas_jars_by_their_installed_path_unless_it_has_a_colon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, expected in ((tmp_path / "a parts", tmp_path / "a parts"), (tmp_path / "a:parts", tmp_path / "link")):
        monkeypatch.setenv("UNCIA_PARTS_DIR", str(folder))
        assert class_path(tmp_path / "link") == f"{expected}/kafka/libs/*"


@pytest.fixture
def installed_kafka(site: StackContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """A broker with the first records that the installation keeps, in a stack whose configuration is written."""
    java = tmp_path / "no-java" / "bin" / "java"
    monkeypatch.setattr("uncia.infra.local.kafka.find_java", lambda: java)
    # A link to the installed parts.
    site.layout.parts.unlink()
    part = site.layout.parts / CLASSES_PART
    part.mkdir(parents=True)
    (part / FEATURES_FILE).write_bytes(b"features")
    kafka = Kafka(site)
    site.layout.data("kafka").parent.mkdir(parents=True, exist_ok=True)
    kafka.write(site.layout.run)
    return kafka


def prepare_storage(kafka: Kafka) -> int:
    """The exit status of what the start script runs before the broker."""
    return subprocess.run(["/bin/sh", "-c", "\n".join(kafka.before())], check=False).returncode


def test_a_new_broker_is_formatted_by_a_copy_with_ids_of_its_own(installed_kafka: Kafka) -> None:
    assert prepare_storage(installed_kafka) == 0
    folder = installed_kafka.site.layout.data("kafka")
    ids = dict(line.split("=") for line in (folder / "meta.properties").read_text().splitlines())
    assert (folder / FEATURES_FILE).read_bytes() == b"features"
    assert (ids["cluster.id"], ids["version"]) == (installed_kafka.site.identity.kafka_cluster, "1")
    assert len(ids["directory.id"]) == 22


def test_a_broker_with_messages_is_never_formatted_again(installed_kafka: Kafka) -> None:
    prepare_storage(installed_kafka)
    message = installed_kafka.site.layout.data("kafka") / "message"
    message.write_bytes(b"stored")
    assert prepare_storage(installed_kafka) == 0
    assert message.read_bytes() == b"stored"


def test_a_format_that_was_interrupted_is_repeated(installed_kafka: Kafka) -> None:
    folder = installed_kafka.site.layout.data("kafka")
    folder.mkdir()
    (folder / "meta.properties").write_text("half")
    assert prepare_storage(installed_kafka) == 0
    assert "cluster.id" in (folder / "meta.properties").read_text()


def test_without_the_first_records_the_format_tool_is_run(installed_kafka: Kafka) -> None:
    (installed_kafka.site.layout.parts / CLASSES_PART / FEATURES_FILE).unlink()
    assert "kafka.tools.StorageTool format" in installed_kafka.before()[0]


@pytest.fixture
def installed_triton(site: StackContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StackContext:
    monkeypatch.setenv("UNCIA_PARTS_DIR", str(tmp_path / "parts"))
    (tmp_path / "parts" / "triton").mkdir(parents=True)
    (tmp_path / "parts" / "triton" / "complete.json").write_text('{"python": "3.11"}', encoding="utf-8")
    (tmp_path / "parts" / "triton" / "venv").mkdir()
    (tmp_path / "parts" / "triton" / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return site


def test_triton_serves_a_socket_that_only_its_owner_reaches_and_nothing_else(installed_triton: StackContext) -> None:
    command = Triton(installed_triton).command()
    socket = installed_triton.identity.triton_socket
    assert f"--grpc-address=unix://{socket.with_name('triton.sock')}" in command
    assert {"--allow-http=false", "--allow-metrics=false"} < set(command)
    assert not [option for option in command if "127.0.0.1" in option or "0.0.0.0" in option]
    assert len(str(socket)) < 100
    subprocess.run(["/bin/sh", "-c", "\n".join(Triton(installed_triton).before())], check=True)
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_triton_is_a_user_of_its_own_where_the_stack_runs_as_root(
    installed_triton: StackContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_stack = Triton(installed_triton).command()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    *start, argument = Triton(installed_triton).command()
    confined = Confined.from_json(argument)
    assert start == [sys.executable, "-m", "uncia.infra.local.own_user"]
    assert confined.user == user_number(installed_triton.identity.stack_id)
    assert list(confined.fallback) == as_stack
    assert list(confined.fallback[-len(confined.command) :]) == list(confined.command)
    assert {Path(path).name for path in confined.needs} == {"parts", "models", "usr"}
    assert Path(confined.hidden) == installed_triton.layout.keys
    switched_off = Settings(_env_file=None, triton_own_user=False)
    assert Triton(replace(installed_triton, settings=switched_off)).command() == as_stack


def test_triton_on_http_restricts_the_same_protocols_as_on_the_socket(installed_triton: StackContext) -> None:
    site = replace(installed_triton, settings=Settings(_env_file=None, triton_serve_http=True))
    command = Triton(site).command()
    assert "--http-address=127.0.0.1" in command
    by_option = {
        name: {option.partition("=")[2] for option in command if option.startswith(f"--{name}=")}
        for name in ("http-restricted-api", "grpc-restricted-protocol")
    }
    assert by_option["http-restricted-api"] == by_option["grpc-restricted-protocol"]
    assert len(by_option["http-restricted-api"]) == 2


def test_the_process_of_triton_has_a_private_shared_memory_and_the_arguments_unchanged(tmp_path: Path) -> None:
    """Where the system permits none, Triton starts all the same."""
    shown = 'readlink /proc/self/ns/mnt; stat -c %a /dev/shm; printf "%s|" "$@"; kill -KILL $$'
    done = subprocess.run(
        ["/bin/sh", "-c", _OWN_SHARED_MEMORY, "triton", "/bin/sh", "-c", shown, "triton", "a b", "$HOME", "'"],
        capture_output=True,
        text=True,
    )
    namespace, mode, arguments = done.stdout.splitlines()
    assert arguments == "a b|$HOME|'|"
    # The last process is the first one: nothing waits for it.
    assert done.returncode == -signal.SIGKILL
    private = namespace != str(Path("/proc/self/ns/mnt").readlink())
    assert private == (mode == "700")


@pytest.mark.parametrize("service", own_services(), ids=lambda service: service.name)
def test_a_part_of_ours_starts_with_its_own_keys_alone(site: StackContext, service: type[Worker]) -> None:
    worker = service(site)
    worker.write(site.layout.folder)
    script, own = worker.script.read_text(encoding="utf-8"), site.keys.credentials[service.name]
    for name, credential in site.keys.credentials.items():
        shown = credential.secret_key in script
        assert shown == (name == service.name and bool(PART_IDENTITIES[name].store))
    assert (site.keys.internal.triton_control in script) == (
        TritonRight.CONTROL in PART_IDENTITIES[service.name].triton
    )
    assert stat.S_IMODE(worker.script.stat().st_mode) == 0o600
    assert own.secret_key != site.keys.credentials["operator"].secret_key


def test_the_auditor_has_no_key(site: StackContext) -> None:
    auditor = Auditor(site)
    auditor.write(site.layout.folder)
    script = auditor.script.read_text(encoding="utf-8")
    secrets = [credential.secret_key for credential in site.keys.credentials.values()]
    assert not any(secret in script for secret in [*secrets, site.keys.internal.triton_inference])
    assert auditor.environment()["UNCIA_KAFKA_USERNAME"] == ""


def test_the_broker_reports_requests_to_the_auditor(site: StackContext) -> None:
    logging = Kafka(site).files()["log4j2.properties"]
    assert f"appender.access.fileName={site.layout.logs}/kafka-access.log\n" in logging
    # In a file of properties a backslash stands before the character that it means.
    assert "regex=" + BROKER_LINES.replace("\\", "\\\\") + "\n" in logging


def test_a_worker_removes_the_ready_file_of_its_last_run_before_it_starts(site: StackContext) -> None:
    intake = worker_services()[0](site)
    ready = intake.environment()["UNCIA_READY_FILE"]
    assert intake.before() == [f"rm -f {shlex.quote(ready)}"]
