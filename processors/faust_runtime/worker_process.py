"""One worker as one process: from settings to the exit status."""

import importlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import faust
import structlog
from prometheus_client import start_http_server

from uncia.errors import DependencyDown, UnciaError
from uncia.garbage_collection import suspended_for_imports
from uncia.kafka.broker import create_topics, existing_topics
from uncia.processors.faust_runtime.app import WorkerApp
from uncia.settings import Settings
from uncia.telemetry import configure_logging, ready_file
from uncia.topics import Topic
from uncia.topology import WORKERS

log = structlog.get_logger("uncia")


class _Process(faust.Worker):  # type: ignore[misc]
    """Faust's process, silent on standard output, that touches a file when it is ready."""

    def __init__(self, app: WorkerApp, ready: Path | None) -> None:
        super().__init__(app, override_logging=False, redirect_stdouts=False, quiet=True)
        self.spinner = None
        self._ready = ready

    async def on_startup_finished(self) -> None:
        await super().on_startup_finished()
        if self._shutdown_immediately:
            return
        log.info("ready", group=self.app.conf.id)
        if self._ready is not None:
            self._ready.touch()


def wait_for_kafka(settings: Settings, needed: Iterable[Topic], own_topics: Iterable[Topic] = ()) -> None:
    """Wait until the broker is available and has the topics that the worker needs; create the worker's own topics.

    Waits without limit and logs that every half minute: a supervisor would give up a worker that exited instead while
    a broker is slow to start.
    """
    wanted = {topic.full_name(settings) for topic in needed}
    logged = float("-inf")
    while True:
        try:
            missing = wanted - existing_topics(settings)
            if not missing:
                if own := tuple(own_topics):
                    create_topics(settings, own)
                return
            problem = f"topics are missing ({', '.join(sorted(missing))}): create them with `uncia topics create`"
        except DependencyDown as error:
            problem = str(error)
        if time.monotonic() - logged > 30:
            logged = time.monotonic()
            log.warning("dependency_down", dependency="kafka", error=problem)
        time.sleep(0.5)


def run(name: str, settings: Settings) -> NoReturn:
    """Run the worker `name` until SIGTERM (status 0) or until it fails (another status; its supervisor restarts it).

    Its row of `uncia.topology` names the module, which has `create(settings)`, and its changelogs, which are created
    here because Faust may not create topics.
    """
    configure_logging(settings, name)
    structlog.contextvars.bind_contextvars(worker=name)
    ready = ready_file()
    if ready is not None:
        ready.unlink(missing_ok=True)
    part = WORKERS[name]
    with suspended_for_imports():
        module = importlib.import_module(part.module)
    wait_for_kafka(settings, part.inputs + part.writes, part.changelogs)
    if settings.web_port:
        start_http_server(settings.web_port, settings.web_host)
    app: WorkerApp = module.create(settings)
    status: int | str | None = 0
    try:
        _Process(app, ready).execute_from_commandline()
    except SystemExit as end:
        status = end.code
    finally:
        if ready is not None:
            ready.unlink(missing_ok=True)
    if isinstance(app.halted, UnciaError):
        raise app.halted
    raise SystemExit(status)
