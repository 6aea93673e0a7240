"""Who may do what: one identity for each worker, service, gateway and person's client. Pure: no keys, no files.

The rights are those of the rows of `uncia.topology`, so that a part which gains a topic gains the right to it in the
same change, and no other. Whoever enforces them (the object store, Triton, a Kafka broker) derives its own rules from
`Identity`; `uncia.infra.local.credentials` draws the keys.

Nobody may delete older versions of objects or change buckets, an operator included: these need the store's own
administrative key, which no running part and no person's client has.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

from uncia.access import READ_ALL, StoreAction, StoreRight, TritonRight
from uncia.camtrap.names import canonical_name
from uncia.errors import SettingsError
from uncia.topics import Topic
from uncia.topology import PARTS, Kind, Part

__all__ = [
    "OPERATOR",
    "PART_IDENTITIES",
    "STORE_ADMIN",
    "TRITON_KEEPER",
    "Identity",
    "Role",
    "gateway_identity",
    "identity_named",
]


class Role(StrEnum):
    """Kinds of identities."""

    PART = "part"
    """A worker or service of the topology, or the watchdog of Triton."""
    STORE = "store"
    """The object store itself."""
    GATEWAY = "gateway"
    """The gateway of one station."""
    OPERATOR = "operator"
    """A person who runs Uncia: the commands of the command line."""
    SUBSCRIBER = "subscriber"
    """A person's program that reads results."""


@dataclass(frozen=True)
class Identity:
    """One name, and what it may do."""

    name: str
    """ASCII letters, digits and `_.-~%`: fits a file name, an S3 user and a Kafka principal. Unique."""
    role: Role
    description: str
    store: tuple[StoreRight, ...] = ()
    triton: tuple[TritonRight, ...] = ()
    reads: frozenset[Topic] = frozenset()
    writes: frozenset[Topic] = frozenset()
    changelogs: frozenset[Topic] = frozenset()
    """Topics that it creates, reads and writes alone."""
    group: str = ""
    """The consumer group, without the namespace; empty for an identity without one."""

    def permits_object(self, action: StoreAction, key: str) -> bool:
        """True when it may do this with the object of the upload bucket that has this key."""
        return any(right.permits(action, key) for right in self.store)


def _part(part: Part) -> Identity:
    role = Role.STORE if part.name == "object store" else Role.PART
    if part.name == "subscribers":
        role = Role.SUBSCRIBER
    return Identity(
        part.name.replace(" ", "-"),
        role,
        part.description,
        part.store,
        part.triton,
        reads=frozenset(part.inputs),
        writes=frozenset(part.writes),
        changelogs=frozenset(part.changelogs),
        group=part.group,
    )


TRITON_KEEPER = Identity(
    "triton-keeper",
    Role.PART,
    "Watches Triton and reloads models that stop answering; only the embedded stack has it.",
    triton=(TritonRight.INFERENCE, TritonRight.CONTROL),
)

PART_IDENTITIES: dict[str, Identity] = {
    identity.name: identity
    for identity in (*(_part(part) for part in PARTS if part.kind is not Kind.COMMAND), TRITON_KEEPER)
}
"""The identities of all rows that are not commands, and of the watchdog, by name."""


def _topics(parts: Iterable[Part], column: str) -> frozenset[Topic]:
    return frozenset(topic for part in parts for topic in getattr(part, column))


_COMMANDS = tuple(part for part in PARTS if part.kind is Kind.COMMAND)

OPERATOR = Identity(
    "operator",
    Role.OPERATOR,
    "A person at the command line: reads and stores objects without deleting any, and manages models.",
    store=(*READ_ALL, StoreRight(StoreAction.WRITE)),
    triton=(TritonRight.INFERENCE, TritonRight.CONTROL),
    reads=_topics(_COMMANDS, "inputs"),
    writes=_topics(_COMMANDS, "writes"),
)
"""All that the commands of the topology do."""

STORE_ADMIN = Identity(
    "store-admin",
    Role.STORE,
    "Creates buckets and sets up the store; used by `uncia up` alone.",
)
"""Its rights are not listed: the store permits it everything. The name of its key, and nothing else."""


_GATEWAY = "gateway-"


def gateway_identity(station: str) -> Identity:
    """The identity of a station's gateway: stores and reads back objects of its own station, and nothing else.

    Raises `SettingsError` for a name that no gateway accepts, or that has characters with a meaning in rules of stores.
    """
    station = canonical_name(station)
    if not station or "/" in station or station.startswith(".") or not station.isprintable():
        raise SettingsError(f"{station!r} is not the name of a station")
    if special := sorted(set(station) & set("*?$\\{}[]")):
        raise SettingsError(
            f"the station {station!r} has the characters {' '.join(special)}, which stand for other stations in the "
            "rules of object stores: choose another name for it"
        )
    prefix = f"{station}/"
    return Identity(
        f"{_GATEWAY}{quote(station, safe='')}",
        Role.GATEWAY,
        f"The gateway of the station {station}.",
        store=(StoreRight(StoreAction.WRITE, prefix), StoreRight(StoreAction.READ, prefix)),
    )


def identity_named(name: str) -> Identity | None:
    """The identity with this name, or None for a name that no identity has."""
    fixed = {**PART_IDENTITIES, OPERATOR.name: OPERATOR, STORE_ADMIN.name: STORE_ADMIN}
    if name in fixed:
        return fixed[name]
    if not name.startswith(_GATEWAY):
        return None
    try:
        identity = gateway_identity(unquote(name.removeprefix(_GATEWAY), errors="strict"))
    except (SettingsError, UnicodeDecodeError):
        return None
    return identity if identity.name == name else None
