"""What the chart takes from the topology: complete, current, and with no more rights than the rows have."""

import json
from typing import Any

import yaml

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import services
from uncia.broker_rules import rules_of
from uncia.identities import PART_IDENTITIES
from uncia.infra.kubernetes.generate import generated_files
from uncia.infra.kubernetes.parts import COMMANDS, SCALER, chart_parts, deployed_parts
from uncia.settings import Settings
from uncia.topics import CHANGELOGS, TOPICS
from uncia.topology import Kind

CHART = ROOT / "infra" / "kubernetes" / "chart"
SETTINGS = Settings.model_construct(namespace="")
FOUND: dict[str, Any] = chart_parts(SETTINGS)


def users() -> dict[str, list[dict[str, Any]]]:
    return {user["name"]: user["acls"] for user in FOUND["users"]}


def test_the_generated_files_are_current() -> None:
    for path, text in generated_files(CHART).items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m uncia.infra.kubernetes.generate`"


def test_containers_run_the_commands_and_mount_the_models_of_the_compose_file() -> None:
    for part in FOUND["parts"]:
        service = services()[part["name"]]
        assert part["command"] == service["command"]
        assert part["models"] == any(mount.startswith("models:") for mount in service["volumes"])
        assert part["triton"] == ("UNCIA_TRITON" in service["environment"])
        assert part["store"] == ("UNCIA_S3_ENDPOINT" in service["environment"])
        assert part["database"] == ("UNCIA_CATALOGUE_URL" in service["environment"])


def test_every_service_has_a_command() -> None:
    assert {part.name for part in deployed_parts() if part.kind is Kind.SERVICE} == set(COMMANDS)


def test_each_user_has_exactly_the_rules_of_its_row() -> None:
    for name, acls in users().items():
        identity = SCALER if name == SCALER.name else PART_IDENTITIES[name]
        granted = {
            (acl["resource"]["type"], acl["resource"]["name"], acl["resource"]["patternType"], operation)
            for acl in acls
            for operation in acl["operations"]
        }
        assert granted == {
            (
                rule.resource.value,
                rule.name,
                "prefix" if rule.prefixed else "literal",
                "".join(word.title() for word in rule.operation.value.split("_")),
            )
            for rule in rules_of(identity, SETTINGS)
        }


def test_every_part_has_a_user_of_its_own_and_so_has_the_store() -> None:
    assert set(users()) == {part["name"] for part in FOUND["parts"]} | {"object-store", "scaler"}


def test_the_scaler_reads_no_message() -> None:
    operations = {operation for acl in users()["scaler"] for operation in acl["operations"]}
    assert operations == {"Describe", "DescribeConfigs"}


def test_every_topic_is_there_with_its_settings() -> None:
    assert {topic["name"]: topic["config"] for topic in FOUND["topics"]} == {
        topic.name: topic.config() for topic in (*TOPICS, *CHANGELOGS)
    }


def test_only_workers_scale_and_each_by_the_lag_of_what_it_consumes() -> None:
    for part in FOUND["parts"]:
        assert part["scaled"] == (part["kind"] == "worker")
        assert not part["scaled"] or (part["group"] and part["lagTopics"])


def test_keys_of_triton_are_references() -> None:
    assert len(FOUND["tritonRestrictions"]) == 4
    assert all(option.endswith(("=$inference", "=$control")) for option in FOUND["tritonRestrictions"])


def test_the_values_hold_no_secret_and_only_known_keys() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    for name, value in values.items():
        assert set(value) <= set(schema["properties"][name]["properties"])
    for name in ("store", "database", "triton"):
        assert values[name]["secret"] == f"uncia-{name}"
