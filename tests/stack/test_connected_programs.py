"""The programs and commands that `uncia connect` prints for Kafka run as they are, with the key of a subscriber."""

import json
import os
import shlex
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.stack.conftest import KIND
from tests.stack.photographs import photograph
from tests.stack.test_clients_s3 import connect
from tests.stack.test_examples import EXAMPLES, running
from tests.toolchains import librdkafka, maven_jar, node, npm_packages, system_programs
from uncia.events import BurstResolved
from uncia.infra.local.java import find_java
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.stack import Stack

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

Upload = Callable[[str, bytes], str]
Settled = Callable[..., list[BurstResolved]]

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"


def needs_kcat(folder: Path) -> dict[str, str]:
    system_programs("kcat")
    return {"LD_LIBRARY_PATH": str(librdkafka())}


def needs_nothing(folder: Path) -> dict[str, str]:
    return {}


def needs_confluent_kafka(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(librdkafka())}


def needs_kafkajs(folder: Path) -> dict[str, str]:
    (folder / "node").write_text(f'#!/bin/sh\nexec {shlex.join(map(str, node()))} "$@"\n')
    packages = npm_packages(EXAMPLES / "subscriber-js" / "package.json")
    return {"NODE_PATH": str(packages / "node_modules")}


def needs_console_consumer(folder: Path) -> dict[str, str]:
    """Kafka's own script does nothing else than to start this class with the jars of a distribution."""
    libraries = sorted((parts_dir() / "kafka" / "libs").glob("*.jar"))
    clients = next((jar for jar in libraries if jar.name.startswith("kafka-clients-")), None)
    if clients is None:
        pytest.skip("Kafka's jars are not installed: run `make setup`")
    version = clients.stem.removeprefix("kafka-clients-")
    jars = os.pathsep.join(map(str, (maven_jar(f"org.apache.kafka:kafka-tools:{version}"), *libraries)))
    java = f'"{find_java()}" -XX:TieredStopAtLevel=1 -cp "{jars}"'
    (folder / "kafka-console-consumer.sh").write_text(f'#!/bin/sh\nexec {java} {CONSOLE_CONSUMER} "$@"\n')
    return {}


NEEDS: dict[str, Callable[[Path], dict[str, str]]] = {
    "kcat": needs_kcat,
    "kafka-python": needs_nothing,
    "confluent-kafka": needs_confluent_kafka,
    "kafkajs": needs_kafkajs,
    "java": needs_console_consumer,
}
"""By client: makes its programs available in a folder, and returns environment variables."""


@pytest.mark.parametrize("client", NEEDS)
def test_what_is_printed_for_a_client_of_kafka_prints_verdicts(
    stack: Stack, upload: Upload, settled: Settled, station: str, tmp_path: Path, client: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    variables = NEEDS[client](programs)
    for program in programs.iterdir():
        program.chmod(0o755)
    subscriber = ("--for", "subscriber", "--name", f"office-{uuid.uuid4().hex[:8]}")
    printed = connect(stack, client, *subscriber, "--output", str(tmp_path / "a client's"), "--json")
    assert printed.returncode == 0, printed.stderr
    (configuration,) = json.loads(printed.stdout)
    others = {name: value for name, value in os.environ.items() if not name.startswith(("UNCIA_", "PYTHONPATH"))}
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), others["PATH"]])
    environment = {**others, "PYTHONPATH": str(ROOT), **variables, "PATH": path}

    first, *further = configuration["commands"]
    upload(f"{station}/cam/x.jpg", photograph(95_000))
    settled(f"{station}/cam")
    with running(["bash", "-c", first], environment, tmp_path) as wait_for:
        wait_for(f"{station}/cam")
    for command in further:
        # In a group, which begins with what comes after it has joined.
        with running(["bash", "-c", command], environment, tmp_path) as wait_for:
            wait_for("assigned")
            upload(f"{station}/cam-2/x.jpg", photograph(95_001))
            wait_for(f"{station}/cam-2")
