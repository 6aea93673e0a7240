"""The start scripts and configuration files that `uncia up` writes."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from uncia.infra.local.kafka import Kafka
from uncia.infra.local.layout import Layout, claim
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.service import Service, StackContext
from uncia.infra.local.stack_identity import StackIdentity, ensure_identity, environment_of
from uncia.infra.local.workers import worker_services
from uncia.settings import Settings


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
    identity: StackIdentity = ensure_identity(folder, layout.runtime_dir)
    yield StackContext(layout, identity, Settings(_env_file=None), environment_of(identity))
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
    assert lines["listeners"].count("://127.0.0.1:") == 2
    assert lines["auto.create.topics.enable"] == "false"


def test_the_store_notifies_this_kafka(site: StackContext) -> None:
    text = SeaweedFS(site).files()["notification.toml"]
    assert f"127.0.0.1:{site.identity.ports['kafka']}" in text
    assert "storage.object.changed" in text


def test_the_stores_credentials_are_not_on_its_command_line(site: StackContext) -> None:
    command = shlex.join(SeaweedFS(site).command())
    assert site.identity.secret_key not in command
    assert site.identity.signing_key not in command


def test_a_worker_removes_the_ready_file_of_its_last_run_before_it_starts(site: StackContext) -> None:
    intake = worker_services()[0](site)
    ready = intake.environment()["UNCIA_READY_FILE"]
    assert intake.before() == [f"rm -f {shlex.quote(ready)}"]
