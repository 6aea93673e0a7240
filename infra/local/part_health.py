"""Status of one part: whether it runs, whether it is ready, and why not."""

from dataclasses import dataclass, replace
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local.crash_loops import CrashLoop
from uncia.infra.local.service import Service
from uncia.infra.local.supervisor import Supervised


@dataclass(frozen=True)
class PartStatus:
    """State of one part at one moment; part of the JSON of `uncia status`."""

    name: str
    state: str
    pid: int | None
    ready: bool
    detail: str
    uptime_s: float = 0.0
    memory_mb: float = 0.0
    restarts: int = 0
    """Number of recent unexpected exits when the part is in a crash loop, else 0."""

    @property
    def healthy(self) -> bool:
        """True when the part is ready and not in a crash loop."""
        return self.ready and not self.restarts

    def with_crash_loop(self, loop: CrashLoop) -> "PartStatus":
        """This status with a crash loop added. `ready` stays: a part in a crash loop is ready at some moments."""
        return replace(self, state="crash-loop", restarts=loop.restarts, detail=loop.describe())


def probe_part(service: Service, supervised: Supervised | None, memory_mb: float) -> PartStatus:
    """Probe a part when it runs. For a part that exited by itself, `detail` has the reason."""
    state = supervised.state if supervised else "stopped"
    pid = supervised.pid if supervised else None
    if pid is None:
        return PartStatus(service.name, state, None, False, _why_stopped(service) if state == "exited" else "")
    try:
        ready, detail = True, service.probe()
    except UnciaError as error:
        ready, detail = False, str(error)
    return PartStatus(service.name, state, pid, ready, detail, supervised.uptime_s if supervised else 0.0, memory_mb)


def unsupervised_status(name: str, pid: int | None) -> PartStatus:
    """Status of a part without a supervisord; `pid` is its process when it still runs."""
    if pid is None:
        return PartStatus(name, "down", None, False, "")
    return PartStatus(name, "orphaned", pid, False, "supervisord is gone: run `uncia up` or `uncia down` to clean up")


def _why_stopped(service: Service) -> str:
    """Return the last line of the log of a part that exited with status 78, which contains the reason."""
    last = last_lines(service.site.layout.folder / "logs" / f"{service.name}.log", 1).removeprefix("uncia: ")
    return f"stopped by itself: {last}; `uncia up {service.name}` starts it again"


def last_lines(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(nothing)"
