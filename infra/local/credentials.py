"""The keys of a stack: drawn when they are first needed, kept in `<stack>/keys`, readable by the owner only.

    keys/NAME.json      the keys of one identity of `uncia.identities`: a worker, the operator, a gateway
    keys/internal.json  keys that belong to no identity: those of Triton, and the one among SeaweedFS's servers

Every file is written atomically and durably, so a kill or a power cut leaves the old keys or the new ones. A file is
never written again unless its key is rotated: what a gateway far away was given stays valid over restarts.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from uncia.access import TritonRight
from uncia.errors import StackError
from uncia.identities import OPERATOR, PART_IDENTITIES, STORE_ADMIN, Identity
from uncia.infra.local.layout import private_folder, write_private

__all__ = [
    "ALWAYS_DRAWN",
    "Credential",
    "InternalKeys",
    "StackKeys",
    "ensure_keys",
    "read_keys",
    "write_credential",
    "write_internal_keys",
]

ALWAYS_DRAWN: tuple[Identity, ...] = (*PART_IDENTITIES.values(), OPERATOR, STORE_ADMIN)
"""The identities of every stack. Those of gateways are drawn when they are issued."""

_INTERNAL = "internal"

NO_KAFKA = {
    "UNCIA_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    **dict.fromkeys(
        (
            "UNCIA_KAFKA_SASL_MECHANISM",
            "UNCIA_KAFKA_USERNAME",
            "UNCIA_KAFKA_PASSWORD",
            "UNCIA_KAFKA_CAFILE",
            "UNCIA_KAFKA_CERTFILE",
            "UNCIA_KAFKA_KEYFILE",
            "UNCIA_KAFKA_TOKEN_FILE",
            "UNCIA_KAFKA_TOKEN_URL",
        ),
        "",
    ),
}
"""The variables of a sign-in to Kafka, without one. The parts of a stack ignore a sign-in to another Kafka in the
caller's environment, as they ignore that one's address."""


@dataclass(frozen=True)
class Credential:
    """The keys of one identity."""

    access_key: str
    secret_key: str
    issued: str
    """ISO 8601, UTC; also of the rotation."""
    revoked: str = ""
    """ISO 8601, UTC, when it was revoked; empty for a valid one. Nobody has the secret of a revoked one."""
    kafka_password: str = ""
    """Not the secret key, which the object store knows. Empty in the file of an earlier version."""

    @classmethod
    def draw(cls) -> Self:
        """New random keys."""
        return cls(secrets.token_hex(10), _secret(), _now(), kafka_password=_secret())

    def rotated(self) -> "Credential":
        """The same access key with new secrets, valid again where it was revoked.

        A server that reads its file of identities again replaces the secret of an access key that it knows, and keeps
        access keys that are no longer in the file (SeaweedFS 4.48).
        """
        return Credential(self.access_key, _secret(), _now(), kafka_password=_secret())

    def revoke(self) -> "Credential":
        """The same access key with new secrets, which are given to no process and no person."""
        return Credential(self.access_key, _secret(), self.issued, revoked=_now(), kafka_password=_secret())


@dataclass(frozen=True)
class InternalKeys:
    """Keys that belong to no identity."""

    store_signing: str
    """With which SeaweedFS's servers authenticate to each other over HTTP."""
    triton_inference: str
    triton_control: str

    @classmethod
    def draw(cls) -> Self:
        """New random keys. Hexadecimal: Triton's command line splits at `:` and `=`."""
        return cls(secrets.token_hex(32), secrets.token_hex(20), secrets.token_hex(20))

    def with_new_triton_keys(self) -> "InternalKeys":
        """New keys of Triton, and the same for the store."""
        return replace(InternalKeys.draw(), store_signing=self.store_signing)

    def with_new_store_key(self) -> "InternalKeys":
        """A new key of the store's servers, and the same for Triton."""
        return replace(self, store_signing=InternalKeys.draw().store_signing)


