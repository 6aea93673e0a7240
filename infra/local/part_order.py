"""All parts of the stack, and starting and stopping them in the order of their dependencies."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from uncia.errors import StackError, UnciaError
from uncia.infra.local.kafka import Kafka
from uncia.infra.local.part_health import last_lines
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.seaweedfs_network import SeaweedFSNetwork
from uncia.infra.local.service import Service, StackContext
from uncia.infra.local.supervisor import Supervisor
from uncia.infra.local.triton import Triton
from uncia.infra.local.workers import (
    Auditor,
    Catalogue,
    Dashboard,
    Deliver,
    Mailroom,
    Reconcile,
    TritonKeeper,
    worker_services,
)
from uncia.settings import Settings

SERVICES: tuple[type[Service], ...] = (
    Kafka,
    SeaweedFS,
    SeaweedFSNetwork,
    Triton,
    TritonKeeper,
    Auditor,
    *worker_services(),
    Reconcile,
    Catalogue,
    Deliver,
    Mailroom,
    Dashboard,
)
PART_NAMES = tuple(service.name for service in SERVICES)
"""Of all parts; a stack has those that its settings want."""

Report = Callable[[str, float, str], None]
"""Called as (part, seconds since the start, detail) when a part is ready."""


def create_services(site: StackContext, names: Sequence[str]) -> list[Service]:
    """The services of those among these parts that the settings want, in the order of `SERVICES`."""
    return [service(site) for service in SERVICES if service.name in names and service.is_wanted(site.settings)]


def wanted_parts(settings: Settings) -> list[str]:
    """The names of the parts that a stack with these settings has, in the order of `SERVICES`."""
    return [service.name for service in SERVICES if service.is_wanted(settings)]


def with_dependencies(names: Sequence[str]) -> tuple[str, ...]:
    """These parts and all their dependencies, in the order of `SERVICES`. Raises `StackError` for an unknown name."""
    unknown = set(names) - set(PART_NAMES)
    if unknown:
        raise StackError(f"no such part: {', '.join(sorted(unknown))}; available: {', '.join(PART_NAMES)}")
    wanted = set(names)
    for service in reversed(SERVICES):
        if service.name in wanted:
            wanted.update(service.needs)
    return tuple(name for name in PART_NAMES if name in wanted)


def prepare(supervisor: Supervisor, services: Sequence[Service]) -> None:
    """Check the installation of the parts that do not run yet, then write their files.

    Raises `StackError` before anything is written when a part is not installed.
    """
    running = {part.name for part in supervisor.parts() if part.pid}
    stopped = [service for service in services if service.name not in running]
    for service in stopped:
        service.check_installed()
    for service in stopped:
        service.write(Path.cwd())


def start_all(supervisor: Supervisor, services: Sequence[Service], timeout_s: float, report: Report | None) -> None:
    """Start every part as soon as its dependencies are ready. Raises `StackError` when one is not ready in time."""
    began = time.monotonic()
    ready = {service.name: threading.Event() for service in services}
    given_up = threading.Event()

    def start(service: Service) -> None:
        for need in service.needs:
            while not ready[need].wait(0.02):
                if given_up.is_set():
                    return
        supervisor.start_part(service.name)
        detail = _until_ready(service, supervisor, began + timeout_s, given_up)
        if detail is None:
            return
        ready[service.name].set()
        if report:
            report(service.name, time.monotonic() - began, detail)

    with ThreadPoolExecutor(len(services)) as pool:
        try:
            futures = [pool.submit(start, service) for service in services]
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        finally:
            given_up.set()


def restart(supervisor: Supervisor, service: Service, timeout_s: float) -> None:
    """Stop one part, start it again and wait until it is ready. Raises `StackError`."""
    stop(supervisor, [service])
    supervisor.start_part(service.name)
    _until_ready(service, supervisor, time.monotonic() + timeout_s, threading.Event())


def stop(supervisor: Supervisor, services: Sequence[Service]) -> None:
    """Stop these parts in parallel; none of them counts as ready until it is again."""
    if not services:
        return
    supervisor.stop_parts([service.name for service in services], max(each.stop_wait_s for each in services) + 5)
    for service in services:
        service.site.layout.ready_file(service.name).unlink(missing_ok=True)


def _until_ready(service: Service, supervisor: Supervisor, deadline: float, given_up: threading.Event) -> str | None:
    while not given_up.is_set():
        try:
            return service.probe()
        except UnciaError as error:
            if time.monotonic() > deadline:
                states = {part.name: part.state for part in supervisor.parts()}
                log = service.site.layout.folder / "logs" / f"{service.name}.log"
                raise StackError(
                    f"{service.name} was not ready in time ({states.get(service.name)}: {error}). "
                    f"Its log {log} ends with:\n{last_lines(log)}"
                ) from error
        given_up.wait(0.1)
    return None


def stop_in_order(supervisor: Supervisor) -> None:
    """Stop first the parts on which no other depends, so that they can finish their work; then the rest in parallel."""
    timeouts = {service.name: service.stop_wait_s for service in SERVICES}
    needed = {need for service in SERVICES for need in service.needs}
    for batch in ([name for name in PART_NAMES if name not in needed], [name for name in PART_NAMES if name in needed]):
        supervisor.stop_parts(batch, max(timeouts[name] for name in batch) + 5)
