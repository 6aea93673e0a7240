"""SeaweedFS: the S3 store; tells Kafka of every change."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError, how_to_install
from uncia.infra.local.service import NotReady, Service
from uncia.infra.local.synchronous import write_through
from uncia.storage.durable import write_durably
from uncia.storage.object_store import ObjectStore
from uncia.topics import STORAGE_CHANGED

_WANTED = "seaweedfs.sync"

_NOTIFICATION = """\
[notification.kafka]
enabled = true
hosts = ["{kafka}"]
topic = "{topic}"
"""

# Filer and volume server speak HTTP too. Without these keys they would serve anybody on this machine, whatever S3 says.
_SECURITY = """\
[jwt.signing]
key = "{key}"
[jwt.signing.read]
key = "{key}"
[jwt.filer_signing]
key = "{key}"
[jwt.filer_signing.read]
key = "{key}"
"""


class SeaweedFS(Service):
    """Ready when it lists the upload bucket to our credentials."""

    name: ClassVar[str] = "seaweedfs"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    """The topic of its notifications must exist: it gives up at the start otherwise."""
    stop_wait_s: ClassVar[int] = 15

    def check_installed(self) -> None:
        """The server comes as a wheel."""
        _weed()

    def files(self) -> dict[str, str]:
        """Notifications and inner security, which the server looks for in its working folder."""
        topic = STORAGE_CHANGED.full_name(self.site.settings)
        return {
            "notification.toml": _NOTIFICATION.format(kafka=self.at("kafka"), topic=topic),
            "security.toml": _SECURITY.format(key=self.site.drawn.signing_key),
        }

    def environment(self) -> dict[str, str]:
        """The only identity that the store knows; all others are refused."""
        return {
            "AWS_ACCESS_KEY_ID": self.site.drawn.access_key,
            "AWS_SECRET_ACCESS_KEY": self.site.drawn.secret_key,
        }

    def before(self) -> list[str]:
        """Work where its configuration is."""
        return [f"mkdir -p {self.site.layout.data('seaweedfs')} && cd {self.site.layout.run} || exit 1"]

    def command(self) -> list[str]:
        """Master, volume server, filer and S3 gateway in one process; no web pages, no telemetry."""
        short = self.site.layout.short
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
            str(_weed()),
            "mini",
            f"-dir={self.site.layout.data('seaweedfs')}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{flag}={self.port(name)}" for flag, name in ports.items()),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={short / 's3.sock'}",
            f"-filer.localSocket={short / 'filer.sock'}",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
        ]

    def write(self, directory: Path) -> None:
        """Have all that it writes go through to disk, before it writes anything."""
        data = self.site.layout.folder / "data" / self.name
        data.mkdir(exist_ok=True)
        write_through(data, on=self.site.settings.sync_writes)
        how = "fsync" if self.site.settings.sync_writes else "no fsync"
        write_durably(data.with_name(_WANTED), f"{self.site.settings.bucket} {how}\n")
        super().write(directory)

    def probe(self) -> str:
        """List the bucket; make it where it is missing, and have its objects synced."""
        self.must_listen("s3")
        store = ObjectStore(self.site.settings)
        bucket = self.site.settings.bucket
        try:
            store.ensure_bucket(bucket)
            for own in self.site.settings.own_buckets:
                store.ensure_bucket(own)
            next(store.list(bucket), None)
        finally:
            store.close()
        self._sync_objects(bucket)
        return f"{self.site.settings.s3_endpoint}, bucket {bucket}"

    def _sync_objects(self, bucket: str) -> None:
        """Tell the filer once whether objects of the bucket are synced before they are answered; it remembers.

        Besides the folder's attribute: this holds where the file system does not know that one, and when it does,
        there is nothing left to write.
        """
        data = self.site.layout.folder / "data"
        # As it was started: whoever asks for its status may have other settings.
        wanted, done = _text(data / _WANTED), data / "seaweedfs.synced"
        if _text(done) == wanted:
            return
        how = "-delete" if "no fsync" in wanted else "-fsync"
        master = f"{self.at('master')}.{self.port('master_grpc')}"
        told = subprocess.run(
            [str(_weed()), "shell", f"-master={master}"],
            input=f"fs.configure -locationPrefix=/buckets/{bucket}/ {how} -apply\n",
            cwd=self.site.layout.run,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if told.returncode or "error" in (told.stdout + told.stderr).lower():
            last = (told.stdout + told.stderr).strip().splitlines()[-1:] or ["no word"]
            raise NotReady(f"SeaweedFS does not take the setting to sync the bucket {bucket}: {last[0]}")
        write_durably(done, wanted)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _weed() -> Path:
    beside = Path(sys.executable).parent / "weed"
    found = beside if beside.exists() else shutil.which("weed")
    if not found:
        raise StackError(f"SeaweedFS is not installed: {how_to_install('local')} (`make setup` does)")
    return Path(found)
