"""The object store for other machines: a second S3 server of SeaweedFS, over TLS, in front of the same store."""

from typing import ClassVar

from uncia.infra.local.certificates import NETWORK
from uncia.infra.local.network import NetworkAddresses, network_addresses
from uncia.infra.local.seaweedfs import AUDIT_LOG_FILE, IDENTITIES_FILE, WITHOUT_OTHER_KEYS, find_weed
from uncia.infra.local.service import Service
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

__all__ = ["SeaweedFSNetwork"]


class SeaweedFSNetwork(Service):
    """Serves S3 by HTTPS with the same keys. Only where the settings name an address for other machines."""

    name: ClassVar[str] = "seaweedfs-network"
    needs: ClassVar[tuple[str, ...]] = ("seaweedfs",)

    @classmethod
    def is_wanted(cls, settings: Settings) -> bool:
        """True where there is an address for other machines."""
        return settings.network_host is not None

    def check_installed(self) -> None:
        """Check that the server's wheel is installed."""
        find_weed()

    def before(self) -> list[str]:
        """Change to the directory with the configuration of SeaweedFS, which all its servers read."""
        return [WITHOUT_OTHER_KEYS, f"cd {self.site.layout.run} || exit 1"]

    def command(self) -> list[str]:
        """The S3 server alone. Its gRPC port, on the same address, requires a certificate of the stack."""
        network, layout = self._network(), self.site.layout
        return [
            str(find_weed()),
            "s3",
            f"-filer={self.at('filer')}.{self.port('filer_grpc')}",
            "-ip=127.0.0.1",
            f"-ip.bind={network.bind}",
            f"-port={network.s3_port}",
            f"-cert.file={layout.keys / f'{NETWORK}.pem'}",
            f"-key.file={layout.keys / f'{NETWORK}.key'}",
            f"-config={layout.run / IDENTITIES_FILE}",
            f"-auditLogConfig={layout.run / AUDIT_LOG_FILE}",
            "-port.iceberg=0",
            "-port.lance=0",
            f"-localFilerSocket={layout.runtime_dir / 'filer.sock'}",
            f"-localSocket={layout.runtime_dir / 's3-network.sock'}",
        ]

    def probe(self) -> str:
        """List the bucket by TLS, at the address on which it listens."""
        network, settings = self._network(), self.site.settings
        update = {"s3_endpoint": network.s3_endpoint_here, "s3_cafile": self.site.keys.authority}
        store = ObjectStore(settings.model_copy(update=update), timeout_s=5, attempts=1)
        try:
            next(store.list(settings.bucket), None)
        finally:
            store.close()
        return network.s3_endpoint

    def _network(self) -> NetworkAddresses:
        network = network_addresses(self.site.settings)
        assert network is not None, "the part is not wanted"
        return network
