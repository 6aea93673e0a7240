"""supervisord: runs the parts and restarts those that exit, as long as the stack is up."""

import contextlib
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from uncia.errors import StackError
from uncia.infra.local.layout import Layout, write_private
from uncia.infra.local.processes import ID_MARK, PART_MARK
from uncia.infra.local.service import Service
from uncia.infra.local.stack_identity import StackIdentity

_MAIN = """\
; Written by `uncia up`; changes are lost at the next one.
[supervisord]
logfile={runtime_dir}/stack/logs/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={runtime_dir}/supervisord.pid
childlogdir={runtime_dir}/stack/logs
umask=077
minfds=4096
{user}
[unix_http_server]
file={runtime_dir}/control.sock
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# A part that exits is restarted without limit, except after status 78: with it a worker stops on purpose because too
# many messages were bad and a person must decide. `autostart` is off because `uncia up` starts every part when the
# parts that it depends on are ready.
_PROGRAM = """
[program:{name}]
command=/bin/sh {runtime_dir}/stack/run/{name}.sh
autostart=false
autorestart=unexpected
exitcodes=78
startsecs=1
startretries=1000000
stopwaitsecs={stop_wait_s}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={runtime_dir}/stack/logs/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


@dataclass(frozen=True)
class Supervised:
    """supervisord's state of one part; `state` is its state name in lower case."""

    name: str
    state: str
    pid: int | None
    uptime_s: float


class Supervisor:
    """Client of one stack's supervisord, over its Unix socket. Methods raise `StackError` when it does not answer."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, services: Sequence[Service], identity: StackIdentity) -> None:
        """Write the configuration and start the daemon, which then runs on its own."""
        runtime_dir = str(self.layout.runtime_dir)
        # Has no effect for the current user, but without it supervisord warns when it runs as root.
        user = f"user={os.getuid()}\n" if os.getuid() == 0 else ""
        text = _MAIN.format(runtime_dir=runtime_dir, user=user) + "".join(
            _PROGRAM.format(name=service.name, runtime_dir=runtime_dir, stop_wait_s=service.stop_wait_s)
            for service in services
        )
        configuration = self.layout.runtime_dir / "supervisord.conf"
        write_private(configuration, text)
        started = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)],
            env={**os.environ, ID_MARK: identity.stack_id, PART_MARK: "supervisord"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            # Ctrl-C in the terminal must reach `uncia up` only, which then stops the stack in order.
            start_new_session=True,
        )
        if started.returncode != 0:
            raise StackError(f"supervisord did not start: {(started.stdout + started.stderr).strip()}")
        deadline = time.monotonic() + 10
        while not self.answers():
            if time.monotonic() > deadline:
                raise StackError(
                    "supervisord started but does not answer: see logs/supervisord.log in the stack's folder"
                )
            time.sleep(0.02)

    def answers(self) -> bool:
        """True when the daemon answers; never raises."""
        try:
            with self._rpc() as rpc:
                rpc.getState()
        except StackError:
            return False
        return True

    def start_part(self, name: str) -> None:
        """Start one part unless it is running. Returns at once."""
        with self._rpc() as rpc:
            try:
                rpc.startProcess(name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    raise StackError(f"{name} could not be started: {fault.faultString}") from fault

    def stop_parts(self, names: Sequence[str], limit_s: float) -> None:
        """Stop parts in parallel and wait up to `limit_s`; supervisord kills a part after its own stop timeout."""
        with self._rpc() as rpc:
            for name in names:
                with contextlib.suppress(xmlrpc.client.Fault):
                    rpc.stopProcess(name, False)
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if not any(part.pid for part in self.parts() if part.name in names):
                return
            time.sleep(0.05)

    def shutdown(self) -> None:
        """Stop the daemon itself."""
        with self._rpc() as rpc, contextlib.suppress(xmlrpc.client.Fault):
            rpc.shutdown()

    def parts(self) -> list[Supervised]:
        """All configured parts."""
        with self._rpc() as rpc:
            return [
                Supervised(
                    name=info["name"],
                    state=str(info["statename"]).lower(),
                    pid=info["pid"] or None,
                    uptime_s=max(0.0, info["now"] - info["start"]) if info["pid"] else 0.0,
                )
                for info in rpc.getAllProcessInfo()
            ]

    @contextlib.contextmanager
    def _rpc(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, f"unix://{self.layout.socket}")
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                yield proxy.supervisor
        except (OSError, xmlrpc.client.ProtocolError) as error:
            raise StackError("the stack is not up: `uncia up` starts it") from error
        finally:
            transport.close()
