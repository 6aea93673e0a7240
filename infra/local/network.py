"""The addresses at which other machines reach Kafka and the object store of a stack. By default there are none."""

from dataclasses import dataclass

from uncia.errors import SettingsError, StackError
from uncia.infra.local.stack_identity import is_free
from uncia.settings import Settings

__all__ = ["NetworkAddresses", "check_addresses", "network_addresses", "require_addresses"]


_GRPC_OFFSET = 10_000


@dataclass(frozen=True)
class NetworkAddresses:
    """Addresses in addition to those on loopback."""

    host: str
    """What other machines connect to; the name in the certificate."""
    bind: str
    """What the servers of this machine listen on."""
    kafka_port: int
    s3_port: int

    @property
    def kafka(self) -> str:
        """Kafka's address for clients."""
        return _joined(self.host, self.kafka_port)

    @property
    def kafka_listener(self) -> str:
        """The address on which Kafka listens."""
        return _joined(self.bind, self.kafka_port)

    @property
    def s3_endpoint(self) -> str:
        """The object store's URL for clients."""
        return f"https://{_joined(self.host, self.s3_port)}"

    @property
    def s3_endpoint_here(self) -> str:
        """The object store's URL for this machine, which may not reach the address that others use."""
        return f"https://{_joined(self._here, self.s3_port)}"

    @property
    def kafka_here(self) -> str:
        """Kafka's address for the first request of a client on this machine."""
        return _joined(self._here, self.kafka_port)

    @property
    def _here(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)

    @property
    def s3_grpc_port(self) -> int:
        """The port that SeaweedFS's S3 server opens for certificates of the stack alone."""
        return self.s3_port + _GRPC_OFFSET

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports on this address."""
        return (self.kafka_port, self.s3_port, self.s3_grpc_port)

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses in the certificate."""
        return (self.host,) if self.bind in ("0.0.0.0", "::", self.host) else (self.host, self.bind)


def network_addresses(settings: Settings) -> NetworkAddresses | None:
    """The addresses of the settings; None where the stack is reachable from its own machine only."""
    if settings.network_host is None:
        return None
    bind = settings.network_bind or settings.network_host
    return NetworkAddresses(settings.network_host, bind, settings.network_kafka_port, settings.network_s3_port)


def require_addresses(settings: Settings) -> NetworkAddresses:
    """The addresses of the settings. Raises `SettingsError` where there are none."""
    addresses = network_addresses(settings)
    if addresses is None:
        raise SettingsError(
            "this stack has no address for other machines: set UNCIA_NETWORK_HOST and start it again (docs/network.md)"
        )
    return addresses


def check_addresses(addresses: NetworkAddresses) -> None:
    """Check that this machine can listen there. Raises `StackError`."""
    for port, setting in (
        (addresses.kafka_port, "UNCIA_NETWORK_KAFKA_PORT"),
        (addresses.s3_port, "UNCIA_NETWORK_S3_PORT"),
    ):
        try:
            free = is_free(port, addresses.bind)
        except OSError as error:
            raise StackError(
                f"{addresses.bind} is no address of this machine ({error.strerror or error}): set "
                "UNCIA_NETWORK_BIND to one that `ip address` shows, or to 0.0.0.0 for all"
            ) from error
        if not free:
            raise StackError(
                f"another program listens on {_joined(addresses.bind, port)}: stop it, or set {setting} to a free port"
            )


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
