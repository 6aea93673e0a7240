"""Uncia's own processes: the workers and services of the topology, the watchdog of Triton, and the mailroom."""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError, how_to_install
from uncia.identities import PART_IDENTITIES, Identity, Role
from uncia.infra.local.auditor import audit_socket
from uncia.infra.local.service import NotReady, Service
from uncia.settings import Settings
from uncia.topology import WORKERS, Part


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:
        # Faust replaces its own module when it is imported, and the replacement has no spec.
        return True


class Worker(Service):
    """A Faust worker. Ready when its ready file exists: its partitions are assigned and its tables recovered."""

    stop_wait_s: ClassVar[int] = 15
    ready_detail: ClassVar[str] = "partitions assigned"
    not_ready_detail: ClassVar[str] = "waiting for its partitions"
    wanted_by: ClassVar[str] = ""

    @classmethod
    def is_wanted(cls, settings: Settings) -> bool:
        """True where the setting is set without which it has nothing to do."""
        return not cls.wanted_by or bool(getattr(settings, cls.wanted_by))

    def check_installed(self) -> None:
        """Check that the extra with Faust and the clients is installed."""
        if not all(_installed(package) for package in ("faust", "tritonclient")):
            raise StackError(f"the workers need the extra `processors`: {how_to_install('processors')}")

    def command(self) -> list[str]:
        """`uncia worker NAME`, as in containers."""
        return [sys.executable, "-m", "uncia", "worker", self.name]

    def environment(self) -> dict[str, str]:
        """Addresses of this stack, its own keys, the ready file, and a data directory of this stack alone."""
        return {
            **self.site.environment,
            **self.site.keys.environment(PART_IDENTITIES[self.name]),
            "UNCIA_READY_FILE": str(self.site.layout.ready_file(self.name)),
            "UNCIA_DATA_DIR": str(self.site.layout.folder / "data" / "workers"),
        }

    def before(self) -> list[str]:
        """Remove the ready file of the last run."""
        return [f"rm -f {shlex.quote(str(self.site.layout.ready_file(self.name)))}"]

    def probe(self) -> str:
        """Check the ready file. supervisord reports whether the process runs."""
        if not self.site.layout.ready_file(self.name).exists():
            raise NotReady(self.not_ready_detail)
        return self.ready_detail


def worker_services() -> tuple[type[Worker], ...]:
    """One class per worker that `uncia up` starts, created from the rows of the topology."""
    return tuple(_service(part) for part in WORKERS.values() if part.embedded)


def _service(part: Part) -> type[Worker]:
    body = {"name": part.name, "needs": part.needs, "wanted_by": part.wanted_by}
    return type(f"{part.name.title().replace('-', '')}Worker", (Worker,), body)


class TritonKeeper(Worker):
    """The watchdog of Triton, which reloads models that stop answering. Ready after its first successful inference."""

    # The name is an argument of `uncia up` and a key of the JSON of `uncia status`.
    name: ClassVar[str] = "triton-keeper"
    needs: ClassVar[tuple[str, ...]] = ("triton",)
    ready_detail: ClassVar[str] = "probes Triton every few seconds"
    not_ready_detail: ClassVar[str] = "no inference has succeeded yet"

    def command(self) -> list[str]:
        """The watchdog's module. In containers, the orchestrator's liveness probe takes its place."""
        return [sys.executable, "-m", "uncia.infra.local.triton_watchdog"]


class Auditor(Worker):
    """Records in the audit log which keys are used and refused at Kafka and the object store. Ready when it listens."""

    name: ClassVar[str] = "auditor"
    ready_detail: ClassVar[str] = "records the use of keys"
    not_ready_detail: ClassVar[str] = "not started yet"

    def check_installed(self) -> None:
        """It needs nothing besides this package."""

    def command(self) -> list[str]:
        """The module of its process, which containers do not have."""
        return [sys.executable, "-m", "uncia.infra.local.auditor", str(audit_socket(self.site.layout))]

    def environment(self) -> dict[str, str]:
        """Its folder, and no keys."""
        return {
            **self.site.keys.environment(_NOBODY),
            "UNCIA_STACK_DIR": str(self.site.layout.folder),
            "UNCIA_READY_FILE": str(self.site.layout.ready_file(self.name)),
        }


_NOBODY = Identity("nobody", Role.PART, "Has no rights.")


