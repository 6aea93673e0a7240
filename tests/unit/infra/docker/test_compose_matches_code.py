"""Commands, settings, topics, buckets, models and paths in docker-compose.yml must exist in the code."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import mounts, ours, services, uncia_commands
from uncia.access import TritonRight
from uncia.commands.main import build
from uncia.infra.docker import keys, setup
from uncia.infra.docker.container_files import MOUNT, SERVICES_WITH_SETTINGS, VOLUMES, Addresses
from uncia.infra.local import install_person_vehicle
from uncia.infra.local.certificates import ensure_certificates
from uncia.settings import Settings
from uncia.telemetry import READY_FILE
from uncia.topology import WORKERS
from uncia.triton_models.recipes import detector_weights

DOCKERFILE = (ROOT / "infra" / "docker" / "Dockerfile").read_text(encoding="utf-8")


def parse(arguments: list[str]) -> None:
    """Parse a command line completely, as `uncia` does, without running the command."""
    command: Any = typer.main.get_command(build(arguments))
    context = command.make_context("uncia", list(arguments))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("name", sorted(uncia_commands()))
def test_every_command_exists(name: str) -> None:
    parse(list(ours()[name]["command"]))


@pytest.mark.parametrize("name", sorted(set(ours()) - set(uncia_commands())))
def test_every_program_of_infra_docker_has_its_command(name: str) -> None:
    module, arguments = ours()[name]["entrypoint"][2], ours()[name]["command"]
    app = {keys.__name__: keys.app, setup.__name__: setup.app}[module]
    assert arguments[0] in {command.callback.__name__ for command in app.registered_commands if command.callback}


def test_an_unknown_command_is_detected() -> None:
    for wrong in (["topics", "create", "--nonsense"], ["topics", "crate"], ["worker", "unknown"]):
        with pytest.raises(TyperException):
            parse(wrong)


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"UNCIA_{field.upper()}" for field in Settings.model_fields} | {READY_FILE, "UNCIA_SECRETS_DIR"}
    # The addresses that it writes into Kafka's properties, and into a person's settings.
    ports = {"KAFKA_PORT", "S3_PORT"} if name == "keys" else set()
    assert set(ours()[name].get("environment", {})) <= known | ports


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_value_is_valid_for_its_setting(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificates = tmp_path / "own"
    ensure_certificates(certificates)
    for variable, value in ours()[name].get("environment", {}).items():
        # The certificates of the administrator are where the service `keys` draws them.
        monkeypatch.setenv(variable, value.replace("/keys/own", str(certificates)))
    Settings(_env_file=None)


def test_every_service_has_the_files_of_its_own_identity_and_cannot_change_them() -> None:
    for name in services():
        found = {volume: where for volume, where in mounts(name).items() if volume.startswith("keys")}
        if name == "keys":
            expected = {"keys": ("/keys/own", True)} | {f"keys-{of}": (f"/keys/{of}", True) for of in VOLUMES}
        elif name == "topics":
            expected = {"keys": ("/keys/own", False)}
        else:
            expected = {f"keys-{name.removesuffix('-gpu')}": (str(MOUNT), False)}
        assert found == expected, name


def test_every_service_of_ours_reads_its_settings_from_its_files() -> None:
    for name in set(ours()) - {"keys", "topics"}:
        assert name in SERVICES_WITH_SETTINGS
        assert ours()[name]["environment"]["UNCIA_SECRETS_DIR"] == str(MOUNT)


def test_a_shadow_worker_that_a_person_adds_has_files_too() -> None:
    assert set(SERVICES_WITH_SETTINGS) - set(services()) == {"predict-shadow"}


def test_the_service_that_draws_the_keys_has_no_network_and_all_others_start_after_it() -> None:
    assert services()["keys"]["network_mode"] == "none"

    def starts_after_keys(name: str) -> bool:
        return name == "keys" or any(starts_after_keys(other) for other in services()[name].get("depends_on", {}))

    assert [name for name in services() if not starts_after_keys(name)] == []


@pytest.mark.parametrize("volume", ["kafka-data", "seaweedfs-data", *(f"keys-{name}" for name in VOLUMES)])
def test_a_new_volume_gets_its_owner_from_a_folder_of_our_image(volume: str) -> None:
    path, _ = mounts("keys")[volume]
    assert path in owned_folders()


def owned_folders() -> set[str]:
    """The folders that the Dockerfile gives to the user of the containers."""
    commands = re.findall(r"install --directory --owner=uncia --group=uncia([^&\n]*)", DOCKERFILE.replace("\\\n", " "))
    return {word for command in commands for word in command.split() if word.startswith("/")}


def test_the_user_of_the_containers_is_that_of_the_image() -> None:
    assert "useradd --uid 10001 --user-group" in DOCKERFILE


def test_addresses_name_existing_services() -> None:
    found = services()["predict"]["environment"]
    assert found["UNCIA_KAFKA"] == Addresses().kafka.advertised
    assert found["UNCIA_S3_ENDPOINT"].split("//")[1].split(":")[0] in services()
    assert found["UNCIA_TRITON"].split(":")[0] in services()
    assert services()["topics"]["environment"]["UNCIA_KAFKA"] == Addresses().kafka_internal.advertised


def test_kafka_publishes_the_port_that_it_advertises_to_this_machine() -> None:
    outside = Addresses().kafka_outside
    assert services()["kafka"]["ports"] == [f"{outside.advertised}:{outside.listen.rpartition(':')[2]}"]
    assert services()["keys"]["environment"]["KAFKA_PORT"] == outside.advertised.rpartition(":")[2]


def test_kafka_starts_with_its_files_and_stores_its_log_in_its_volume() -> None:
    service = services()["kafka"]
    assert service["command"] == ["sh", f"{MOUNT}/start.sh", str(MOUNT), "/data"]
    assert mounts("kafka")["kafka-data"] == ("/data", True)
    assert Addresses().kafka_logs == Path("/data/log")


def test_kafkas_health_check_signs_in() -> None:
    check = services()["kafka"]["healthcheck"]["test"]
    assert check[check.index("--command-config") + 1] == f"{MOUNT}/health.properties"
    assert check[check.index("--bootstrap-server") + 1] == Addresses().kafka_internal.advertised


def test_the_store_reads_its_identities_and_its_configuration_from_its_files() -> None:
    service = services()["seaweedfs"]
    assert f"-s3.config={MOUNT}/s3_identities.json" in service["command"]
    # It reads notification.toml and security.toml there; so does `weed shell` of its health check.
    assert service["working_dir"] == str(MOUNT)
    assert "environment" not in service


def test_the_store_syncs_before_it_acknowledges_as_in_the_embedded_stack() -> None:
    check = services()["seaweedfs"]["healthcheck"]["test"][1]
    assert f"-locationPrefix=/buckets/{Settings(_env_file=None).bucket}/ -fsync -apply" in check


def test_the_store_sends_no_telemetry() -> None:
    assert "-master.telemetry=false" in services()["seaweedfs"]["command"]


@pytest.mark.parametrize("name", ["triton", "triton-gpu"])
def test_triton_loads_classifier_and_detector_and_its_health_check_infers_with_both(name: str) -> None:
    settings = Settings(_env_file=None)
    models = [settings.model, settings.detector]
    loaded = [part for part in services()[name]["command"] if part.startswith("--load-model=")]
    assert loaded == [f"--load-model={model}" for model in models]
    test, check = services()[name]["healthcheck"]["test"], services()[name]["healthcheck"]
    assert ",".join(models) in test
    # Each model may take its whole timeout.
    assert int(check["timeout"].removesuffix("s")) > len(models) * int(test[-1])


@pytest.mark.parametrize("name", ["triton", "triton-gpu"])
def test_triton_starts_with_the_options_that_restrict_it(name: str) -> None:
    command = services()[name]["command"]
    assert command[:4] == ["sh", f"{MOUNT}/start.sh", f"{MOUNT}/restrictions", "tritonserver"]
    assert "--allow-metrics=false" in command
    assert services()[name]["healthcheck"]["test"][2] == f"{MOUNT}/health.py"


def test_the_image_that_builds_the_models_has_the_weights_of_the_detector() -> None:
    stage = re.search(r"^FROM \w+ AS models\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
    assert stage
    fetched = re.search(r"UNCIA_PARTS_DIR=(\S+) /opt/uncia/bin/python -m uncia\.infra\.docker\.weights", DOCKERFILE)
    copied = re.search(r"^COPY --from=weights (\S+) (\S+)$", stage[1], re.M)
    assert fetched and copied
    assert copied[1] == fetched[1]
    variables = dict(re.findall(r"(UNCIA_\w+)=(\S+)", stage[1]))
    assert variables == {
        "UNCIA_DETECTOR_WEIGHTS": f"{copied[2]}/{detector_weights.NAME}/{detector_weights.FILE}",
        "UNCIA_PERSON_VEHICLE_WEIGHTS": f"{copied[2]}/{install_person_vehicle.PART}",
    }
    # The service must not replace what the image sets.
    assert not set(variables) & set(services()["models"]["environment"])
    assert "weights" in re.findall(r"^FROM models-installed AS (\w+)$", DOCKERFILE, re.M)


@pytest.mark.parametrize("name", sorted(part.name for part in WORKERS.values() if part.embedded))
def test_every_worker_of_the_topology_is_a_service_that_starts_after_what_it_needs(name: str) -> None:
    service, part = services()[name], WORKERS[name]
    assert service["command"] == ["worker", name]
    dependencies = service["depends_on"]
    # Topics need Kafka, and buckets the store.
    assert dependencies["topics"]["condition"] == "service_completed_successfully"
    assert ("buckets" in dependencies) == ("seaweedfs" in part.needs)
    assert ("UNCIA_S3_ENDPOINT" in service["environment"]) == bool(part.store)
    assert ("triton" in dependencies) == ("triton" in part.needs)
    assert ("UNCIA_TRITON" in service["environment"]) == (TritonRight.INFERENCE in part.triton)
    if "triton" in part.needs:
        assert mounts(name)["models"] == ("/models", False)


def test_no_service_runs_a_worker_that_the_topology_does_not_have() -> None:
    run = {service["command"][1] for service in ours().values() if service["command"][0] == "worker"}
    assert run == {part.name for part in WORKERS.values() if part.embedded}


def test_model_builder_triton_and_workers_share_one_folder() -> None:
    builder = services()["models"]
    folder = builder["command"][builder["command"].index("--repository") + 1]
    assert mounts("models")["models"] == (folder, True)
    assert f"--model-repository={folder}" in services()["triton"]["command"]
    for name in ("predict", "explain", "bursts", "triton", "triton-gpu"):
        assert mounts(name)["models"] == (folder, False)
    assert services()["predict"]["environment"]["UNCIA_MODEL_REPOSITORY"] == folder


@pytest.mark.parametrize("name", sorted(ours()))
def test_the_dockerfile_has_the_target_and_runs_it_unprivileged(name: str) -> None:
    target = ours()[name]["build"]["target"]
    stage = re.search(rf"^FROM \w+ AS {target}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
    assert stage
    assert "USER uncia" in stage[1]


def test_everything_that_the_dockerfile_copies_is_in_the_build_context() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in shlex.split(line)[1:-1]
    ]
    assert copied
    assert set(copied) <= allowed
