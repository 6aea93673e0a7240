"""Issues, rotates and revokes keys of a stack, also while it runs.

SeaweedFS reads its file of identities again on SIGHUP, and Kafka changes users by requests; nothing is interrupted.
A part of the stack gets its keys when it starts, so it is restarted when its own are rotated: others wait meanwhile,
and it takes up again what it had not finished.
"""

import getpass
import os
import signal
import time

from pydantic import SecretStr

from uncia.audit import AuditLog, audit_file
from uncia.errors import StackError, UnciaError
from uncia.identities import Identity, Role, gateway_identity, identity_named
from uncia.infra.local.credentials import ALWAYS_DRAWN, Credential, ensure_keys, write_credential
from uncia.infra.local.kafka import Kafka
from uncia.infra.local.layout import replace_in_files
from uncia.infra.local.part_order import PART_NAMES, create_services, restart
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.seaweedfs_network import SeaweedFSNetwork
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor
from uncia.settings import Settings
from uncia.storage.object_store import ObjectMissing, ObjectStore

__all__ = ["gateway_environment", "issue", "issue_gateway", "revoke", "rotate"]

_ACCEPTED_WITHIN_S = 10.0
_RESTARTED_WITHIN_S = 120.0


def issue_gateway(stack: Stack, station: str) -> Credential:
    """The keys of a station's gateway. See `issue`."""
    return issue(stack, gateway_identity(station))


def issue(stack: Stack, identity: Identity) -> Credential:
    """The keys of a gateway or a person, which are drawn where there are none or where they were revoked.

    Returns when a running store accepts them; a broker does so at once. Raises `StackError` and `SettingsError`.
    """
    known = stack.require_keys().credentials.get(identity.name)
    if known is not None and not known.revoked:
        return known
    with stack.locked():
        if known is None:
            ensure_keys(stack.folder, [identity])
        else:
            write_credential(stack.folder, identity.name, known.rotated())
        _apply(stack)
    _audit_log(stack).record("key_issued", getpass.getuser(), identity.name)
    return _until_accepted(stack, identity)


def rotate(stack: Stack, name: str) -> Credential:
    """Replace the secrets of an identity. A part that runs with them is restarted. Raises `StackError`."""
    identity, known = _known(stack, name)
    if known.revoked:
        raise StackError(f"{name} is revoked: `uncia keys issue` gives it a new key")
    with stack.locked():
        rotated = known.rotated()
        write_credential(stack.folder, name, rotated)
        stack.write_operator_environment()
        _apply(stack)
        if stack.is_supervised() and (part := _part_with_keys_of(identity)) is not None:
            site = stack.context()
            changed = {known.secret_key: rotated.secret_key, known.kafka_password: rotated.kafka_password}
            replace_in_files(site.layout.run, changed)
            if _pid(stack, part) is not None:
                (service,) = create_services(site, [part])
                restart(Supervisor(site.layout), service, _RESTARTED_WITHIN_S)
    _audit_log(stack).record("key_rotated", getpass.getuser(), name)
    return _until_accepted(stack, identity)


def revoke(stack: Stack, name: str) -> None:
    """Make the keys of a gateway or a person useless. Raises `StackError`."""
    identity, known = _known(stack, name)
    if identity in ALWAYS_DRAWN:
        raise StackError(f"{name} is a part of the stack: `uncia keys rotate {name}` makes its old key useless")
    with stack.locked():
        write_credential(stack.folder, name, known.revoke())
        _apply(stack)
    _audit_log(stack).record("key_revoked", getpass.getuser(), name)


def _audit_log(stack: Stack) -> AuditLog:
    """The audit log of a stack."""
    return AuditLog(audit_file(stack.folder))


def gateway_environment(stack: Stack, station: str) -> dict[str, str]:
    """The variables with which a gateway on this machine uploads as its station, and as nobody else."""
    issue_gateway(stack, station)
    return {**stack.environment(), **stack.require_keys().environment(gateway_identity(station))}


def _known(stack: Stack, name: str) -> tuple[Identity, Credential]:
    identity, credential = identity_named(name), stack.require_keys().credentials.get(name)
    if identity is None or credential is None:
        raise StackError(f"there is no key {name!r}: `uncia keys list` shows all")
    return identity, credential


def _apply(stack: Stack) -> None:
    """Give a running store and a running broker the keys as they are now; others get them at their start."""
    if not stack.is_supervised():
        return
    site = stack.context()
    SeaweedFS(site).write_identities()
    for server in (SeaweedFS.name, SeaweedFSNetwork.name):
        if (pid := _pid(stack, server)) is not None:
            os.kill(pid, signal.SIGHUP)
    if _pid(stack, Kafka.name) is not None:
        Kafka(site).grant_access()


def _part_with_keys_of(identity: Identity) -> str | None:
    """The part of the stack that starts with the keys of this identity; None for gateways and persons."""
    name = SeaweedFS.name if identity.role is Role.STORE and identity.uses_kafka else identity.name
    return name if name in PART_NAMES else None


def _pid(stack: Stack, name: str) -> int | None:
    return next((part.pid for part in stack.supervised() if part.name == name), None)


def _until_accepted(stack: Stack, identity: Identity) -> Credential:
    """Wait until a running store accepts the keys. Raises `StackError`."""
    credential = stack.require_keys().credentials[identity.name]
    if not identity.store or _pid(stack, SeaweedFS.name) is None:
        return credential
    settings = stack.settings()
    deadline = time.monotonic() + _ACCEPTED_WITHIN_S
    while not _accepted(settings, credential, identity):
        if time.monotonic() > deadline:
            raise StackError(f"the store does not accept the key of {identity.name} yet: see `uncia logs seaweedfs`")
        time.sleep(0.05)
    return credential


def _accepted(settings: Settings, credential: Credential, identity: Identity) -> bool:
    keys = {"s3_access_key": credential.access_key, "s3_secret_key": SecretStr(credential.secret_key)}
    store = ObjectStore(settings.model_copy(update=keys), timeout_s=5, attempts=1)
    key = f"{identity.store[0].prefix}uncia-key-probe"
    try:
        if identity.role is Role.UPLOADER:
            store.check_storing(settings.bucket, key)
        else:
            store.head(settings.bucket, key)
    except ObjectMissing:
        return True
    except UnciaError:
        return False
    finally:
        store.close()
    return True
