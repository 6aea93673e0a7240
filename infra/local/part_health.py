"""What is told of one part: whether it runs, whether it answers, and why not."""

from dataclasses import dataclass, replace
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local.crash_loops import CrashLoop
from uncia.infra.local.service import Service
from uncia.infra.local.supervisor import Supervised


@dataclass(frozen=True)
class PartStatus:
    """One part, as it is now."""

    name: str
    state: str
    pid: int | None
    ready: bool
    detail: str
    uptime_s: float = 0.0
    memory_mb: float = 0.0
    restarts: int = 0
    """Where it is in a crash loop: how often it ended by itself lately."""

    @property
    def healthy(self) -> bool:
        """It answers, and is not in a crash loop."""
        return self.ready and not self.restarts

    def looping(self, loop: CrashLoop) -> "PartStatus":
        """The same of a part that is started again and again; it may happen to answer at this moment."""
        return replace(self, state="crash-loop", restarts=loop.restarts, detail=loop.words())


def ask_part(service: Service, supervised: Supervised | None, memory_mb: float) -> PartStatus:
    """Ask a part that runs whether it answers; say of one that ended by itself why."""
    state = supervised.state if supervised else "stopped"
    pid = supervised.pid if supervised else None
    if pid is None:
        return PartStatus(service.name, state, None, False, _why_stopped(service) if state == "exited" else "")
    try:
        ready, detail = True, service.probe()
    except UnciaError as error:
        ready, detail = False, str(error)
    return PartStatus(service.name, state, pid, ready, detail, supervised.uptime_s if supervised else 0.0, memory_mb)


def unsupervised(name: str, pid: int | None) -> PartStatus:
    """Of a part while there is no supervisord; `pid` where its process is still there."""
    if pid is None:
        return PartStatus(name, "down", None, False, "")
    return PartStatus(name, "orphaned", pid, False, "nobody watches it: `uncia up` or `uncia down` cleans up")


def _why_stopped(service: Service) -> str:
    """A part that ended by itself and stays down, with status 78, says why in the last line of its log."""
    last = last_lines(service.site.layout.folder / "logs" / f"{service.name}.log", 1).removeprefix("uncia: ")
    return f"stopped by itself: {last}; `uncia up {service.name}` starts it again"


def last_lines(log: Path, lines: int = 15) -> str:
    """How a log ends."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(nothing)"
