"""The files with which each container of `docker-compose.yml` starts: its own keys, and its configuration.

Every service has a volume of its own with these files, mounted read-only at `MOUNT`, and sees those of no other. A
setting is one file there, named like its variable (`UNCIA_SECRETS_DIR`). The keys and rights are those of the embedded
stack: `uncia.identities`, drawn by `uncia.infra.local.credentials`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from uncia.access import TritonRight
from uncia.identities import PART_IDENTITIES, STORE_ADMIN, Identity, Role
from uncia.infra.local.certificates import KAFKA, SEAWEEDFS, ensure_certificates, keystore
from uncia.infra.local.credentials import StackKeys, ensure_keys
from uncia.infra.local.kafka_files import LOGGING, Listener, server_properties
from uncia.infra.local.layout import write_private
from uncia.infra.local.seaweedfs_files import NOTIFIER, notification_file, security_file
from uncia.infra.local.stack_identity import new_kafka_id
from uncia.infra.local.store_access import s3_configuration
from uncia.serving.triton_access import restriction_options
from uncia.settings import Settings
from uncia.topics import STORAGE_CHANGED
from uncia.topology import PARTS, Kind

__all__ = ["MOUNT", "SERVICES_WITH_SETTINGS", "VOLUMES", "Addresses", "setting_files", "write_container_files"]

MOUNT = Path("/run/uncia")
"""Where a container finds its files."""

_MODELS = Identity(
    "models",
    Role.PART,
    "Builds the model repository, and promotes versions.",
    triton=(TritonRight.INFERENCE, TritonRight.CONTROL),
)

_PARTS = {
    part.name: PART_IDENTITIES[part.name]
    for part in PARTS
    if part.kind is Kind.WORKER or (part.kind is Kind.SERVICE and part.embedded)
}

SERVICES_WITH_SETTINGS: dict[str, Identity] = {
    **_PARTS,
    # It has no repository of models in a container, so it cannot make a version live.
    "dashboard": replace(_PARTS["dashboard"], triton=()),
    "models": _MODELS,
    "buckets": STORE_ADMIN,
}
"""The identity of each service that runs Uncia's own code, by the name of the service."""

_TRITON = "triton"
VOLUMES = (KAFKA, SEAWEEDFS, _TRITON, *SERVICES_WITH_SETTINGS)
"""Names of all volumes with files, without the prefix `keys-`."""

_SCRIPTS = Path(__file__).parent


_CLIENTS = Listener("0.0.0.0:19092", "kafka:19092")
_INTERNAL = Listener("0.0.0.0:29092", "kafka:29092")
_OUTSIDE = Listener("0.0.0.0:9092", "127.0.0.1:9092")


@dataclass(frozen=True)
class Addresses:
    """Where the containers find each other, and their files; the defaults are those of `docker-compose.yml`."""

    kafka: Listener = _CLIENTS
    kafka_internal: Listener = _INTERNAL
    """For the broker itself and the administrator, who have certificates."""
    kafka_controller: str = "127.0.0.1:29093"
    kafka_outside: Listener = _OUTSIDE
    """For programs on the machine, outside of the containers."""
    kafka_logs: Path = Path("/data/log")
    files_of: Callable[[str], Path] = lambda _: MOUNT
    """The folder in which a service sees the files of its volume."""


def write_container_files(folder: Path, own: Path, addresses: Addresses, settings: Settings) -> StackKeys:
    """Draw what is missing in `own`, and write the files of each service into `folder`/NAME. Returns all keys.

    Files that are no longer among those of a service are removed. Raises `StackError`.
    """
    ensure_certificates(own)
    keys = ensure_keys(own)
    cluster = _cluster_id(own)
    written = {
        KAFKA: _kafka_files(own, cluster, addresses),
        SEAWEEDFS: _seaweedfs_files(own, keys, addresses, settings),
        _TRITON: _triton_files(keys),
        **{
            name: setting_files(keys, identity, own, addresses.files_of(name))
            for name, identity in SERVICES_WITH_SETTINGS.items()
        },
    }
    for name, files in written.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path in (folder / name).iterdir():
            if path.name not in files:
                path.unlink()
        for file, text in files.items():
            write_private(folder / name / file, text)
    return keys


def setting_files(keys: StackKeys, identity: Identity, own: Path, seen_at: Path) -> dict[str, str]:
    """The settings of an identity, one file for each variable that has a value, and the authority it trusts."""
    found = replace(keys, authority=seen_at / "ca.pem").environment(identity)
    if identity == STORE_ADMIN:
        credential = keys.credentials[identity.name]
        found |= {"UNCIA_S3_ACCESS_KEY": credential.access_key, "UNCIA_S3_SECRET_KEY": credential.secret_key}
    return {"ca.pem": _authority(own), **{name: f"{value}\n" for name, value in found.items() if value}}


def _kafka_files(own: Path, cluster: str, addresses: Addresses) -> dict[str, str]:
    at = addresses.files_of(KAFKA)
    properties = server_properties(
        clients=addresses.kafka,
        internal=addresses.kafka_internal,
        controller=addresses.kafka_controller,
        network=addresses.kafka_outside,
        logs=addresses.kafka_logs,
        authority=at / "ca.pem",
        keystore=at / "keystore.pem",
    )
    return {
        "server.properties": properties,
        "log4j2.properties": LOGGING,
        "ca.pem": _authority(own),
        "keystore.pem": keystore(own / "keys", KAFKA),
        "cluster-id": f"{cluster}\n",
        "health.properties": _KAFKA_HEALTH.format(keystore=at / "keystore.pem", authority=at / "ca.pem"),
        "start.sh": _script("kafka.sh"),
    }


_KAFKA_HEALTH = """\
# The health check signs in with the broker's own certificate.
security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""


def _seaweedfs_files(own: Path, keys: StackKeys, addresses: Addresses, settings: Settings) -> dict[str, str]:
    at, password = addresses.files_of(SEAWEEDFS), keys.credentials[NOTIFIER].kafka_password
    topic = STORAGE_CHANGED.full_name(settings)
    return {
        "notification.toml": notification_file(addresses.kafka.advertised, topic, password, at),
        "security.toml": security_file(keys.internal.store_signing, at),
        "s3_identities.json": s3_configuration(keys.credentials, settings.bucket),
        "ca.pem": _authority(own),
        **{f"{SEAWEEDFS}.{kind}": (own / "keys" / f"{SEAWEEDFS}.{kind}").read_text("ascii") for kind in ("pem", "key")},
    }


def _triton_files(keys: StackKeys) -> dict[str, str]:
    internal = keys.internal
    options = [
        option
        for name in ("grpc-restricted-protocol", "http-restricted-api")
        for option in restriction_options(name, internal.triton_inference, internal.triton_control)
    ]
    return {
        "restrictions": "".join(f"{option}\n" for option in options),
        "UNCIA_TRITON_INFERENCE_KEY": f"{internal.triton_inference}\n",
        "start.sh": _script("triton.sh"),
        "health.py": _script("triton_health.py"),
    }


def _cluster_id(own: Path) -> str:
    """Kafka's cluster id, drawn once."""
    path = own / "kafka-cluster-id"
    if not path.exists():
        write_private(path, f"{new_kafka_id()}\n")
    return path.read_text(encoding="ascii").strip()


def _authority(own: Path) -> str:
    return (own / "keys" / "ca.pem").read_text(encoding="ascii")


def _script(name: str) -> str:
    return (_SCRIPTS / name).read_text(encoding="utf-8")