@dataclass(frozen=True)
class StackKeys:
    """All keys of a stack."""

    internal: InternalKeys
    credentials: Mapping[str, Credential]
    """By the name of the identity."""
    authority: Path
    """The certificate of the stack's authority."""

    def environment(self, identity: Identity) -> dict[str, str]:
        """The variables with the keys of an identity, and no others.

        A variable is empty where the identity has no right. It must be set all the same: a process otherwise takes the
        value from `stack.env`, which is the operator's.
        """
        credential = self.credentials[identity.name] if identity.store else None
        internal = self.internal
        return {
            **self._kafka(identity),
            "UNCIA_S3_ACCESS_KEY": credential.access_key if credential else "",
            "UNCIA_S3_SECRET_KEY": credential.secret_key if credential else "",
            "UNCIA_TRITON_INFERENCE_KEY": internal.triton_inference if TritonRight.INFERENCE in identity.triton else "",
            "UNCIA_TRITON_CONTROL_KEY": internal.triton_control if TritonRight.CONTROL in identity.triton else "",
        }

    def _kafka(self, identity: Identity) -> dict[str, str]:
        if not identity.uses_kafka:
            return NO_KAFKA
        return {
            **NO_KAFKA,
            "UNCIA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "UNCIA_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "UNCIA_KAFKA_USERNAME": identity.name,
            "UNCIA_KAFKA_PASSWORD": self.credentials[identity.name].kafka_password,
            "UNCIA_KAFKA_CAFILE": str(self.authority),
        }


_Keys = TypeVar("_Keys", Credential, InternalKeys)


def read_keys(stack: Path) -> StackKeys | None:
    """Read all keys; None before they were drawn. Raises `StackError` when a file is damaged."""
    folder = _folder(stack)
    internal = _read(folder / f"{_INTERNAL}.json", InternalKeys)
    if internal is None:
        return None
    credentials: dict[str, Credential] = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem != _INTERNAL and (credential := _read(path, Credential)) is not None:
            credentials[path.stem] = credential
    return StackKeys(internal, credentials, folder / "ca.pem")


def ensure_keys(stack: Path, identities: Iterable[Identity] = ALWAYS_DRAWN) -> StackKeys:
    """Read all keys, after drawing those that are missing. Raises `StackError`."""
    folder = _folder(stack)
    private_folder(folder)
    for identity in identities:
        _complete(stack, identity.name)
    # Last: without it the folder counts as one without keys, so an interrupted first start is completed by the next.
    internal = folder / f"{_INTERNAL}.json"
    if _read(internal, InternalKeys) is None:
        write_internal_keys(stack, InternalKeys.draw())
    keys = read_keys(stack)
    assert keys is not None
    return keys


def write_credential(stack: Path, name: str, credential: Credential) -> None:
    """Store the keys of an identity in place of its old ones."""
    write_private(_folder(stack) / f"{name}.json", json.dumps(asdict(credential), indent=2) + "\n")


def write_internal_keys(stack: Path, keys: InternalKeys) -> None:
    """Store the keys that belong to no identity in place of the old ones."""
    write_private(_folder(stack) / f"{_INTERNAL}.json", json.dumps(asdict(keys), indent=2) + "\n")


def _complete(stack: Path, name: str) -> None:
    """Draw what an identity lacks: all, or the password for the broker in a file of an earlier version."""
    known = _read(_folder(stack) / f"{name}.json", Credential)
    if known is None:
        write_credential(stack, name, Credential.draw())
    elif not known.kafka_password:
        write_credential(stack, name, replace(known, kafka_password=_secret()))


def _secret() -> str:
    return secrets.token_urlsafe(30)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _folder(stack: Path) -> Path:
    return stack / "keys"


def _read(path: Path, kind: type[_Keys]) -> _Keys | None:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        required = {field.name for field in fields(kind) if field.default is MISSING}
        given = {field.name for field in fields(kind)} & set(values)
        return kind(**{name: str(values[name]) for name in required | given})
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StackError(
            f"{path} is damaged ({type(error).__name__}): remove it, and `uncia up` draws a new key; a gateway or "
            "program that was given the old one needs the new one"
        ) from error
