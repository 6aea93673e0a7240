"""What a client must know to connect: addresses, keys, and what the keys permit."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from uncia.errors import SettingsError
from uncia.kafka_sign_in import KafkaSignIn
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, Topic

__all__ = ["KafkaAccess", "StoreAccess", "TritonAccess", "kafka_access", "store_access", "triton_access"]


@dataclass(frozen=True)
class StoreAccess:
    """A bucket of an S3 store, and a key."""

    endpoint: str
    """URL, without a slash at the end."""
    region: str
    bucket: str
    access_key: str
    secret_key: str
    station: str = ""
    """The only station whose photographs the key stores; empty for a key of the whole bucket."""
    reads: bool = True
    """False for a key that can only store."""
    stores: bool = True
    """False for a key that can only read."""
    cafile: Path | None = None
    """The certificate of the store's own authority; None where clients trust the store's by themselves."""

    @property
    def host(self) -> str:
        """Host and port of the endpoint."""
        return urlsplit(self.endpoint).netloc

    @property
    def uses_tls(self) -> bool:
        """True for an endpoint `https://`."""
        return self.endpoint.startswith("https://")

    @property
    def example_key(self) -> str:
        """The key under which the examples store a photograph: station, camera, file."""
        return f"{self.station or 'STATION'}/CAMERA/photograph.jpg"

    @property
    def example_url(self) -> str:
        """The URL of the object with this key."""
        return f"{self.endpoint}/{quote(self.bucket)}/{quote(self.example_key)}"


@dataclass(frozen=True)
class KafkaAccess:
    """Kafka's servers, a sign-in, and a topic to begin with."""

    servers: tuple[str, ...]
    sign_in: KafkaSignIn
    topic: str
    group: str
    """With which the names of its consumer groups begin. Each client has one of its own, because different libraries
    in one group do not agree on how to share its partitions."""

    @property
    def username(self) -> str:
        """The user name; empty where Kafka requires none."""
        return self.sign_in.username or ""

    @property
    def password(self) -> str:
        """The password; empty where Kafka requires none."""
        return self.sign_in.password.get_secret_value() if self.sign_in.password else ""


@dataclass(frozen=True)
class TritonAccess:
    """Triton's addresses, the key for inference, and a model to begin with."""

    grpc: str
    http: str
    """Empty where Triton does not serve HTTP."""
    model: str
    headers: dict[str, str]
    """With the names of gRPC."""


def store_access(settings: Settings, *, station: str = "", reads: bool = True, stores: bool = True) -> StoreAccess:
    """The store of these settings. Raises `SettingsError` without a key."""
    if not settings.s3_access_key or settings.s3_secret_key is None:
        raise SettingsError("there is no key for the object store: set UNCIA_S3_ACCESS_KEY and UNCIA_S3_SECRET_KEY")
    endpoint = settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com"
    if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname:
        raise SettingsError(f"{endpoint!r} is not the URL of an object store: it begins with http:// or https://")
    return StoreAccess(
        endpoint.rstrip("/"),
        settings.s3_region,
        settings.bucket,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        station,
        reads,
        stores,
        settings.s3_cafile,
    )


def kafka_access(settings: Settings, topic: Topic = BURST_RESOLVED) -> KafkaAccess:
    """The Kafka of these settings. Raises `SettingsError` for a sign-in that other programs' clients do not share."""
    sign_in = settings.kafka_sign_in
    if sign_in.mechanism == "OAUTHBEARER" or sign_in.certfile is not None:
        raise SettingsError(
            "`uncia connect` describes Kafka with a user name and a password, not with tokens or client certificates: "
            "see docs/operator.md"
        )
    prefix = f"{settings.namespace}." if settings.namespace else ""
    group = f"{prefix}{sign_in.username or 'my-program'}"
    return KafkaAccess(tuple(settings.kafka_servers), sign_in, topic.full_name(settings), group)


def triton_access(settings: Settings, headers: dict[str, str], *, serves_http: bool) -> TritonAccess:
    """The Triton of these settings, with the headers that it requires."""
    return TritonAccess(settings.triton, settings.triton_http if serves_http else "", settings.model, headers)
