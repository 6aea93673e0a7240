"""What the broker, the object store and Triton say about requests, as records for the audit log (`uncia.audit`).

Records are rare: one an hour for each key, kind of request and address, so that neither a program that reads all day
nor one that is refused all day fills the log.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uncia.access import StoreAction
from uncia.audit import AuditLog, read_audit
from uncia.identities import PERSONS, STORE_ADMIN, Identity, Role, identity_named
from uncia.infra.local.store_access import key_of_user
from uncia.storage.object_keys import is_derived_key
from uncia.topics import DEPLOYMENT_CHANGED

__all__ = ["BROKER_LINES", "Access", "HourlyRecords", "at_broker", "at_store", "at_store_ports", "at_triton"]

BROKER_LINES = (
    rf"Principal = User:(?:{'|'.join(PERSONS)})(?:-[a-z0-9-]+)? is Allowed .*"
    r"|Principal = User:[^ ]+ is Denied .*"
    r"|\[.*Failed authentication with .*"
)
"""The messages that the broker writes for `at_broker`, as a regular expression without the parts' own requests.

Most messages differ from it at their beginning: the broker compares each request with it.
"""

_AUTHORIZED = re.compile(
    r"(?P<at>\S+) Principal = User:(?P<who>\S+) is (?P<result>Allowed|Denied) operation = (?P<operation>\S+) "
    r"from host = (?P<address>\S+) on resource = (?P<kind>\w+):\w+:(?P<name>.*) for request = (?P<request>\w+) "
)
_SIGN_IN = re.compile(r"(?P<at>\S+) .*Failed authentication with [^/]*/(?P<address>[0-9a-fA-F.:]+) ")
_TRITON_REFUSAL = re.compile(r"(?P<at>\S+) This protocol is restricted, expecting header '\S*uncia-(?P<right>\w+)'")
_STORE_PORT_REFUSAL = re.compile(r"(?P<at>\S+) (?P<address>\S+) (?P<error>tls: .*)")
_READS = ("Fetch", "ShareFetch")

_IDENTIFYING = ("action", "who", "what", "hour", "address")

MAX_AN_HOUR = 500
"""Records of one kind about one key, each with another address."""
_FEWER_AN_HOUR = {"broker_sign_in_refused": 50, "store_sign_in_refused": 50, "store_port_refused": 50}
"""Of kinds that need no key."""
_LONGEST_NAME = 249
"""Characters of a topic's name. That of a consumer group can have 32,767, which would push older records out."""

_REFUSALS = (401, 403)
_CHANGED_ON_ITS_WAY = "BadDigest"
"""The content differs from the signed digest. A request that was recorded and sent again with other content is so."""
_RECORDED_AT_STORE = (*PERSONS, Role.GATEWAY, Role.UPLOADER)
"""Roles whose keys leave the stack."""


@dataclass(frozen=True)
class Access:
    """One kind of request in one hour."""

    action: str
    who: str
    """Name of the key; empty where it is not known."""
    what: str
    hour: str
    """`2026-11-30T14`, UTC."""
    address: str = ""
    details: Mapping[str, str] = field(default_factory=dict, compare=False)


def at_broker(line: str) -> Iterator[Access]:
    """What a line of the broker, `TIME MESSAGE`, says: keys of persons used, positions read, what was refused."""
    if found := _AUTHORIZED.match(line):
        who, address, hour = found["who"], found["address"], found["at"][:13]
        if found["result"] == "Denied":
            what = f"{found['operation']} {found['kind']}".lower()
            yield Access("broker_refused", who, what, hour, address, {"name": found["name"][:_LONGEST_NAME]})
            return
        yield Access("key_used", who, "kafka", hour, address)
        if found["operation"] == "READ" and found["request"] in _READS and _has_positions(found["name"]):
            yield Access("positions_read", who, found["name"], hour, address)
    elif found := _SIGN_IN.match(line):
        yield Access("broker_sign_in_refused", "", "kafka", found["at"][:13], found["address"])


