"""Our own processes: the workers, and the keeper that cures Triton."""

import importlib.util
import shlex
import sys
from typing import ClassVar

from uncia.errors import StackError, how_to_install
from uncia.infra.local.service import NotReady, Service
from uncia.topology import WORKERS, Part


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:
        # Faust replaces its own module when it is imported, and leaves no spec on it.
        return True


class Worker(Service):
    """A Faust worker. Ready when it has its partitions and its tables: it touches a file then."""

    stop_wait_s: ClassVar[int] = 15

    def check_installed(self) -> None:
        """Faust and the clients come with an extra."""
        if not all(_installed(package) for package in ("faust", "tritonclient")):
            raise StackError(f"the workers need the extra `processors`: {how_to_install('processors')}")

    def command(self) -> list[str]:
        """The same command that runs it anywhere else."""
        return [sys.executable, "-m", "uncia", "worker", self.name]

    def environment(self) -> dict[str, str]:
        """The way to this stack, and a scratch folder that no other stack shares."""
        return {
            **self.site.environment,
            "UNCIA_READY_FILE": str(self.site.layout.ready_file(self.name)),
            "UNCIA_DATA_DIR": str(self.site.layout.folder / "data" / "workers"),
        }

    def before(self) -> list[str]:
        """A file left by the last run says nothing about this one."""
        return [f"rm -f {shlex.quote(str(self.site.layout.ready_file(self.name)))}"]

    def probe(self) -> str:
        """The file is there. That its process lives is asked of supervisord."""
        if not self.site.layout.ready_file(self.name).exists():
            raise NotReady("waits for its partitions")
        return "has its partitions"


def worker_services() -> tuple[type[Worker], ...]:
    """The workers that `uncia up` starts, one class each, from their rows of the topology."""
    return tuple(_service(part) for part in WORKERS.values() if part.embedded)


def _service(part: Part) -> type[Worker]:
    return type(f"{part.name.title().replace('-', '')}Worker", (Worker,), {"name": part.name, "needs": part.needs})


class TritonKeeper(Worker):
    """Notices a model that no longer answers, and cures it."""

    name: ClassVar[str] = "triton-keeper"
    needs: ClassVar[tuple[str, ...]] = ("triton",)

    def command(self) -> list[str]:
        """Ours alone: in containers an orchestrator's liveness probe does this."""
        return [sys.executable, "-m", "uncia.infra.local.triton_watchdog"]

    def probe(self) -> str:
        """Touched after its first successful inference."""
        if not self.site.layout.ready_file(self.name).exists():
            raise NotReady("has not seen an inference succeed")
        return "asks Triton every few seconds"


class Reconcile(Worker):
    """Uploads whose notification was lost are announced."""

    name: ClassVar[str] = "reconcile"
    needs: ClassVar[tuple[str, ...]] = ("kafka", "seaweedfs")

    def command(self) -> list[str]:
        """Compares the bucket with the topics, over and over."""
        return [sys.executable, "-m", "uncia", "reconcile", "--every"]

    def probe(self) -> str:
        """Touched after its first comparison."""
        if not self.site.layout.ready_file(self.name).exists():
            raise NotReady("has not compared yet")
        return "compares the bucket with the topics"
