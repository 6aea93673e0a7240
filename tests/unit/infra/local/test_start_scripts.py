"""The start scripts and configuration files that `uncia up` writes."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from uncia.infra.local.kafka import Kafka
from uncia.infra.local.layout import Layout, claim
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.service import Service, Site
from uncia.infra.local.stack_identity import Drawn, draw, environment_of
from uncia.infra.local.workers import worker_services
from uncia.settings import Settings


class Echo(Service):
    """A part that prints its surroundings and ends."""

    name = "echo"

    def check_installed(self) -> None:
        """Always there."""

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", 'printf "%s|%s|%s|%s" "$PWD" "$ODD" "$UNCIA_STACK_PART" "$1"', "sh", "a b$HOME'\""]

    def environment(self) -> dict[str, str]:
        return {"ODD": "100% 'odd'; $HOME\n\"x\""}

    def probe(self) -> str:
        return ""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "a stack, 100% 'odd'; really"
    claim(folder)
    layout = Layout.make(folder)
    drawn: Drawn = draw(folder, layout.short)
    yield Site(layout, drawn, Settings(_env_file=None), environment_of(drawn))
    layout.remove_short()


def test_values_reach_the_part_as_they_are(site: Site) -> None:
    folder = site.layout.folder
    echo = Echo(site)
    echo.write(folder)
    said = subprocess.run(["/bin/sh", echo.script], capture_output=True, text=True, check=True).stdout
    assert said == f"{folder}|100% 'odd'; $HOME\n\"x\"|echo|a b$HOME'\""


def test_the_short_folder_has_no_odd_characters_and_leads_to_the_real_one(site: Site) -> None:
    assert str(site.layout.run).isascii()
    assert not set(str(site.layout.run)) & set(" %;:'")
    assert site.layout.run.resolve() == (site.layout.folder / "run").resolve()


def test_the_control_socket_fits_into_a_socket_address(site: Site) -> None:
    assert len(str(site.layout.socket)) < 100


def test_removing_the_short_folder_leaves_the_stack_alone(site: Site) -> None:
    kept = site.layout.folder / "data" / "kept"
    kept.touch()
    site.layout.remove_short()
    assert kept.exists()
    assert not site.layout.short.exists()


def test_kafka_listens_on_loopback_and_creates_no_topics_by_itself(site: Site) -> None:
    lines = dict(
        line.split("=", 1)
        for line in Kafka(site).files()["kafka.properties"].splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert lines["listeners"].count("://127.0.0.1:") == 2
    assert lines["auto.create.topics.enable"] == "false"


def test_the_store_notifies_this_kafka(site: Site) -> None:
    text = SeaweedFS(site).files()["notification.toml"]
    assert f"127.0.0.1:{site.drawn.ports['kafka']}" in text
    assert "storage.object.changed" in text


def test_the_stores_keys_are_not_on_its_command_line(site: Site) -> None:
    words = shlex.join(SeaweedFS(site).command())
    assert site.drawn.secret_key not in words
    assert site.drawn.signing_key not in words


def test_a_worker_begins_by_removing_the_ready_file_of_the_last_run(site: Site) -> None:
    intake = worker_services()[0](site)
    ready = intake.environment()["UNCIA_READY_FILE"]
    assert intake.before() == [f"rm -f {shlex.quote(ready)}"]
