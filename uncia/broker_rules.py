"""Who may do what on a Kafka broker that denies everything else: rules in Kafka's own terms, from the identities. Pure.

A rule permits one operation on one resource. Kafka's other permissions are implied by these: who may read or write a
topic may describe it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from uncia.access import BrokerRight
from uncia.identities import PERSONS, Identity
from uncia.namespaces import derived_namespace, derived_prefixes
from uncia.settings import Settings

__all__ = ["Operation", "Resource", "Rule", "rules_of"]

_ANY = "*"


class Resource(StrEnum):
    """Kinds of resources, with Kafka's names."""

    TOPIC = "topic"
    GROUP = "group"


class Operation(StrEnum):
    """Operations, with Kafka's names."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"
    DESCRIBE = "describe"
    DESCRIBE_CONFIGS = "describe_configs"


@dataclass(frozen=True, order=True)
class Rule:
    """One permission."""

    resource: Resource
    name: str
    """`*` for every resource of the kind."""
    operation: Operation
    prefixed: bool = False
    """True when it holds for every resource whose name begins with `name`."""


def rules_of(identity: Identity, settings: Settings) -> frozenset[Rule]:
    """All rules of an identity in the namespace of these settings."""
    return frozenset(_rules(identity, settings))


def _rules(identity: Identity, settings: Settings) -> Iterator[Rule]:
    for topic in identity.reads | identity.changelogs:
        yield Rule(Resource.TOPIC, topic.full_name(settings), Operation.READ)
    for topic in identity.writes | identity.changelogs:
        yield Rule(Resource.TOPIC, topic.full_name(settings), Operation.WRITE)
    for topic in identity.changelogs:
        yield Rule(Resource.TOPIC, topic.full_name(settings), Operation.CREATE)
    if identity.group:
        prefix = f"{settings.namespace}." if settings.namespace else ""
        yield Rule(Resource.GROUP, f"{prefix}{identity.group}", Operation.READ, prefixed=identity.role in PERSONS)
    if identity.namespace:
        # With the dot: the topics of the replay `a` do not include those of `a-2`.
        prefix = f"{derived_namespace(identity.namespace, settings)}."
        for operation in (Operation.READ, Operation.WRITE, Operation.CREATE):
            yield Rule(Resource.TOPIC, prefix, operation, prefixed=True)
        yield Rule(Resource.GROUP, prefix, Operation.READ, prefixed=True)
    if BrokerRight.INSPECT in identity.broker:
        for operation in (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS):
            yield Rule(Resource.TOPIC, _ANY, operation)
        yield Rule(Resource.GROUP, _ANY, Operation.DESCRIBE)
    if BrokerRight.REPLAY in identity.broker:
        for prefix in derived_prefixes(settings):
            for operation in (Operation.READ, Operation.WRITE, Operation.CREATE, Operation.DELETE):
                yield Rule(Resource.TOPIC, prefix, operation, prefixed=True)
            for operation in (Operation.READ, Operation.DELETE):
                yield Rule(Resource.GROUP, prefix, operation, prefixed=True)
