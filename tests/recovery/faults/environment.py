"""Faults of the environment: a full disk under the spool, lost notifications of the store."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from kafka import TopicPartition

from tests.recovery.faults.fault import Fault, FaultContext
from uncia.kafka.connection import connect_admin, connect_consumer
from uncia.topics import STORAGE_CHANGED


class NotificationsLost(Fault):
    """Notifications of stored photographs are deleted from the topic before intake reads them."""

    promise = "reconcile finds what is stored and was never announced"

    def __init__(self, lasts_s: float = 5) -> None:
        super().__init__("intake", lasts_s)

    @property
    def name(self) -> str:
        return f"notifications of {self.lasts_s:.0f} s lost"

    def inject(self, context: FaultContext) -> None:
        context.supervisor.stop_parts(["intake"], 20)

    def revert(self, context: FaultContext) -> None:
        settings = context.stack.admin_settings()
        topic = STORAGE_CHANGED.full_name(settings)
        consumer = connect_consumer(settings, enable_auto_commit=False)
        try:
            parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            ends = consumer.end_offsets(parts)
        finally:
            consumer.close()
        admin = connect_admin(settings)
        try:
            admin.delete_records({part: end for part, end in ends.items() if end})
        finally:
            admin.close()
        context.supervisor.start_part("intake")

    def clean_up(self, context: FaultContext) -> None:
        context.supervisor.start_part("intake")


class DiskFull(Fault):
    """The disk of the gateway's spool is full for some time."""

    promise = "files are kept until there is space again; confirmations are not lost"
    by_gateway = True

    def __init__(self, lasts_s: float = 10) -> None:
        super().__init__("gateway", lasts_s)
        self._disk: Path | None = None

    @property
    def name(self) -> str:
        return f"disk under the spool full {self.lasts_s:.0f} s"

    def skip_reason(self) -> str | None:
        if os.geteuid() != 0:
            return "only root may mount a small disk"
        with tempfile.TemporaryDirectory() as folder:
            if subprocess.run(_mount(Path(folder)), capture_output=True, check=False).returncode:
                return "this machine does not let root mount a small disk"
            subprocess.run(["umount", folder], check=True)
        return None

    def prepare(self, context: FaultContext) -> Path:
        self._disk = Path(tempfile.mkdtemp(dir=context.scratch, prefix="disk-"))
        subprocess.run(_mount(self._disk), check=True)
        return self._disk

    def inject(self, context: FaultContext) -> None:
        assert self._disk is not None
        with (self._disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    def revert(self, context: FaultContext) -> None:
        if self._disk is not None:
            (self._disk / "ballast").unlink(missing_ok=True)

    def clean_up(self, context: FaultContext) -> None:
        if self._disk is not None:
            subprocess.run(["umount", "--lazy", str(self._disk)], check=False)
            self._disk = None


# SQLite checkpoints its write-ahead log at 4 MB: the disk must hold that and the spool.
def _mount(folder: Path) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
