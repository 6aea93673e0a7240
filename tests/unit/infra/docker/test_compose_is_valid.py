"""docker-compose.yml follows the Compose Specification and our own rules (loopback, limits, privileges)."""

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import (
    ENVIRONMENT,
    document,
    ours,
    services,
    text,
    variables,
)

LOOPBACK = "127.0.0.1:"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    # check-jsonschema ships the schema; only its file is read.
    path = distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
    loaded: dict[str, Any] = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    return loaded


def test_it_follows_the_compose_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(schema).validate(document())


def test_the_schema_rejects_a_misspelt_key(schema: dict[str, Any]) -> None:
    broken = {**document(), "services": {**services(), "kafka": {**services()["kafka"], "helthcheck": {}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(broken)


@pytest.mark.parametrize("name", sorted(services()))
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith(LOOPBACK) for port in services()[name].get("ports", []))


@pytest.mark.parametrize("name", sorted(services()))
def test_dependencies_exist_and_can_fulfil_their_condition(name: str) -> None:
    for other, wanted in services()[name].get("depends_on", {}).items():
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in services()[other]
        else:
            # A service that always restarts never completes.
            assert services()[other]["restart"] in ("no", "on-failure:5")


@pytest.mark.parametrize("name", sorted(set(services()) - {"topics"}))
def test_memory_and_processes_are_limited(name: str) -> None:
    assert {"cpus", "memory", "pids"} <= set(services()[name]["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", sorted(services()))
def test_logs_cannot_fill_the_disk(name: str) -> None:
    assert "max-size" in services()[name]["logging"]["options"]


@pytest.mark.parametrize("name", sorted(set(services()) - {"topics", "models"}))
def test_long_running_services_have_a_health_check(name: str) -> None:
    assert services()[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert services()[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ours()))
def test_our_own_containers_have_no_privileges(name: str) -> None:
    service = ours()[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "user" not in service


@pytest.mark.parametrize("name", ["intake", "predict", "bursts", "clocks"])
def test_workers_can_be_scaled(name: str) -> None:
    # Two containers cannot share a name or a port of the machine.
    assert not {"container_name", "ports"} & set(services()[name])


def test_only_pinned_images_are_pulled() -> None:
    pulled = [service["image"] for service in services().values() if "build" not in service]
    assert pulled
    assert all(":" in image and not image.endswith(":latest") for image in pulled)


def test_the_file_contains_no_credential_and_a_missing_one_names_the_remedy() -> None:
    secret = {name: rest for name, rest in variables().items() if "KEY" in name or "CLUSTER" in name}
    assert set(secret) == {
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "S3_SIGNING_KEY",
        "TRITON_INFERENCE_KEY",
        "TRITON_CONTROL_KEY",
        "KAFKA_CLUSTER_ID",
    }
    for kind, rest in secret.values():
        assert kind == "?"
        assert "sh infra/docker/env.sh" in rest


def test_exactly_one_triton_is_started_by_each_profile() -> None:
    by_profile = {service["profiles"][0]: name for name, service in services().items() if "profiles" in service}
    assert by_profile == {"cpu": "triton", "gpu": "triton-gpu"}
    assert ENVIRONMENT["COMPOSE_PROFILES"] in by_profile
    assert all("triton" in services()[name]["networks"]["default"]["aliases"] for name in by_profile.values())
    assert not services()["predict"]["depends_on"]["triton"]["required"]
    assert not services()["predict"]["depends_on"]["triton-gpu"]["required"]


def test_only_the_gpu_profile_reserves_a_gpu() -> None:
    reserving = [name for name, service in services().items() if "nvidia" in yaml.safe_dump(service.get("deploy", {}))]
    assert reserving == ["triton-gpu"]


def test_every_named_volume_is_declared_and_used() -> None:
    mounts = [mount for service in services().values() for mount in service.get("volumes", [])]
    named = {mount.split(":")[0] for mount in mounts if not mount.startswith(".")}
    assert named == set(document()["volumes"])


def test_every_file_that_is_mounted_exists() -> None:
    mounts = [mount for service in services().values() for mount in service.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_the_file_names_its_documentation() -> None:
    assert "docs/containers.md" in text()
    assert (ROOT / "docs" / "containers.md").is_file()
