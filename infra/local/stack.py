"""The embedded stack: starts, watches and ends all parts of one folder's stack."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local import processes
from uncia.infra.local.crash_loops import crash_loops
from uncia.infra.local.layout import Layout, claim
from uncia.infra.local.part_health import PartStatus, ask_part, unsupervised
from uncia.infra.local.part_order import (
    NAMES,
    Report,
    prepare,
    services_of,
    start_all,
    stop_in_order,
    with_needs,
)
from uncia.infra.local.service import Service, Site
from uncia.infra.local.stack_identity import Drawn, draw, environment_of, is_free, read_drawn
from uncia.infra.local.supervisor import Supervised, Supervisor
from uncia.settings import Settings


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
        wanted = with_needs(parts or NAMES)
        with self._alone():
            layout = self._layout()
            begun_here = layout is None or not Supervisor(layout).answers()
            try:
                if begun_here:
                    self._begin()
                site = self._site(extra_env or {})
                supervisor, services = Supervisor(site.layout), services_of(site, wanted)
                prepare(supervisor, services)
                start_all(supervisor, services, timeout_s, report)
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
        """Every part; each one that runs is asked whether it answers. One that is restarted again and again says so."""
        layout = self._layout()
        supervised: dict[str, Supervised] = {}
        with contextlib.suppress(StackError):
            supervised = {part.name: part for part in Supervisor(layout).parts()} if layout else {}
        if not supervised:
            left = {p.part: p.pid for p in processes.of_stack(drawn.stack_id)} if (drawn := self.drawn()) else {}
            return [unsupervised(name, left.get(name)) for name in NAMES]
        memory = self._memory()
        site = self._site({})

        loops = crash_loops(self.folder / "logs")

        def ask(service: Service) -> PartStatus:
            asked = ask_part(service, supervised.get(service.name), memory.get(service.name, 0.0))
            # One that stopped for good, or was stopped by hand, is in no loop any more.
            looping = service.name in loops and asked.state not in ("exited", "stopped")
            return asked.looping(loops[service.name]) if looping else asked

        with ThreadPoolExecutor(len(NAMES)) as pool:
            return list(pool.map(ask, services_of(site, NAMES)))

    def is_supervised(self) -> bool | None:
        """True while supervisord answers; False when it died; None after `down`, or before the first `up`."""
        layout = self._layout()
        return None if layout is None else Supervisor(layout).answers()

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
        Supervisor(layout).start(services_of(self._site({}), NAMES), drawn)

    def _end(self) -> None:
        drawn, layout = self.drawn(), self._layout()
        if drawn is None:
            return
        if layout is not None:
            supervisor = Supervisor(layout)
            with contextlib.suppress(StackError):
                stop_in_order(supervisor)
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
