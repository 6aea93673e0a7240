"""The embedded stack: starts, watches and ends all parts of one folder's stack."""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from infra.local import processes
from infra.local.drawn import Drawn, draw, environment_of, is_free, read_drawn
from infra.local.kafka import Kafka
from infra.local.layout import Layout, claim
from infra.local.seaweedfs import SeaweedFS
from infra.local.service import Service, Site
from infra.local.supervisor import Supervised, Supervisor
from infra.local.triton import Triton
from infra.local.workers import Bursts, Clocks, Intake, Predict, PredictBackfill, Reconcile, TritonKeeper
from uncia.errors import StackError, UnciaError
from uncia.settings import Settings

SERVICES: tuple[type[Service], ...] = (
    Kafka,
    SeaweedFS,
    Triton,
    TritonKeeper,
    Intake,
    Predict,
    PredictBackfill,
    Bursts,
    Clocks,
    Reconcile,
)
NAMES = tuple(service.name for service in SERVICES)

Report = Callable[[str, float, str], None]
"""Called as (part, seconds since the start, detail) when a part is ready."""


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


class Stack:
    """All parts of the stack in `folder`. Several stacks, each with its folder, live on one machine side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def up(
        self,
        parts: Sequence[str] | None = None,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float = 120,
        report: Report | None = None,
    ) -> None:
        """Start parts (all by default) and those that they need; return when all have answered.

        Parts that run already are only asked. When this call began with a stack that was down and fails or is
        interrupted, everything is stopped again; the logs stay. Raises `StackError`.
        """
        wanted = _with_needs(parts or NAMES)
        with self._alone():
            layout = self._layout()
            begun_here = layout is None or not Supervisor(layout).answers()
            try:
                if begun_here:
                    self._begin()
                site = self._site(extra_env or {})
                supervisor, services = Supervisor(site.layout), _services(site, wanted)
                _prepare(supervisor, services)
                _start_all(supervisor, services, timeout_s, report)
            except BaseException:
                if begun_here:
                    self._end()
                raise

    def down(self) -> None:
        """Stop everything. No process and no port of this stack is left, also when supervisord itself had died."""
        if self.folder.exists():
            with self._alone():
                self._end()

    def status(self) -> list[PartStatus]:
        """Every part; each one that runs is asked whether it answers."""
        layout = self._layout()
        supervised: dict[str, Supervised] = {}
        with contextlib.suppress(StackError):
            supervised = {part.name: part for part in Supervisor(layout).parts()} if layout else {}
        if not supervised:
            left = {p.part: p.pid for p in processes.of_stack(drawn.stack_id)} if (drawn := self.drawn()) else {}
            return [_unsupervised(name, left.get(name)) for name in NAMES]
        memory = self._memory()
        site = self._site({})

        def ask(service: Service) -> PartStatus:
            return _ask(service, supervised.get(service.name), memory.get(service.name, 0.0))

        with ThreadPoolExecutor(len(SERVICES)) as pool:
            return list(pool.map(ask, _services(site, NAMES)))

    def kill(self, name: str, signal_number: int) -> int:
        """Send a signal to one part's process and return its pid; for tests of what happens then."""
        layout = self._layout()
        pid = next((part.pid for part in Supervisor(layout).parts() if part.name == name), None) if layout else None
        if pid is None:
            raise StackError(f"{name} does not run in {self.folder}")
        os.kill(pid, signal_number)
        return pid

    def environment(self) -> dict[str, str]:
        """Variables that point another process at this stack."""
        return {"UNCIA_STACK_DIR": str(self.folder), **environment_of(self._must_be_drawn())}

    def settings(self) -> Settings:
        """Settings that lead to this stack."""
        return _settings(self.folder, self._must_be_drawn())

    def drawn(self) -> Drawn | None:
        """Ports and credentials; None before the first start."""
        return read_drawn(self.folder)

    def _begin(self) -> None:
        if (known := self.drawn()) is not None:
            # Left by a supervisord that was killed: nobody watches over these any more.
            processes.end(known.stack_id)
            Layout(self.folder, Path(known.short)).remove_short()
        layout = Layout.make(self.folder)
        drawn = draw(self.folder, layout.short)
        for name in NAMES:
            layout.ready_file(name).unlink(missing_ok=True)
        Supervisor(layout).start(_services(self._site({}), NAMES), drawn)

    def _end(self) -> None:
        drawn, layout = self.drawn(), self._layout()
        if drawn is None:
            return
        if layout is not None:
            supervisor = Supervisor(layout)
            with contextlib.suppress(StackError):
                _stop_in_order(supervisor)
                supervisor.shutdown()
        deadline = time.monotonic() + 5
        while list(processes.of_stack(drawn.stack_id)) and time.monotonic() < deadline:
            time.sleep(0.02)
        processes.end(drawn.stack_id)
        for region in Path("/dev/shm").glob(f"{drawn.shm_prefix}*"):
            region.unlink(missing_ok=True)
        if layout is not None:
            layout.remove_short()
        held = [f"{name} {port}" for name, port in drawn.ports.items() if layout and not is_free(port)]
        if held:
            raise StackError(f"the stack is down, and something else listens on its ports: {', '.join(held)}")

    def _layout(self) -> Layout | None:
        drawn = self.drawn()
        return Layout(self.folder, Path(drawn.short)) if drawn and Path(drawn.short).is_dir() else None

    def _must_be_drawn(self) -> Drawn:
        if (drawn := self.drawn()) is None:
            raise StackError(f"there is no stack in {self.folder} yet: `uncia up` makes it")
        return drawn

    def _site(self, extra_env: Mapping[str, str]) -> Site:
        drawn = self._must_be_drawn()
        settings = _settings(self.folder, drawn)
        environment = {
            **extra_env,
            "UNCIA_STACK_DIR": str(self.folder),
            "UNCIA_MODEL_REPOSITORY": str(settings.model_repository.absolute()),
            **environment_of(drawn),
        }
        return Site(Layout(self.folder, Path(drawn.short)), drawn, settings, environment)

    def _memory(self) -> dict[str, float]:
        memory: dict[str, float] = {}
        for process in processes.of_stack(self._must_be_drawn().stack_id):
            memory[process.part] = memory.get(process.part, 0.0) + processes.memory_mb(process.pid)
        return memory

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one `up` or `down` at a time works on a folder."""
        claim(self.folder)
        with (self.folder / "lock").open("w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackError(f"another `uncia up` or `down` is at work on {self.folder}: wait for it") from error
            yield


def _settings(folder: Path, drawn: Drawn) -> Settings:
    """This stack's settings, whatever the caller's own environment points at."""
    ours = {name.removeprefix("UNCIA_").lower(): value for name, value in environment_of(drawn).items()}
    return Settings(_env_file=folder / "stack.env", **ours)  # type: ignore[arg-type]


def _services(site: Site, names: Sequence[str]) -> list[Service]:
    return [service(site) for service in SERVICES if service.name in names]


def _with_needs(names: Sequence[str]) -> tuple[str, ...]:
    """These parts and all that they need, in the order of `SERVICES`."""
    unknown = set(names) - set(NAMES)
    if unknown:
        raise StackError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    wanted = set(names)
    for service in reversed(SERVICES):
        if service.name in wanted:
            wanted.update(service.needs)
    return tuple(name for name in NAMES if name in wanted)


def _prepare(supervisor: Supervisor, services: Sequence[Service]) -> None:
    """Check and write what the parts need that do not run yet; nothing is started when something is missing."""
    running = {part.name for part in supervisor.parts() if part.pid}
    fresh = [service for service in services if service.name not in running]
    for service in fresh:
        service.check_installed()
    for service in fresh:
        service.write(Path.cwd())


def _start_all(supervisor: Supervisor, services: Sequence[Service], timeout_s: float, report: Report | None) -> None:
    """Start every part as soon as those that it needs have answered."""
    began = time.monotonic()
    answered = {service.name: threading.Event() for service in services}
    given_up = threading.Event()

    def start(service: Service) -> None:
        for need in service.needs:
            while not answered[need].wait(0.02):
                if given_up.is_set():
                    return
        supervisor.start_part(service.name)
        detail = _until_ready(service, supervisor, began + timeout_s, given_up)
        if detail is None:
            return
        answered[service.name].set()
        if report:
            report(service.name, time.monotonic() - began, detail)

    with ThreadPoolExecutor(len(services)) as pool:
        try:
            futures = [pool.submit(start, service) for service in services]
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        finally:
            given_up.set()


def _until_ready(service: Service, supervisor: Supervisor, deadline: float, given_up: threading.Event) -> str | None:
    while not given_up.is_set():
        try:
            return service.probe()
        except UnciaError as error:
            if time.monotonic() > deadline:
                states = {part.name: part.state for part in supervisor.parts()}
                log = service.site.layout.folder / "logs" / f"{service.name}.log"
                raise StackError(
                    f"{service.name} is not ready in time ({states.get(service.name)}: {error}). "
                    f"Its log is {log}; it ends with:\n{_tail(log)}"
                ) from error
        given_up.wait(0.1)
    return None


def _stop_in_order(supervisor: Supervisor) -> None:
    """First those that use others, so that they finish what is in their hands; then the others side by side."""
    waits = {service.name: service.stop_wait_s for service in SERVICES}
    used = {need for service in SERVICES for need in service.needs}
    for batch in ([name for name in NAMES if name not in used], [name for name in NAMES if name in used]):
        supervisor.stop_parts(batch, max(waits[name] for name in batch) + 5)


def _ask(service: Service, supervised: Supervised | None, memory_mb: float) -> PartStatus:
    state = supervised.state if supervised else "stopped"
    pid = supervised.pid if supervised else None
    if pid is None:
        return PartStatus(service.name, state, None, False, _why_stopped(service) if state == "exited" else "")
    try:
        ready, detail = True, service.probe()
    except UnciaError as error:
        ready, detail = False, str(error)
    return PartStatus(service.name, state, pid, ready, detail, supervised.uptime_s if supervised else 0.0, memory_mb)


def _unsupervised(name: str, pid: int | None) -> PartStatus:
    if pid is None:
        return PartStatus(name, "down", None, False, "")
    return PartStatus(name, "orphaned", pid, False, "nobody watches it: `uncia up` or `uncia down` cleans up")


def _why_stopped(service: Service) -> str:
    """A part that ended by itself and stays down, with status 78, says why in the last line of its log."""
    last = _tail(service.site.layout.folder / "logs" / f"{service.name}.log", 1).removeprefix("uncia: ")
    return f"stopped by itself: {last}; `uncia up {service.name}` starts it again"


def _tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(nothing)"
