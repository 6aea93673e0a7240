"""Who may do what: one identity for each worker, service, gateway and person's client. Pure: no keys, no files.

The rights are those of the rows of `uncia.topology`, so that a part which gains a topic gains the right to it in the
same change, and no other. Whoever enforces them (the object store, Triton, a Kafka broker) derives its own rules from
`Identity`; `uncia.infra.local.credentials` draws the keys.

Nobody may delete photographs, older versions of them included, or change buckets, not even an operator: this needs the
store's own administrative key, which no running part and no person's client has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote, unquote

from uncia.access import READ_ALL, BrokerRight, StoreAction, StoreRight, TritonRight
from uncia.camtrap.names import canonical_name
from uncia.errors import SettingsError
from uncia.storage.object_keys import FETCH_PREFIX, STATUS_PREFIX, station_problem
from uncia.topics import DEPLOYMENT_CHANGED, INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED, TOPICS, UPLOAD_TOPICS, Topic
from uncia.topology import PARTS, Kind, Part

__all__ = [
    "MAILROOM",
    "OPERATOR",
    "PART_IDENTITIES",
    "PERSONS",
    "STORE_ADMIN",
    "TRITON_KEEPER",
    "Identity",
    "Role",
    "gateway_identity",
    "identity_named",
    "person_identity",
    "replay_identity",
    "shadow_identity",
    "uploader_identity",
]


class Role(StrEnum):
    """Kinds of identities."""

    PART = "part"
    """A worker or service of the topology, the watchdog of Triton, or the mailroom."""
    STORE = "store"
    """The object store itself."""
    GATEWAY = "gateway"
    """The gateway of one station."""
    UPLOADER = "uploader"
    """An S3 client that stores photographs and status reports of one station, and reads nothing."""
    OPERATOR = "operator"
    """A person who runs Uncia: the commands of the command line."""
    SUBSCRIBER = "subscriber"
    """A person's program that reads results."""
    PUBLIC = "public"
    """A program of anybody, which reads the public tier alone."""
    RANGER = "ranger"
    """A person in the field, who reads positions, too."""
    EXPORTER = "exporter"
    """A person's program that copies the catalogue."""
    REPLAY = "replay"
    """The workers of one replay."""
    SHADOW = "shadow"
    """The worker of one shadow."""


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
    """The consumer group, without the namespace; empty for an identity without one. A person's programs may have
    further groups, whose names begin with this one."""
    broker: tuple[BrokerRight, ...] = ()
    namespace: str = ""
    """The end of the derived namespace (`uncia.namespaces`) whose topics and consumer groups it uses, all of them."""

    @property
    def uses_kafka(self) -> bool:
        """True when it has any right at the broker."""
        return bool(self.reads or self.writes or self.changelogs or self.broker or self.namespace)

    def permits_object(self, action: StoreAction, key: str) -> bool:
        """True when it may do this with the object of the upload bucket that has this key."""
        return any(right.permits(action, key) for right in self.store)


def _part(part: Part) -> Identity:
    carried_out = tuple(row for row in PARTS if row.kind is Kind.COMMAND and row.name in part.acts_for)
    return Identity(
        part.name.replace(" ", "-"),
        Role.STORE if part.name == "object store" else Role.PART,
        part.description,
        part.store,
        part.triton,
        reads=_topics((part, *carried_out), "inputs"),
        writes=_topics((part, *carried_out), "writes"),
        changelogs=frozenset(part.changelogs),
        group=part.group,
        broker=_broker_rights((part, *carried_out)),
    )


def _topics(parts: Iterable[Part], column: str) -> frozenset[Topic]:
    return frozenset(topic for part in parts for topic in getattr(part, column))


def _broker_rights(parts: Iterable[Part]) -> tuple[BrokerRight, ...]:
    return tuple(sorted({right for part in parts for right in part.broker}))


(_ROW_OF_SUBSCRIBERS,) = (part for part in PARTS if part.name == "subscribers")
"""What any subscriber may read."""
(_ROW_OF_PUBLIC,) = (part for part in PARTS if part.name == "public")
"""What anybody with a key may read."""


