"""Rotates what several parts of a stack share: the keys of Triton, and the certificates of its servers.

Servers read both at their start, so a rotation stops the parts that have them, replaces the files, and starts the parts
again in the order of their dependencies. All have the new ones then: a part never meets a server that has others. What
arrives meanwhile waits: photographs at Kafka, where Triton is away, and at the gateways, where the store is.

A rotation that is killed in between leaves stopped parts and the old files or the new ones; `uncia up` starts them.
"""

import getpass
from collections.abc import Callable, Sequence
from dataclasses import asdict

from uncia.audit import AuditLog, audit_file
from uncia.errors import StackError
from uncia.identities import PART_IDENTITIES, Identity
from uncia.infra.local.certificates import NETWORK, renew_certificates
from uncia.infra.local.credentials import InternalKeys, write_internal_keys
from uncia.infra.local.kafka import Kafka
from uncia.infra.local.layout import replace_in_files
from uncia.infra.local.part_order import PART_NAMES, create_services, start_all, stop, with_dependencies
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.seaweedfs_network import SeaweedFSNetwork
from uncia.infra.local.service import Service
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor
from uncia.infra.local.triton import Triton

__all__ = ["CERTIFICATE_PARTS", "TRITON_PARTS", "rotate_certificates", "rotate_triton"]

Say = Callable[[str], None]

_RESTARTED_WITHIN_S = 180.0


def _parts_with(permits: Callable[[Identity], bool]) -> tuple[str, ...]:
    return tuple(name for name in PART_NAMES if name in PART_IDENTITIES and permits(PART_IDENTITIES[name]))


TRITON_PARTS = (*_parts_with(lambda identity: bool(identity.triton)), Triton.name)
"""The parts with keys of Triton, in the order in which they are stopped."""

CERTIFICATE_PARTS = (
    *_parts_with(lambda identity: identity.uses_kafka),
    SeaweedFSNetwork.name,
    SeaweedFS.name,
    Kafka.name,
)
"""The parts that trust the stack's authority, in the order in which they are stopped: the store before Kafka, to which
it sends notifications."""

_SERVERS = (SeaweedFSNetwork.name, SeaweedFS.name, Kafka.name, Triton.name)


def rotate_triton(stack: Stack, say: Say) -> tuple[str, ...]:
    """Replace both keys of Triton. Returns the parts that were restarted. Raises `StackError`.

    `say` is called with one sentence before anything is done.
    """

    def change() -> None:
        before = stack.require_keys().internal
        _write(stack, before, before.with_new_triton_keys())

    return _rotate(
        stack,
        "triton",
        TRITON_PARTS,
        change,
        lambda parts: say(
            f"Triton reads its keys at its start, so {', '.join(parts)} stop for up to a minute; photographs are "
            "still received, and predicted afterwards."
        ),
    )


def rotate_certificates(stack: Stack, say: Say) -> tuple[str, ...]:
    """Replace the authority, all certificates, and the key among the store's servers.

    Returns the parts that were restarted. Raises `StackError`. `say` is called with one sentence before anything is
    done.
    """

    def change() -> None:
        renew_certificates(stack.folder)
        before = stack.require_keys().internal
        _write(stack, before, before.with_new_store_key())
        if stack.is_supervised():
            Kafka(stack.context()).write_keystores()

    elsewhere = (
        "; programs on other machines need the new ca.pem"
        if (stack.folder / "keys" / f"{NETWORK}.pem").exists()
        else ""
    )
    return _rotate(
        stack,
        "certificates",
        CERTIFICATE_PARTS,
        change,
        lambda parts: say(
            f"Servers and clients read certificates at their start, so {', '.join(parts)} stop for up to a minute, "
            f"while gateways keep their photographs{elsewhere}."
        ),
    )


def _write(stack: Stack, before: InternalKeys, after: InternalKeys) -> None:
    write_internal_keys(stack.folder, after)
    stack.write_operator_environment()
    if stack.is_supervised():
        old, new = asdict(before), asdict(after)
        replace_in_files(stack.context().layout.run, {old[name]: new[name] for name in old if old[name] != new[name]})


def _rotate(
    stack: Stack, what: str, parts: Sequence[str], change: Callable[[], None], announce: Callable[[Sequence[str]], None]
) -> tuple[str, ...]:
    """Change files while none of `parts` runs; start those that ran. Returns these."""
    stack.require_keys()
    with stack.locked():
        running = _running(stack, parts)
        names = tuple(service.name for service in running)
        if running:
            announce(names)
            _with_stopped(Supervisor(stack.context().layout), stack, running, change)
        else:
            change()
    AuditLog(audit_file(stack.folder)).record("key_rotated", getpass.getuser(), what)
    return names


def _with_stopped(supervisor: Supervisor, stack: Stack, running: Sequence[Service], change: Callable[[], None]) -> None:
    """Change files while none of these parts runs. They are started again, whether the change succeeds or not."""
    try:
        # Clients first, so that they finish what they do; then the servers, one after the other.
        stop(supervisor, [service for service in running if service.name not in _SERVERS])
        for server in (service for service in running if service.name in _SERVERS):
            stop(supervisor, [server])
        change()
    finally:
        services = create_services(stack.context(), with_dependencies([service.name for service in running]))
        start_all(supervisor, services, _RESTARTED_WITHIN_S, None)


def _running(stack: Stack, parts: Sequence[str]) -> list[Service]:
    """Those of these parts that run, in the same order. Raises `StackError` for one that could not be started again."""
    if not stack.is_supervised():
        return []
    running = {part.name for part in stack.supervised() if part.pid}
    services = {service.name: service for service in create_services(stack.context(), parts)}
    if unwanted := [name for name in parts if name in running and name not in services]:
        raise StackError(
            f"the settings of this stack have switched {', '.join(unwanted)} off since it was started: "
            "`uncia down` and `uncia up`, then again"
        )
    return [services[name] for name in parts if name in running]
