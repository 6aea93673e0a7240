"""Commands, settings, topics, buckets, models and paths in docker-compose.yml must exist in the code."""

import re
import shlex
import tomllib
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import ours, services
from uncia.access import TritonRight
from uncia.commands.main import build
from uncia.infra.local import install_person_vehicle, kafka, seaweedfs
from uncia.serving.triton_access import restriction_options
from uncia.settings import Settings
from uncia.telemetry import READY_FILE
from uncia.topics import STORAGE_CHANGED
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


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_command_exists(name: str) -> None:
    parse(list(ours()[name]["command"]))


def test_an_unknown_command_is_detected() -> None:
    for wrong in (["topics", "create", "--nonsense"], ["topics", "crate"], ["worker", "unknown"]):
        with pytest.raises(TyperException):
            parse(wrong)


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"UNCIA_{field.upper()}" for field in Settings.model_fields} | {READY_FILE}
    assert set(ours()[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_value_is_valid_for_its_setting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in ours()[name].get("environment", {}).items():
        monkeypatch.setenv(variable, value)
    Settings(_env_file=None)


@pytest.mark.parametrize("name", ["intake", "topics", "bursts"])
def test_workers_that_never_read_the_store_have_no_credentials_for_it(name: str) -> None:
    assert not [variable for variable in ours()[name]["environment"] if "S3" in variable]


def test_addresses_name_existing_services() -> None:
    found = services()["predict"]["environment"]
    assert found["UNCIA_KAFKA"] in services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert found["UNCIA_S3_ENDPOINT"].split("//")[1].split(":")[0] in services()
    assert found["UNCIA_TRITON"].split(":")[0] in services()


def test_kafka_publishes_the_address_that_it_advertises_to_this_machine() -> None:
    outside = re.search(r"OUTSIDE://(\S+)", services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"])
    assert outside
    assert services()["kafka"]["ports"] == [f"{outside[1]}:9092"]


def test_kafka_does_not_auto_create_topics() -> None:
    # A misspelt topic must fail, and Uncia's topics have their own settings.
    assert services()["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_the_store_notifies_the_topic_that_intake_reads() -> None:
    found = notification()["kafka"]
    assert found["enabled"] is True
    assert found["topic"] == STORAGE_CHANGED.name
    assert found["hosts"] == [services()["intake"]["environment"]["UNCIA_KAFKA"]]


def test_the_notification_file_matches_that_of_the_embedded_stack() -> None:
    embedded = seaweedfs._NOTIFICATION.format(kafka="kafka:19092", topic=STORAGE_CHANGED.name)
    assert notification() == tomllib.loads(embedded)["notification"]


def test_the_stores_internal_ports_need_keys_as_in_the_embedded_stack() -> None:
    def leaves(table: dict[str, Any], path: str = "WEED") -> set[str]:
        found: set[str] = set()
        for name, value in table.items():
            under = f"{path}_{name.upper()}"
            found |= leaves(value, under) if isinstance(value, dict) else {under}
        return found

    embedded = tomllib.loads(seaweedfs._SECURITY.format(key="signing"))
    assert leaves(embedded) <= set(services()["seaweedfs"]["environment"])


def test_the_store_has_the_bucket_for_uploads_and_ours() -> None:
    settings = Settings(_env_file=None)
    made = next(argument for argument in services()["seaweedfs"]["command"] if argument.startswith("-bucket="))
    assert made.removeprefix("-bucket=").split(",") == [settings.bucket, *settings.own_buckets]
    assert f"grep -q {settings.bucket}" in services()["seaweedfs"]["healthcheck"]["test"][1]


def test_store_and_broker_sync_before_they_acknowledge_as_in_the_embedded_stack() -> None:
    check = services()["seaweedfs"]["healthcheck"]["test"][1]
    assert f"-locationPrefix=/buckets/{Settings(_env_file=None).bucket}/ -fsync -apply" in check
    assert "log.flush.interval.messages=1" in kafka._SYNC
    assert services()["kafka"]["environment"]["KAFKA_LOG_FLUSH_INTERVAL_MESSAGES"] == "1"


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
def test_triton_restricts_the_same_protocols_as_in_the_embedded_stack(name: str) -> None:
    command = set(services()[name]["command"])
    for option in ("grpc-restricted-protocol", "http-restricted-api"):
        assert set(restriction_options(option, "inference-key", "control-key")) <= command
    assert "--allow-metrics=false" in command


def test_only_services_that_use_triton_have_its_keys() -> None:
    def holders(variable: str) -> set[str]:
        return {name for name, service in services().items() if variable in service.get("environment", {})}

    workers = {name for name, part in WORKERS.items() if part.embedded and TritonRight.INFERENCE in part.triton}
    assert holders("UNCIA_TRITON_INFERENCE_KEY") == workers | {"models", "triton", "triton-gpu"}
    assert holders("UNCIA_TRITON_CONTROL_KEY") == {"models"}


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
    # Topics need Kafka. Intake never reads the store; it needs it to have something to do.
    assert dependencies["topics"]["condition"] == "service_completed_successfully"
    reads_store = "seaweedfs" in part.needs and name != "intake"
    assert ("seaweedfs" in dependencies) == reads_store
    assert ("UNCIA_S3_SECRET_KEY" in service["environment"]) == reads_store
    assert ("triton" in dependencies) == ("triton" in part.needs)
    assert ("UNCIA_TRITON" in service["environment"]) == ("triton" in part.needs)
    if "triton" in part.needs:
        assert any(mount.startswith("models:") for mount in service["volumes"])


def test_no_service_runs_a_worker_that_the_topology_does_not_have() -> None:
    run = {service["command"][1] for service in ours().values() if service["command"][0] == "worker"}
    assert run == {part.name for part in WORKERS.values() if part.embedded}


def test_model_builder_triton_and_workers_share_one_folder() -> None:
    builder = services()["models"]
    folder = builder["command"][builder["command"].index("--repository") + 1]
    assert f"models:{folder}" in builder["volumes"]
    assert f"--model-repository={folder}" in services()["triton"]["command"]
    for name in ("predict", "explain", "bursts", "triton", "triton-gpu"):
        assert f"models:{folder}:ro" in services()[name]["volumes"]
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


def notification() -> dict[str, Any]:
    loaded = tomllib.loads((ROOT / "infra" / "docker" / "notification.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = loaded["notification"]
    return found