TRITON_KEEPER = Identity(
    "triton-keeper",
    Role.PART,
    "Watches Triton and reloads models that stop answering; only the embedded stack has it.",
    triton=(TritonRight.INFERENCE, TritonRight.CONTROL),
)

MAILROOM = Identity(
    "mailroom",
    Role.PART,
    "Receives photographs of cellular cameras and uploads them; only an embedded stack with UNCIA_MAILROOM has it.",
    store=(StoreRight(StoreAction.WRITE), StoreRight(StoreAction.READ)),
)
"""Reads for the comparison before a file is removed from the inbox; it knows the keys of what it stored."""

_READERS = (_ROW_OF_SUBSCRIBERS, _ROW_OF_PUBLIC)

PART_IDENTITIES: dict[str, Identity] = {
    identity.name: identity
    for identity in (
        *(_part(part) for part in PARTS if part.kind is not Kind.COMMAND and part not in _READERS),
        TRITON_KEEPER,
        MAILROOM,
    )
}
"""The identities of the workers, the services and the object store, of the watchdog and the mailroom, by name."""


_COMMANDS = tuple(part for part in PARTS if part.kind is Kind.COMMAND)

OPERATOR = Identity(
    "operator",
    Role.OPERATOR,
    "A person at the command line: reads and stores objects without deleting any, and manages models.",
    store=(*READ_ALL, StoreRight(StoreAction.WRITE)),
    triton=(TritonRight.INFERENCE, TritonRight.CONTROL),
    reads=frozenset(TOPICS),
    writes=_topics(_COMMANDS, "writes"),
    group="operator",
    broker=_broker_rights(_COMMANDS),
)
"""Writes what the commands of the topology do, and reads every topic: the search for a fault needs that."""

_RESULTS = frozenset(_ROW_OF_SUBSCRIBERS.reads)
_EXPORTED = _topics((part for part in PARTS if part.name == "catalogue"), "reads") - {
    INDIVIDUAL_SIGHTED,
    INDIVIDUAL_DECIDED,
}

PERSONS: dict[Role, Identity] = {
    Role.SUBSCRIBER: Identity(
        Role.SUBSCRIBER.value,
        Role.SUBSCRIBER,
        "A program that reads verdicts, crops, explanations, assessments of clocks and status reports; no positions, "
        "no pictures.",
        reads=_RESULTS,
    ),
    Role.PUBLIC: Identity(
        Role.PUBLIC.value,
        Role.PUBLIC,
        "A program of anybody: reads what the worker `redact` publishes, and nothing else.",
        reads=frozenset(_ROW_OF_PUBLIC.reads),
    ),
    Role.RANGER: Identity(
        Role.RANGER.value,
        Role.RANGER,
        "A person in the field: reads what subscribers read, and the exact positions of cameras.",
        reads=_RESULTS | {DEPLOYMENT_CHANGED},
    ),
    Role.EXPORTER: Identity(
        Role.EXPORTER.value,
        Role.EXPORTER,
        "A program that copies the catalogue elsewhere: reads all that the catalogue reads but individuals, and all "
        "objects.",
        store=READ_ALL,
        reads=_EXPORTED,
    ),
    Role.OPERATOR: OPERATOR,
}
"""What each role of a person may do; `person_identity` gives it a name."""

STORE_ADMIN = Identity(
    "store-admin",
    Role.STORE,
    "Creates buckets and sets up the store; used by `uncia up`, and by `uncia forget` to delete photographs.",
)
"""Its rights are not listed: the store permits it everything. The name of its key, and nothing else."""


_GATEWAY = "gateway-"
_UPLOADER = "uploader-"
_REPLAY = "replay-"
_SHADOW = "shadow-"


def gateway_identity(station: str) -> Identity:
    """The identity of a station's gateway: stores and reads back objects of its own station, and status reports of its
    cameras, reads which of its photographs were requested, and nothing else.

    Raises `SettingsError` for a name that no gateway accepts, or that has characters with a meaning in rules of stores.
    """
    station = _checked_station(station)
    own = (f"{station}/", f"{STATUS_PREFIX}{station}/")
    return Identity(
        f"{_GATEWAY}{quote(station, safe='')}",
        Role.GATEWAY,
        f"The gateway of the station {station}.",
        store=(
            *(StoreRight(action, prefix) for prefix in own for action in (StoreAction.WRITE, StoreAction.READ)),
            StoreRight(StoreAction.READ, f"{FETCH_PREFIX}{station}/"),
        ),
    )


