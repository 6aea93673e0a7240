"""The Helm chart as Helm renders it: valid by the schemas of Kubernetes, KEDA and Prometheus, confined, no secrets.

Package registries have no schemas of the resources of Strimzi: those are checked by
`tests/unit/infra/kubernetes` only as far as they are generated.
"""

import json
import subprocess
from functools import lru_cache
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.paths import ROOT
from tests.toolchains import go_module, go_program, kubernetes_schemas
from uncia.infra.kubernetes.parts import deployed_parts

CHART = ROOT / "infra" / "kubernetes" / "chart"
VERSION = "1.37.0"
_STRIMZI = "kafka.strimzi.io/v1"
_CUSTOM = {
    "keda.sh": ("github.com/kedacore/keda/v2", "v2.21.0", "config/crd/bases/keda.sh_{}s.yaml"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_{}s.yaml",
    ),
}

ALL = ("alerts.rulesConfigMap=rules", "store.endpoint=https://store.example.org", "dashboard.replicas=2")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = go_program("helm.sh/helm/v3/cmd/helm", "v3.21.4")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)


def template(*values: str) -> subprocess.CompletedProcess[str]:
    options = [option for value in values for option in ("--set", value)]
    return helm("template", "uncia", str(CHART), "--namespace", "uncia", "--kube-version", VERSION, *options)


@lru_cache
def rendered(*values: str) -> tuple[dict[str, Any], ...]:
    done = template(*values)
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)


def of_kind(kind: str, *values: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in rendered(*values) if found["kind"] == kind}


def pods(*values: str) -> dict[str, dict[str, Any]]:
    found = {**of_kind("Deployment", *values), **of_kind("Job", *values)}
    return {name: resource["spec"]["template"]["spec"] for name, resource in found.items()}


@lru_cache
def _definitions() -> tuple[dict[str, Any], Registry[Any]]:
    definitions = json.loads((kubernetes_schemas(VERSION) / "_definitions.json").read_text(encoding="utf-8"))
    resource = Resource.from_contents(definitions, default_specification=DRAFT7)
    return definitions, Registry().with_resource("_definitions.json", resource)


def validate(resource: dict[str, Any]) -> None:
    """Raise `ValidationError` for a resource that its schema does not permit; unknown fields are not permitted."""
    group, _, version = resource["apiVersion"].rpartition("/")
    kind = resource["kind"].lower()
    if group in _CUSTOM:
        module, release, path = _CUSTOM[group]
        text = (go_module(module, release) / path.format(kind)).read_text(encoding="utf-8")
        versions = yaml.safe_load(text)["spec"]["versions"]
        schema = next(found["schema"]["openAPIV3Schema"] for found in versions if found["name"] == version)
        jsonschema.Draft7Validator(_closed(schema)).validate(resource)
        return
    # The schema's files have the first part of the group's name: `networking` for `networking.k8s.io`.
    name = "-".join(filter(None, (kind, group.partition(".")[0], version)))
    schema = json.loads((kubernetes_schemas(VERSION) / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema, registry=_definitions()[1]).validate(resource)


def _closed(schema: Any) -> Any:
    """A schema of a custom resource that permits no unknown fields, as the server does with strict validation."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        # `metadata` is the server's own type, which these schemas leave open.
        closed["additionalProperties"] = False
    return closed


def test_helm_finds_no_fault() -> None:
    done = helm("lint", "--strict", "--kube-version", VERSION, str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", [(), ALL, ("triton.gpus=0", "monitoring.enabled=false", "models.create=false")])
def test_every_resource_follows_its_schema(values: tuple[str, ...]) -> None:
    for resource in rendered(*values):
        if resource["apiVersion"] != _STRIMZI:
            validate(resource)


def test_the_schemas_refuse_misspelt_fields() -> None:
    for kind in ("Deployment", "ScaledObject"):
        broken = json.loads(json.dumps(next(iter(of_kind(kind).values()))))
        broken["spec"]["replicaz"] = 1
        with pytest.raises(jsonschema.ValidationError):
            validate(broken)


def test_no_name_is_used_twice() -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in rendered(*ALL)]
    assert len(names) == len(set(names))


def test_every_part_of_the_topology_has_a_deployment_and_a_budget() -> None:
    expected = {f"uncia-{part.name}" for part in deployed_parts()} | {"uncia-triton"}
    assert set(of_kind("Deployment", *ALL)) == expected
    assert set(of_kind("PodDisruptionBudget", *ALL)) == expected
    assert set(of_kind("Deployment")) == expected - {"uncia-alerts"}


def test_no_container_has_privileges_or_writes_to_its_image() -> None:
    for pod in pods(*ALL).values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert not container["image"].endswith(":latest")


def test_secrets_are_only_referred_to() -> None:
    assert not of_kind("Secret", *ALL)
    for pod in pods(*ALL).values():
        for container in pod["containers"]:
            names = {variable["name"] for variable in container.get("env", [])}
            assert not {name for name in names if name.endswith(("_KEY", "PASSWORD", "_URL", "ACCOUNTS"))}


def test_nothing_is_reachable_from_outside_but_the_dashboard_behind_its_ingress() -> None:
    services = of_kind("Service", *ALL)
    assert set(services) == {"uncia-dashboard", "uncia-triton"}
    assert all(service["spec"].get("type", "ClusterIP") == "ClusterIP" for service in services.values())
    (ingress,) = of_kind("Ingress", *ALL).values()
    assert ingress["spec"]["tls"]
    assert not any(
        port.get("hostPort") for pod in pods(*ALL).values() for port in pod["containers"][0].get("ports", [])
    )
    assert not any(pod.get("hostNetwork") for pod in pods(*ALL).values())


def test_pods_may_do_nothing_but_what_their_policy_adds() -> None:
    policies = of_kind("NetworkPolicy", *ALL)
    assert policies["uncia-deny"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policies["uncia-deny"]["spec"])
    to_triton = {
        name
        for name, policy in policies.items()
        for rule in policy["spec"].get("egress", [])
        if any(port["port"] == 8001 for port in rule["ports"])
    }
    assert to_triton == {f"uncia-{name}" for name in ("predict", "predict-backfill", "explain", "second-look")}


def test_workers_scale_to_the_partitions_and_no_further() -> None:
    scaled = of_kind("ScaledObject", "kafka.partitions=7", "alerts.rulesConfigMap=rules")
    assert set(scaled) == {f"uncia-{part.name}" for part in deployed_parts() if part.kind.value == "worker"}
    assert all(found["spec"]["maxReplicaCount"] == 7 for found in scaled.values())
    assert all(topic["spec"]["partitions"] == 7 for topic in of_kind("KafkaTopic", "kafka.partitions=7").values())
    for name in scaled:
        assert "replicas" not in of_kind("Deployment", *ALL)[name]["spec"]


def test_triton_gets_a_gpu_and_its_protocols_are_restricted() -> None:
    (container,) = pods()["uncia-triton"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    script = of_kind("ConfigMap")["uncia-triton"]["data"]["start.sh"]
    assert script.count("-restricted-") == 4
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "value",
    [
        "workers.settings.UNCIA_S3_SECRET_KEY=abc",
        "workers.settings.UNCIA_CATALOGUE_URL=abc",
        "kafka.partitions=0",
        "kafka.partitoins=4",
        "image.workers=uncia:latest",
    ],
)
def test_values_that_are_wrong_or_secret_are_refused(value: str) -> None:
    done = template(value)
    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr
