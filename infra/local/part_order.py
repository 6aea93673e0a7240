"""All parts, and the order in which they start and stop: each after those that it needs, and the other way round."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from uncia.errors import StackError, UnciaError
from uncia.infra.local.kafka import Kafka
from uncia.infra.local.part_health import last_lines
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.service import Service, Site
from uncia.infra.local.supervisor import Supervisor
from uncia.infra.local.triton import Triton
from uncia.infra.local.workers import Reconcile, TritonKeeper, worker_services

SERVICES: tuple[type[Service], ...] = (
    Kafka,
    SeaweedFS,
    Triton,
    TritonKeeper,
    *worker_services(),
    Reconcile,
)
NAMES = tuple(service.name for service in SERVICES)

Report = Callable[[str, float, str], None]
"""Called as (part, seconds since the start, detail) when a part is ready."""


def services_of(site: Site, names: Sequence[str]) -> list[Service]:
    """These parts of a stack, in the order of `SERVICES`."""
    return [service(site) for service in SERVICES if service.name in names]


def with_needs(names: Sequence[str]) -> tuple[str, ...]:
    """These parts and all that they need, in the order of `SERVICES`."""
    unknown = set(names) - set(NAMES)
    if unknown:
        raise StackError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    wanted = set(names)
    for service in reversed(SERVICES):
        if service.name in wanted:
            wanted.update(service.needs)
    return tuple(name for name in NAMES if name in wanted)


def prepare(supervisor: Supervisor, services: Sequence[Service]) -> None:
    """Check and write what the parts need that do not run yet; nothing is started when something is missing."""
    running = {part.name for part in supervisor.parts() if part.pid}
    fresh = [service for service in services if service.name not in running]
    for service in fresh:
        service.check_installed()
    for service in fresh:
        service.write(Path.cwd())


def start_all(supervisor: Supervisor, services: Sequence[Service], timeout_s: float, report: Report | None) -> None:
    """Start every part as soon as those that it needs have answered. Raises `StackError` for one that does not."""
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
                    f"Its log is {log}; it ends with:\n{last_lines(log)}"
                ) from error
        given_up.wait(0.1)
    return None


def stop_in_order(supervisor: Supervisor) -> None:
    """First those that use others, so that they finish what is in their hands; then the others side by side."""
    waits = {service.name: service.stop_wait_s for service in SERVICES}
    used = {need for service in SERVICES for need in service.needs}
    for batch in ([name for name in NAMES if name not in used], [name for name in NAMES if name in used]):
        supervisor.stop_parts(batch, max(waits[name] for name in batch) + 5)