def uploader_identity(station: str) -> Identity:
    """The identity of an S3 client that stores objects of one station, and can read and list none, not even its own.

    Raises `SettingsError`, as `gateway_identity` does.
    """
    station = _checked_station(station)
    return Identity(
        f"{_UPLOADER}{quote(station, safe='')}",
        Role.UPLOADER,
        f"Any S3 client that stores photographs and status reports of the station {station}.",
        store=tuple(StoreRight(StoreAction.WRITE, prefix) for prefix in (f"{station}/", f"{STATUS_PREFIX}{station}/")),
    )


def _checked_station(station: str) -> str:
    station = canonical_name(station)
    if not station or "/" in station or station.startswith(".") or not station.isprintable():
        raise SettingsError(f"{station!r} is not the name of a station")
    if problem := station_problem(station):
        raise SettingsError(problem)
    if special := sorted(set(station) & set("*?$\\{}[]")):
        raise SettingsError(
            f"the station {station!r} has the characters {' '.join(special)}, which stand for other stations in the "
            "rules of object stores: choose another name for it"
        )
    return station


def person_identity(role: Role, name: str) -> Identity:
    """The identity of a person, or of a person's program, in one of the roles `PERSONS`.

    Its consumer groups begin with the name of the identity. Raises `SettingsError` for a name that does not consist of
    lower-case letters, digits and `-`.
    """
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", name):
        raise SettingsError(
            f"{name!r} cannot name a key: use 1 to 40 lower-case letters, digits and dashes, such as `map-office`"
        )
    own = f"{role.value}-{name}"
    return replace(PERSONS[role], name=own, group=own)


def replay_identity(name: str) -> Identity:
    """The identity of a replay's workers: its own topics alone, all photographs, and inference.

    They need no live topic: `uncia replay start` copies what they read. Raises `SettingsError` for a name that no
    replay can have.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise SettingsError(f"{name!r} is not the name of a replay")
    return Identity(
        f"{_REPLAY}{name}",
        Role.REPLAY,
        f"The workers of the replay {name}.",
        store=READ_ALL,
        triton=(TritonRight.INFERENCE,),
        namespace=f"{_REPLAY}{name}",
    )


def shadow_identity(name: str) -> Identity:
    """The identity of a shadow's worker: the live uploads, its own topics, all photographs, and inference.

    `name` is what follows `shadow-` in its namespace, such as `species-classifier-v2`. Raises `SettingsError` for a
    name that no shadow can have.
    """
    if not re.fullmatch(r"[a-z0-9-]+-v[0-9]+", name):
        raise SettingsError(f"{name!r} is not the name of a shadow")
    return Identity(
        f"{_SHADOW}{name}",
        Role.SHADOW,
        f"The worker of the shadow {name}.",
        store=READ_ALL,
        triton=(TritonRight.INFERENCE,),
        reads=frozenset(UPLOAD_TOPICS),
        namespace=f"{_SHADOW}{name}",
    )


def identity_named(name: str) -> Identity | None:
    """The identity with this name, or None for a name that no identity has."""
    fixed = {**PART_IDENTITIES, OPERATOR.name: OPERATOR, STORE_ADMIN.name: STORE_ADMIN}
    if name in fixed:
        return fixed[name]
    try:
        if name.startswith(_GATEWAY):
            identity = gateway_identity(unquote(name.removeprefix(_GATEWAY), errors="strict"))
        elif name.startswith(_UPLOADER):
            identity = uploader_identity(unquote(name.removeprefix(_UPLOADER), errors="strict"))
        elif name.startswith(_REPLAY):
            identity = replay_identity(name.removeprefix(_REPLAY))
        elif name.startswith(_SHADOW):
            identity = shadow_identity(name.removeprefix(_SHADOW))
        else:
            kind, _, own = name.partition("-")
            role = next((role for role in PERSONS if role.value == kind), None)
            if role is None:
                return None
            identity = person_identity(role, own)
    except (SettingsError, UnicodeDecodeError):
        return None
    return identity if identity.name == name else None
