"""The embedded stack of one folder: starts, inspects and stops all its parts."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from uncia.errors import StackError
from uncia.identities import OPERATOR, Identity
from uncia.infra.local import processes
from uncia.infra.local.certificates import complete_renewal, ensure_certificates
from uncia.infra.local.crash_loops import crash_loops
from uncia.infra.local.credentials import StackKeys, ensure_keys, read_keys
from uncia.infra.local.kafka import Kafka
from uncia.infra.local.layout import Layout, claim
from uncia.infra.local.network import check_addresses, network_addresses
from uncia.infra.local.part_health import PartStatus, probe_part, unsupervised_status
from uncia.infra.local.part_order import (
    PART_NAMES,
    Report,
    create_services,
    prepare,
    start_all,
    stop_in_order,
    wanted_parts,
    with_dependencies,
)
from uncia.infra.local.service import Service, StackContext
from uncia.infra.local.stack_identity import (
    StackIdentity,
    ensure_identity,
    environment_of,
    is_free,
    read_identity,
    write_environment,
)
from uncia.infra.local.supervisor import Supervised, Supervisor
from uncia.settings import Settings, read_settings
from uncia.storage.process_lock import exclusive


class Stack:
    """The stack in `folder`. Several stacks, one per folder, can run on one machine at the same time.

    `up` and `down` hold a lock on the folder, so calls from several processes are safe. `down` ends only processes that
    carry this stack's id in their environment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def up(
        self,
        parts: Sequence[str] | None = None,
        extra_env: Mapping[str, str] | None = None,
        timeout_s: float = 120,
        report: Report | None = None,
    ) -> None:
        """Start parts (all by default) and the parts that they depend on; return when all are ready.

        Parts that run already are only probed. When the stack was down and this call fails or is interrupted,
        everything is stopped again; the logs are kept. `extra_env` is added to the workers' environment; `timeout_s`
        covers the whole start; `report` is called once per part that becomes ready. Raises `StackError`.
        """
        wanted = with_dependencies(parts or PART_NAMES)
        with self.locked():
            layout = self._current_layout()
            was_down = layout is None or not Supervisor(layout).answers()
            try:
                if was_down:
                    self._begin()
                elif not any(part.name == Kafka.name and part.pid for part in self.supervised()):
                    # What an interrupted `uncia keys rotate certificates` left.
                    complete_renewal(self.folder)
                site = self._site(extra_env or {})
                supervisor, services = Supervisor(site.layout), create_services(site, wanted)
                if missing := set(parts or ()) - {service.name for service in services}:
                    raise StackError(
                        f"the settings of this stack switch {', '.join(sorted(missing))} off (docs/settings.md)"
                    )
                prepare(supervisor, services)
                start_all(supervisor, services, timeout_s, report)
            except BaseException:
                if was_down:
                    self._end()
                raise

    def down(self) -> None:
        """Stop everything. No process and no port of this stack remains, even if supervisord itself had died."""
        if self.folder.exists():
            with self.locked():
                self._end()

    def status(self) -> list[PartStatus]:
        """Status of every part. Probes the running parts in parallel; reports those that are in a crash loop."""
        supervised: dict[str, Supervised] = {}
        with contextlib.suppress(StackError):
            supervised = {part.name: part for part in self.supervised()}
        if not supervised:
            left = (
                {p.part: p.pid for p in processes.of_stack(identity.stack_id)} if (identity := self.identity()) else {}
            )
            settings = self.settings() if self.identity() and read_keys(self.folder) else Settings()
            return [unsupervised_status(name, left.get(name)) for name in wanted_parts(settings)]
        memory = self._memory()
        site = self._site({})

        loops = crash_loops(self.folder / "logs")

        def probe(service: Service) -> PartStatus:
            status = probe_part(service, supervised.get(service.name), memory.get(service.name, 0.0))
            # A part that exited for good, or was stopped by a person, is no longer in a crash loop.
            looping = service.name in loops and status.state not in ("exited", "stopped")
            return status.with_crash_loop(loops[service.name]) if looping else status

        with ThreadPoolExecutor(len(PART_NAMES)) as pool:
            return list(pool.map(probe, create_services(site, PART_NAMES)))

    def is_supervised(self) -> bool | None:
        """True while supervisord answers; False when it died; None after `down` or before the first `up`."""
        layout = self._current_layout()
        return None if layout is None else Supervisor(layout).answers()

    def supervised(self) -> list[Supervised]:
        """supervisord's state of every part; empty while the stack is down. Raises `StackError` when it died."""
        layout = self._current_layout()
        return Supervisor(layout).parts() if layout else []

    def kill(self, name: str, signal_number: int) -> int:
        """Send a signal to one part's process and return its pid; for failure tests."""
        pid = next((part.pid for part in self.supervised() if part.name == name), None)
        if pid is None:
            raise StackError(f"{name} is not running in {self.folder}")
        os.kill(pid, signal_number)
        return pid

    def environment(self) -> dict[str, str]:
        """Environment variables that connect another process to this stack, as the operator."""
        keys = self.require_keys().environment(OPERATOR)
        return {"UNCIA_STACK_DIR": str(self.folder), **environment_of(self.require_identity()), **keys}

    def settings(self, identity: Identity = OPERATOR) -> Settings:
        """Settings that connect to this stack, with the keys of an identity.

        Raises `StackError` before the first start.
        """
        return _settings(self.folder, self.require_identity(), self.require_keys(), identity)

    def context(self) -> StackContext:
        """What a part needs from this stack. Raises `StackError` before the first start."""
        return self._site({})

    def write_operator_environment(self) -> None:
        """Write the addresses and the operator's keys into `stack.env`. Raises `StackError` before the first start."""
        addresses, keys = environment_of(self.require_identity()), self.require_keys().environment(OPERATOR)
        write_environment(self.folder, {**addresses, **keys})

    def admin_settings(self) -> Settings:
        """Settings with the administrative keys of store and broker. Raises `StackError` before the first start."""
        return self._site({}).admin_settings()

    def identity(self) -> StackIdentity | None:
        """Id and ports; None before the first start."""
        return read_identity(self.folder)

    def require_identity(self) -> StackIdentity:
        """Id and ports. Raises `StackError` before the first start."""
        if (identity := self.identity()) is None:
            raise self._never_started()
        return identity

    def require_keys(self) -> StackKeys:
        """All keys of this stack. Raises `StackError` before the first start."""
        keys = read_keys(self.folder)
        # An earlier version drew no password for the broker.
        if keys is not None and (own := keys.credentials.get(OPERATOR.name)) is not None and own.kafka_password:
            return keys
        if self.identity() is None:
            raise self._never_started()
        raise StackError(
            f"the stack in {self.folder} has no keys, or an earlier version started it: `uncia down`, then `uncia up`"
        )

    def _never_started(self) -> StackError:
        return StackError(f"there is no stack in {self.folder} yet: `uncia up` creates it")

    def _begin(self) -> None:
        if (known := self.identity()) is not None:
            # Processes left by a supervisord that was killed: nothing supervises them.
            processes.end(known.stack_id)
            Layout(self.folder, Path(known.runtime_dir)).remove_runtime_dir()
        layout = Layout.make(self.folder)
        identity = ensure_identity(self.folder, layout.runtime_dir)
        ensure_certificates(self.folder)
        network = network_addresses(_settings(self.folder, identity, ensure_keys(self.folder)))
        if network is not None:
            check_addresses(network)
            ensure_certificates(self.folder, network.names)
        self.write_operator_environment()
        for name in PART_NAMES:
            layout.ready_file(name).unlink(missing_ok=True)
        Supervisor(layout).start(create_services(self._site({}), PART_NAMES), identity)

    def _end(self) -> None:
        identity, layout = self.identity(), self._current_layout()
        if identity is None:
            return
        if layout is not None:
            supervisor = Supervisor(layout)
            with contextlib.suppress(StackError):
                stop_in_order(supervisor)
                supervisor.shutdown()
        deadline = time.monotonic() + 5
        while list(processes.of_stack(identity.stack_id)) and time.monotonic() < deadline:
            time.sleep(0.02)
        processes.end(identity.stack_id)
        for region in Path("/dev/shm").glob(f"{identity.shm_prefix}*"):
            region.unlink(missing_ok=True)
        if layout is not None:
            layout.remove_runtime_dir()
        taken = [f"{name} {port}" for name, port in identity.ports.items() if layout and not is_free(port)]
        if taken:
            raise StackError(f"the stack is down, but other programs listen on its ports: {', '.join(taken)}")

    def _current_layout(self) -> Layout | None:
        identity = self.identity()
        return (
            Layout(self.folder, Path(identity.runtime_dir))
            if identity and Path(identity.runtime_dir).is_dir()
            else None
        )

    def _site(self, extra_env: Mapping[str, str]) -> StackContext:
        identity, keys = self.require_identity(), self.require_keys()
        settings = _settings(self.folder, identity, keys)
        environment = {
            **extra_env,
            "UNCIA_STACK_DIR": str(self.folder),
            "UNCIA_MODEL_REPOSITORY": str(settings.model_repository.absolute()),
            **environment_of(identity),
        }
        return StackContext(Layout(self.folder, Path(identity.runtime_dir)), identity, keys, settings, environment)

    def _memory(self) -> dict[str, float]:
        memory: dict[str, float] = {}
        for process in processes.of_stack(self.require_identity().stack_id):
            memory[process.part] = memory.get(process.part, 0.0) + processes.memory_mb(process.pid)
        return memory

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock. Raises `StackError` at once when another `up` or `down` holds it."""
        claim(self.folder)
        refusal = StackError(f"another `uncia up` or `down` is running for {self.folder}: wait for it")
        with exclusive(self.folder / "lock", refusal):
            yield


def _settings(folder: Path, identity: StackIdentity, keys: StackKeys, owner: Identity = OPERATOR) -> Settings:
    """The settings with the keys of `owner`, independent of the addresses and keys in the caller's environment."""
    variables = {**environment_of(identity), **keys.environment(owner)}
    ours = {name.removeprefix("UNCIA_").lower(): value for name, value in variables.items()}
    found = read_settings(folder, **ours)
    # The folders that an unset value stands for in the processes of this stack, whose UNCIA_STACK_DIR names it.
    unset: dict[str, Any] = {}
    if found.dashboard_dir is None:
        unset["dashboard_dir"] = (folder / "data" / "dashboard").absolute()
    if found.catalogue_url is None:
        unset["catalogue_url"] = SecretStr(
            f"sqlite:///{(folder / 'data' / 'catalogue' / 'catalogue.sqlite').absolute()}"
        )
    return found.model_copy(update=unset)
