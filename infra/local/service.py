"""Base class of the stack's parts: command, dependencies, files, and a probe that only a working part passes."""

import shlex
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from uncia.errors import StackError
from uncia.identities import STORE_ADMIN
from uncia.infra.local import part_log
from uncia.infra.local.certificates import KAFKA_ADMIN
from uncia.infra.local.credentials import StackKeys
from uncia.infra.local.layout import Layout, write_private
from uncia.infra.local.processes import ID_MARK, PART_MARK
from uncia.infra.local.stack_identity import StackIdentity
from uncia.settings import Settings


class NotReady(StackError):
    """The part does not respond yet, or no longer responds."""


@dataclass(frozen=True)
class StackContext:
    """What a part needs from its stack."""

    layout: Layout
    identity: StackIdentity
    keys: StackKeys
    settings: Settings
    """The operator's."""
    environment: Mapping[str, str]
    """Variables for our own processes on top of the caller's environment: this stack's addresses, and no keys."""

    def admin_settings(self) -> Settings:
        """The settings with the administrative keys of the store, which create buckets, and of the broker.

        The broker's administrator has a certificate instead of a password, and a listener of its own: it creates the
        broker's users.
        """
        key = self.keys.credentials[STORE_ADMIN.name]
        update = {
            "s3_access_key": key.access_key,
            "s3_secret_key": SecretStr(key.secret_key),
            "kafka": f"127.0.0.1:{self.identity.ports['kafka_internal']}",
            "kafka_security_protocol": "SSL",
            "kafka_sasl_mechanism": None,
            "kafka_username": None,
            "kafka_password": None,
            "kafka_certfile": self.layout.folder / "keys" / f"{KAFKA_ADMIN}.pem",
            "kafka_keyfile": self.layout.folder / "keys" / f"{KAFKA_ADMIN}.key",
        }
        return self.settings.model_copy(update=update)


class Service(ABC):
    """One supervised part. A new part is a subclass in its own file and an entry in `part_order.SERVICES`."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Parts that must be ready before `uncia up` starts this one."""
    stop_wait_s: ClassVar[int] = 10
    """Seconds between SIGTERM and SIGKILL when it is stopped."""

    def __init__(self, site: StackContext) -> None:
        self.site = site

    @classmethod
    def is_wanted(cls, settings: Settings) -> bool:
        """Whether a stack with these settings has this part."""
        del settings
        return True

    @abstractmethod
    def check_installed(self) -> None:
        """Raise `StackError`, with what to do, when a program or file that this part needs is missing."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def probe(self) -> str:
        """Send the part a real request. Returns details for `uncia status`. Raises `UnciaError` when not ready."""

    def environment(self) -> dict[str, str]:
        """Additional environment variables of this part."""
        return {}

    def before(self) -> list[str]:
        """Shell lines that every start runs before the command."""
        return []

    def read_log(self) -> list[str]:
        """Shell lines for `before` that have the library inside a part report, and send its stderr through `part_log`.

        The reader ends with the part. If it is killed before, another one continues where it stopped, because the
        shell keeps the pipe open. Its mark distinguishes it from the part's own processes, which may be another user's.
        """
        pipe = shlex.quote(str(self.site.layout.runtime_dir / f"{self.name}.stderr"))
        refusals = str(part_log.access_file(self.site.layout.logs, self.name))
        program = str(Path(part_log.__file__).resolve())
        read = shlex.join([sys.executable, "-I", "-S", program, self.name, refusals])
        return [
            *(f"export {name}={value}" for name, value in part_log.LOGS[self.name].environment.items()),
            f"rm -f {pipe} && mkfifo -m 600 {pipe} || exit 1",
            # Signals to all processes of the part must not end the reader before its last lines.
            "(unset LD_LIBRARY_PATH; trap '' TERM INT HUP; cd /",
            f"export {PART_MARK}={self.name}-log",
            f"while ! {read}; do sleep 1; done) <{pipe} &",
            f"exec 2>{pipe}",
        ]

    def files(self) -> dict[str, str]:
        """Configuration files: text by file name in the run folder."""
        return {}

    @property
    def script(self) -> Path:
        """The start script that supervisord runs."""
        return self.site.layout.run / f"{self.name}.sh"

    def write(self, directory: Path) -> None:
        """Write the configuration files and the start script; `directory` is the part's working directory.

        The command is in a shell script, because supervisord's own quoting cannot express every path.
        """
        for name, text in self.files().items():
            write_private(self.site.layout.run / name, text)
        variables = {
            "TMPDIR": str(self.site.layout.tmp),
            **self.environment(),
            ID_MARK: self.site.identity.stack_id,
            PART_MARK: self.name,
        }
        lines = [
            "#!/bin/sh",
            "# Written by `uncia up`; changes are lost at the next one.",
            "umask 077",
            f"cd {shlex.quote(str(directory))} || exit 1",
            *(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())),
            *self.before(),
            f"exec {shlex.join(self.command())}",
        ]
        write_private(self.script, "\n".join(lines) + "\n")

    def port(self, name: str) -> int:
        """The stack's port of this name."""
        return self.site.identity.ports[name]

    def at(self, name: str) -> str:
        """The loopback address of the stack's port of this name."""
        return f"127.0.0.1:{self.port(name)}"

    def require_listener(self, where: str | Path) -> None:
        """Raise `NotReady` at once when nothing listens: a client would retry for seconds before it fails.

        `where` is the name of a port, or the path of a socket.
        """
        try:
            if isinstance(where, Path):
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(1)
                    client.connect(str(where))
            else:
                socket.create_connection(("127.0.0.1", self.port(where)), timeout=1).close()
        except OSError as error:
            shown = where if isinstance(where, Path) else self.at(where)
            raise NotReady(f"nothing listens on {shown} yet") from error
