"""SeaweedFS: the S3 object store, which publishes every change to Kafka."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError, how_to_install
from uncia.infra.local.auditor import audit_socket
from uncia.infra.local.layout import write_private
from uncia.infra.local.seaweedfs_files import NOTIFIER, audit_log_file, notification_file, security_file
from uncia.infra.local.service import NotReady, Service
from uncia.infra.local.store_access import s3_configuration
from uncia.infra.local.sync_attribute import set_sync_attribute
from uncia.storage.durable import write_durably
from uncia.storage.object_store import ObjectStore
from uncia.topics import STORAGE_CHANGED

_SYNC_MODE_FILE = "seaweedfs.sync"
"""The bucket and sync mode that the server was started with."""
_VERSIONS_FILE = "seaweedfs.versions"
"""The bucket, and whether it keeps versions."""
_VERSIONS_DONE_FILE = "seaweedfs.versioned"

IDENTITIES_FILE = "s3_identities.json"
AUDIT_LOG_FILE = "s3_audit_log.json"

WITHOUT_OTHER_KEYS = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
"""A line of the start scripts: keys in the environment would be a further identity of the server."""


class SeaweedFS(Service):
    """The object store. Ready when it lists the upload bucket for our credentials."""

    name: ClassVar[str] = "seaweedfs"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    """The notification topic must exist: SeaweedFS exits at startup without it."""
    stop_wait_s: ClassVar[int] = 15

    def check_installed(self) -> None:
        """Check that the server's wheel is installed."""
        find_weed()

    def files(self) -> dict[str, str]:
        """The identities, and configuration that the server reads from its working directory."""
        keys = self.site.keys
        password = keys.credentials[NOTIFIER].kafka_password
        return {
            "notification.toml": notification_file(
                self.at("kafka"), STORAGE_CHANGED.full_name(self.site.settings), password, self.site.layout.keys
            ),
            "security.toml": security_file(keys.internal.store_signing, self.site.layout.keys),
            IDENTITIES_FILE: self._identities(),
            AUDIT_LOG_FILE: audit_log_file(audit_socket(self.site.layout)),
        }

    def _identities(self) -> str:
        return s3_configuration(self.site.keys.credentials, self.site.settings.bucket)

    def write_identities(self) -> None:
        """Write the identities and their keys, which a running server reads again on SIGHUP."""
        write_private(self.site.layout.run / IDENTITIES_FILE, self._identities())

    def before(self) -> list[str]:
        """Change to the directory of its configuration."""
        return [
            WITHOUT_OTHER_KEYS,
            *self.read_log(),
            f"mkdir -p {self.site.layout.data('seaweedfs')} && cd {self.site.layout.run} || exit 1",
        ]

    def command(self) -> list[str]:
        """Master, volume server, filer and S3 gateway in one process; no web interface, no telemetry."""
        runtime_dir = self.site.layout.runtime_dir
        ports = {
            "s3.port": "s3",
            "s3.port.grpc": "s3_grpc",
            "filer.port": "filer",
            "filer.port.grpc": "filer_grpc",
            "master.port": "master",
            "master.port.grpc": "master_grpc",
            "volume.port": "volume",
            "volume.port.grpc": "volume_grpc",
            "admin.port": "seaweedfs_admin",
        }
        return [
            str(find_weed()),
            "mini",
            f"-dir={self.site.layout.data('seaweedfs')}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{flag}={self.port(name)}" for flag, name in ports.items()),
            f"-s3.config={self.site.layout.run / IDENTITIES_FILE}",
            f"-s3.auditLogConfig={self.site.layout.run / AUDIT_LOG_FILE}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={runtime_dir / 's3.sock'}",
            f"-filer.localSocket={runtime_dir / 'filer.sock'}",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
        ]

    def write(self, directory: Path) -> None:
        """Set the sync attribute of the data directory before the server's first write, then write the files."""
        data = self.site.layout.folder / "data" / self.name
        data.mkdir(exist_ok=True)
        set_sync_attribute(data, on=self.site.settings.sync_writes)
        how = "fsync" if self.site.settings.sync_writes else "no fsync"
        write_durably(data.with_name(_SYNC_MODE_FILE), f"{self.site.settings.bucket} {how}\n")
        versions = "versions" if self.site.settings.keep_versions else "no versions"
        write_durably(data.with_name(_VERSIONS_FILE), f"{self.site.settings.bucket} {versions}\n")
        super().write(directory)

    def probe(self) -> str:
        """List the bucket. Creates missing buckets and configures syncing first."""
        self.require_listener("s3")
        store = ObjectStore(self.site.admin_settings())
        bucket = self.site.settings.bucket
        try:
            store.ensure_bucket(bucket)
            for own in self.site.settings.own_buckets:
                store.ensure_bucket(own)
            self._version_objects(store, bucket)
            next(store.list(bucket), None)
        finally:
            store.close()
        self._sync_objects(bucket)
        return f"{self.site.settings.s3_endpoint}, bucket {bucket}"

    def _version_objects(self, store: ObjectStore, bucket: str) -> None:
        """Switch versions of the bucket on or off where the setting has changed since."""
        data = self.site.layout.folder / "data"
        # From the file, not from the settings, as in `_sync_objects`.
        wanted, done = _text(data / _VERSIONS_FILE), data / _VERSIONS_DONE_FILE
        # A new bucket has no versions. Switching them off would make it a bucket that had some.
        if wanted == (_text(done) or f"{bucket} no versions\n"):
            return
        store.keep_versions(bucket, on="no versions" not in wanted)
        write_durably(done, wanted)

    def _sync_objects(self, bucket: str) -> None:
        """Configure once, in the filer, whether objects of the bucket are synced before they are acknowledged.

        This is in addition to the folder's attribute. It takes effect where the file system does not support the
        attribute; where it does, the sync has nothing left to write.
        """
        data = self.site.layout.folder / "data"
        # From the file, not from the settings: `uncia status` may run with other settings than `uncia up` did.
        wanted, done = _text(data / _SYNC_MODE_FILE), data / "seaweedfs.synced"
        if _text(done) == wanted:
            return
        how = "-delete" if "no fsync" in wanted else "-fsync"
        master = f"{self.at('master')}.{self.port('master_grpc')}"
        result = subprocess.run(
            [str(find_weed()), "shell", f"-master={master}"],
            input=f"fs.configure -locationPrefix=/buckets/{bucket}/ {how} -apply\n",
            cwd=self.site.layout.run,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        output = result.stdout + result.stderr
        if result.returncode or "error" in output.lower():
            last = output.strip().splitlines()[-1:] or ["no output"]
            raise NotReady(f"SeaweedFS did not accept the sync mode of the bucket {bucket}: {last[0]}")
        write_durably(done, wanted)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def find_weed() -> Path:
    """SeaweedFS's program. Raises `StackError` when it is not installed."""
    installed = Path(sys.executable).parent / "weed"
    found = installed if installed.exists() else shutil.which("weed")
    if not found:
        raise StackError(f"SeaweedFS is not installed: {how_to_install('local')} (`make setup` does this)")
    return Path(found)