def _has_positions(topic: str) -> bool:
    """True for the topic of deployments, also of a replay and of another namespace."""
    return topic == DEPLOYMENT_CHANGED.name or topic.endswith(f".{DEPLOYMENT_CHANGED.name}")


def at_triton(line: str) -> Iterator[Access]:
    """What a line of Triton's refusals, `TIME MESSAGE`, says: which of its two keys a request did not have.

    Triton knows no users, and its socket no addresses.
    """
    if found := _TRITON_REFUSAL.match(line):
        yield Access("triton_refused", "", found["right"], found["at"][:13])


def at_store_ports(line: str) -> Iterator[Access]:
    """What a line of connections that the store refused, `TIME ADDRESS ERROR`, says.

    Their clients had no certificate of the stack, at a port that is for the store's own parts.
    """
    if found := _STORE_PORT_REFUSAL.match(line):
        address, details = _address(found["address"].strip("[]")), {"error": found["error"]}
        yield Access("store_port_refused", "", "inner ports", found["at"][:13], address, details)


def at_store(entry: Mapping[str, Any]) -> Iterator[Access]:
    """What an entry of SeaweedFS's audit log says: keys used outside the stack, photographs read, what was refused.

    The address is what the client gives in `X-Real-IP`, if it does. Raises `ValueError`, `KeyError` or `TypeError` for
    anything but an entry.
    """
    hour = datetime.fromtimestamp(int(entry["time"]), UTC).isoformat()[:13]
    who, address, status = key_of_user(str(entry["requester"])), _address(str(entry["remote_ip"])), int(entry["status"])
    method = str(entry["operation"]).removeprefix("REST.").partition(".")[0]
    key, error = str(entry["key"]), str(entry["error_code"])
    identity = identity_named(who)
    if status in _REFUSALS or error == _CHANGED_ON_ITS_WAY or _deletes_without_right(identity, method, key, status):
        details = {"name": key[:_LONGEST_NAME], "error": error}
        if who:
            what = f"{method} {'object' if key else 'bucket'}".lower()
            yield Access("store_refused", who, what, hour, address, details)
        else:
            yield Access("store_sign_in_refused", "", "object store", hour, address, details)
        return
    if identity is None or not (identity.role in _RECORDED_AT_STORE or identity == STORE_ADMIN):
        return
    yield Access("key_used", who, "object store", hour, address)
    if method == "GET" and identity.role in PERSONS and status < 400 and key and not is_derived_key(key):
        yield Access("photographs_read", who, "/".join(key.split("/")[:2])[:_LONGEST_NAME], hour, address)


def _deletes_without_right(identity: Identity | None, method: str, key: str, status: int) -> bool:
    """True for a request to delete several objects, which the store answers with 200 and a refusal of each."""
    if method != "POST" or key or status != 200 or identity is None or identity == STORE_ADMIN:
        return False
    return not any(right.action is StoreAction.DELETE for right in identity.store)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


class HourlyRecords:
    """Writes each access into the audit log once, also when it is seen again after a restart. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        self._log = AuditLog(path)
        self._known: set[Access] = set()
        for record in read_audit(path):
            if "hour" in record:
                action, who, what, hour, address = (str(record.get(name, "")) for name in _IDENTIFYING)
                self._known.add(Access(action, who, what, hour, address))

    def record(self, access: Access) -> None:
        """Append it, unless it is known or the hour has had too many of its kind and key."""
        if access in self._known:
            return
        self._known = {known for known in self._known if known.hour >= access.hour}
        alike = sum((known.action, known.who) == (access.action, access.who) for known in self._known)
        if alike >= _FEWER_AN_HOUR.get(access.action, MAX_AN_HOUR):
            left_out = Access("records_left_out", access.who, access.action, access.hour)
            if left_out not in self._known:
                self._known.add(left_out)
                self._log.record(left_out.action, left_out.who, left_out.what, hour=left_out.hour)
            return
        self._known.add(access)
        address = {"address": access.address} if access.address else {}
        self._log.record(access.action, access.who, access.what, hour=access.hour, **address, **access.details)