class Catalogue(Worker):
    """`uncia catalogue run`, which folds the result topics into the dashboard's database."""

    name: ClassVar[str] = "catalogue"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    ready_detail: ClassVar[str] = "folds the result topics into the database"
    not_ready_detail: ClassVar[str] = "waiting for its database or for Kafka"

    def check_installed(self) -> None:
        """Check that the extra with the database's packages is installed."""
        if not all(_installed(package) for package in ("sqlalchemy", "alembic")):
            raise StackError(f"the catalogue needs the extra `dashboard`: {how_to_install('dashboard')}")

    def command(self) -> list[str]:
        """Runs until it is stopped; status 78 where the database is of a newer version."""
        return [sys.executable, "-m", "uncia", "catalogue", "run"]


class Reconcile(Worker):
    """`uncia reconcile`, which announces uploads whose notification was lost. Ready after its first comparison."""

    name: ClassVar[str] = "reconcile"
    needs: ClassVar[tuple[str, ...]] = ("kafka", "seaweedfs")
    ready_detail: ClassVar[str] = "compares the bucket with the topics"
    not_ready_detail: ClassVar[str] = "first comparison not finished"

    def command(self) -> list[str]:
        """Compares the bucket with the topics periodically."""
        return [sys.executable, "-m", "uncia", "reconcile", "--every"]


class Deliver(Worker):
    """`uncia deliver`, where `UNCIA_CHANNELS` names channels. Ready when it reads the alerts and its senders run."""

    name: ClassVar[str] = "deliver"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    ready_detail: ClassVar[str] = "delivers alerts"
    not_ready_detail: ClassVar[str] = "waiting for Kafka"
    wanted_by: ClassVar[str] = "channels"

    def check_installed(self) -> None:
        """Check that the extra with the clients of the channels is installed."""
        if not all(_installed(package) for package in ("apprise", "paho", "yaml")):
            raise StackError(f"the deliveries need the extra `delivery`: {how_to_install('delivery')}")

    def command(self) -> list[str]:
        """Delivers until it is stopped; status 78 where the outbox is of a newer version."""
        return [sys.executable, "-m", "uncia", "deliver"]


class Mailroom(Worker):
    """`uncia mailroom run`, where `UNCIA_MAILROOM` switches it on. Ready when its servers listen."""

    name: ClassVar[str] = "mailroom"
    needs: ClassVar[tuple[str, ...]] = ("seaweedfs",)
    ready_detail: ClassVar[str] = "receives photographs of cameras"
    not_ready_detail: ClassVar[str] = "its servers do not listen yet"
    wanted_by: ClassVar[str] = "mailroom"

    def check_installed(self) -> None:
        """Check that the extra with the servers is installed."""
        if not all(_installed(package) for package in ("pyftpdlib", "aiosmtpd")):
            raise StackError(f"the mailroom needs the extra `mailroom`: {how_to_install('mailroom')}")

    def command(self) -> list[str]:
        """Receives and uploads until it is stopped."""
        return [sys.executable, "-m", "uncia", "mailroom", "run"]


class Dashboard(Worker):
    """`uncia dashboard`, the web pages. Ready when it accepts connections."""

    name: ClassVar[str] = "dashboard"
    needs: ClassVar[tuple[str, ...]] = ("catalogue", "seaweedfs")
    not_ready_detail: ClassVar[str] = "not started yet"

    def check_installed(self) -> None:
        """Check that the extra with the web framework is installed."""
        if not all(_installed(package) for package in ("fastapi", "uvicorn", "argon2")):
            raise StackError(f"the dashboard needs the extra `dashboard`: {how_to_install('dashboard')}")

    def command(self) -> list[str]:
        """Serves until it is stopped."""
        return [sys.executable, "-m", "uncia", "dashboard"]

    def environment(self) -> dict[str, str]:
        """In addition to those of a worker: its folder, and the port that nothing else in the environment overrides."""
        return {**super().environment(), "UNCIA_DASHBOARD_DIR": str(self._folder), "UNCIA_DASHBOARD_HOST": "127.0.0.1"}

    def probe(self) -> str:
        """Connect. Returns the address; until there is an account, the one-time link that creates the first."""
        super().probe()
        self.require_listener("dashboard")
        try:
            return (self._folder / "first-link").read_text(encoding="utf-8").strip()
        except OSError:
            return f"http://{self.at('dashboard')}"

    @property
    def _folder(self) -> Path:
        return self.site.layout.folder / "data" / "dashboard"
