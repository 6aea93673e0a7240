"""docker-compose.yml follows the Compose Specification and our own rules (loopback, limits, privileges)."""

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import ENVIRONMENT, document, services, text, variables

LOOPBACK = "127.0.0.1:"
ONE_SHOTS = {"keys", "topics", "buckets", "models"}


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


def test_every_published_port_is_a_variable_and_belongs_to_a_server_that_requires_a_sign_in() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert set(published) == {"kafka", "seaweedfs", "dashboard"}
    for name in ("KAFKA_PORT", "S3_PORT", "DASHBOARD_PORT"):
        assert f"- 127.0.0.1:${{{name}:-" in text()
    assert sum(len(ports) for ports in published.values()) == 3


@pytest.mark.parametrize("name", sorted(services()))
def test_dependencies_exist_and_can_fulfil_their_condition(name: str) -> None:
    for other, wanted in services()[name].get("depends_on", {}).items():
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in services()[other]
        else:
            # A service that always restarts never completes.
            assert services()[other]["restart"] in ("no", "on-failure:5")


@pytest.mark.parametrize("name", sorted(services()))
def test_memory_and_processes_are_limited(name: str) -> None:
    assert {"cpus", "memory", "pids"} <= set(services()[name]["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", sorted(services()))
def test_logs_cannot_fill_the_disk(name: str) -> None:
    assert "max-size" in services()[name]["logging"]["options"]


@pytest.mark.parametrize("name", sorted(set(services()) - ONE_SHOTS))
def test_long_running_services_have_a_health_check(name: str) -> None:
    assert services()[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert services()[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(services()))
def test_no_container_has_privileges_or_writes_to_its_image(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service and "privileged" not in service
    assert service["user"] == "10001:10001"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert any(path.startswith("/tmp:") and "size=" in path for path in service["tmpfs"])


@pytest.mark.parametrize("name", ["intake", "predict", "bursts", "clocks"])
def test_workers_can_be_scaled(name: str) -> None:
    # Two containers cannot share a name or a port of the machine.
    assert not {"container_name", "ports"} & set(services()[name])


def test_only_pinned_images_are_pulled() -> None:
    pulled = [service["image"] for service in services().values() if "build" not in service]
    assert pulled
    assert all(":" in image and not image.endswith(":latest") for image in pulled)


def test_nothing_in_the_file_comes_from_a_secret() -> None:
    assert set(variables()) == {"KAFKA_PORT", "S3_PORT", "DASHBOARD_PORT"}
    for kind, default in variables().values():
        assert kind == "-" and default.isdecimal()


@pytest.mark.parametrize("name", sorted(services()))
def test_no_container_has_a_secret_in_its_environment_or_command(name: str) -> None:
    service = services()[name]
    assert not {variable for variable in service.get("environment", {}) if variable.endswith(("_KEY", "PASSWORD"))}
    assert "restricted" not in " ".join(service.get("command", []))


def test_exactly_one_triton_is_started_by_each_profile() -> None:
    by_profile = {service["profiles"][0]: name for name, service in services().items() if name.startswith("triton")}
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


def test_no_file_of_this_machine_is_mounted() -> None:
    # The user of the containers could not read one of a clone with umask 077.
    for service in services().values():
        assert not [mount for mount in service.get("volumes", []) if mount.startswith((".", "/", "~"))]


def test_the_file_names_its_documentation() -> None:
    assert "docs/containers.md" in text()
    assert (ROOT / "docs" / "containers.md").is_file()
