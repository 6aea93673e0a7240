"""What the Helm chart takes from the topology: containers, topics, Kafka users with their rules, and Triton's options.

Pure. The chart reads it as `files/parts.json`; templates hold only what is the same for every part.
"""

from typing import Any

from uncia.access import BrokerRight, TritonRight
from uncia.broker_rules import Operation, Resource, rules_of
from uncia.identities import PART_IDENTITIES, Identity, Role
from uncia.serving.triton_access import restriction_options
from uncia.settings import Settings
from uncia.topics import CHANGELOGS, TOPICS, Topic
from uncia.topology import PARTS, Kind, Part

__all__ = ["COMMANDS", "SCALER", "chart_parts", "deployed_parts"]

SCALER = Identity(
    "scaler",
    Role.PART,
    "KEDA: reads the offsets of consumer groups and topics, and no message.",
    broker=(BrokerRight.INSPECT,),
)

COMMANDS: dict[str, tuple[str, ...]] = {
    "reconcile": ("reconcile", "--every"),
    "catalogue": ("catalogue", "run"),
    "dashboard": ("dashboard", "serve"),
    "deliver": ("deliver",),
}
"""The command of each service; that of a worker is `worker NAME`."""

_ACL_OPERATIONS: dict[Operation, str] = {
    Operation.READ: "Read",
    Operation.WRITE: "Write",
    Operation.CREATE: "Create",
    Operation.DELETE: "Delete",
    Operation.DESCRIBE: "Describe",
    Operation.DESCRIBE_CONFIGS: "DescribeConfigs",
}
"""Strimzi's names."""


def deployed_parts() -> tuple[Part, ...]:
    """The workers and services with a Deployment of their own: those that `uncia up` starts.

    A shadow runs in a namespace of its own and is started by hand.
    """
    return tuple(part for part in PARTS if part.embedded and part.kind in (Kind.WORKER, Kind.SERVICE))


def chart_parts(settings: Settings) -> dict[str, Any]:
    """The content of `files/parts.json`, with the topic names of these settings."""
    users = [*(PART_IDENTITIES[part.name] for part in deployed_parts()), PART_IDENTITIES["object-store"], SCALER]
    return {
        "parts": [_container(part, settings) for part in deployed_parts()],
        # The state's topics too: a part could create its own, but with one replica.
        "topics": [_topic(topic, settings) for topic in (*TOPICS, *CHANGELOGS)],
        "users": [{"name": user.name, "acls": _acls(user, settings)} for user in users],
        "tritonRestrictions": [
            option
            for name in ("grpc-restricted-protocol", "http-restricted-api")
            for option in restriction_options(name, "$inference", "$control")
        ],
    }


def _container(part: Part, settings: Settings) -> dict[str, Any]:
    identity = PART_IDENTITIES[part.name]
    uses_triton = TritonRight.INFERENCE in identity.triton and part.kind is Kind.WORKER
    return {
        "name": part.name,
        "kind": part.kind.value,
        "description": part.description,
        "command": list(COMMANDS.get(part.name, ("worker", part.name))),
        "group": part.group,
        "lagTopics": [topic.full_name(settings) for topic in part.reads],
        # More than one process only where the topology says so; the dashboard's number is a value of the chart.
        "scaled": part.kind is Kind.WORKER,
        "store": bool(identity.store) or "seaweedfs" in part.needs,
        "triton": uses_triton,
        # The label set, with the names of the classes.
        "models": uses_triton or part.name == "bursts",
        "database": part.name in ("catalogue", "dashboard"),
        "wantedBy": part.wanted_by,
    }


def _topic(topic: Topic, settings: Settings) -> dict[str, Any]:
    name = topic.full_name(settings)
    return {"resource": name.lower().replace("_", "-"), "name": name, "config": topic.config()}


def _acls(identity: Identity, settings: Settings) -> list[dict[str, Any]]:
    grouped: dict[tuple[Resource, str, bool], list[str]] = {}
    for rule in sorted(rules_of(identity, settings)):
        grouped.setdefault((rule.resource, rule.name, rule.prefixed), []).append(_ACL_OPERATIONS[rule.operation])
    return [
        {
            "resource": {
                "type": resource.value,
                "name": name,
                "patternType": "prefix" if prefixed else "literal",
            },
            "operations": operations,
        }
        for (resource, name, prefixed), operations in grouped.items()
    ]
