"""`uncia topics register` with a real registry: Apicurio's, in memory, by its copy of Confluent's API."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.free_ports import free_ports
from tests.toolchains import maven_archive
from tests.waiting import SCALE, wait_until
from uncia.commands.topics import app
from uncia.errors import StackError
from uncia.events import BurstResolved
from uncia.events.schemas import standalone_schema
from uncia.infra.local.java import find_java
from uncia.kafka.schema_registry import SchemaRefused, SchemaRegistry

_ARTIFACT = "io.apicurio:apicurio-registry-app:2.5.11.Final:tar.gz:all"
"""The last one that runs on Java 17, which Kafka needs too."""

SUBJECT = "camera.burst.resolved.v1-value"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        java = find_java()
    except StackError as error:
        pytest.skip(str(error))
    (jar,) = maven_archive(_ARTIFACT).glob("apicurio-registry-app-*-runner.jar")
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    log: Path = tmp_path_factory.mktemp("registry") / "log"
    options = ["-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
    with log.open("wb") as output:
        process = subprocess.Popen([java, *options, "-jar", jar], stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or _get(f"{address}/subjects") is not None, 30, str(log))
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        yield address
    finally:
        process.terminate()
        process.wait(SCALE * 20)


def _get(url: str) -> Any:
    """The JSON of a response; None where nothing answers yet."""
    try:
        with urllib.request.urlopen(url, timeout=SCALE * 10) as response:
            return json.loads(response.read())
    except urllib.error.URLError:
        return None


def _register(registry: str, *options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, ["register", registry, "--json", *options])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    parsed: list[dict[str, Any]] = json.loads(result.output)
    return parsed


def test_schemas_are_registered_once_and_read_back_the_same(registry: str) -> None:
    assert {result["state"] for result in _register(registry, "--check")} == {"missing"}
    first = _register(registry)
    assert {result["state"] for result in first} == {"registered"}
    again = _register(registry)
    assert [{**result, "state": "registered"} for result in again] == first
    assert {result["state"] for result in again} == {"present"}
    stored = _get(f"{registry}/subjects/{SUBJECT}/versions/latest")
    assert stored["schemaType"] == "JSON"
    assert json.loads(stored["schema"]) == standalone_schema(BurstResolved)
    assert _get(f"{registry}/config/{SUBJECT}") == {"compatibilityLevel": "FORWARD"}


def test_a_new_optional_field_is_accepted_and_a_changed_one_is_not(registry: str) -> None:
    _register(registry)
    schema = standalone_schema(BurstResolved)
    schema["properties"]["mood"] = {"type": "string"}
    client = SchemaRegistry(registry)
    version = client.register(SUBJECT, json.dumps(schema)).version
    assert version == 2
    schema["properties"]["revision"] = {"type": "string"}
    with pytest.raises(SchemaRefused, match=r"revision"):
        client.register(SUBJECT, json.dumps(schema))
