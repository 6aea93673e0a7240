"""Base class of the stack's parts: command, dependencies, files, and a probe that only a working part passes."""

import shlex
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError
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
    settings: Settings
    environment: Mapping[str, str]
    """Variables for our own processes on top of the caller's environment: this stack's addresses and credentials."""


class Service(ABC):
    """One supervised part. A new part is a subclass in its own file and an entry in `part_order.SERVICES`."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Parts that must be ready before `uncia up` starts this one."""
    stop_wait_s: ClassVar[int] = 10
    """Seconds between SIGTERM and SIGKILL when it is stopped."""

    def __init__(self, site: StackContext) -> None:
        self.site = site

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

    def require_listener(self, port_name: str) -> None:
        """Raise `NotReady` at once when nothing listens: a client would retry for seconds before it fails."""
        try:
            socket.create_connection(("127.0.0.1", self.port(port_name)), timeout=1).close()
        except OSError as error:
            raise NotReady(f"nothing listens on {self.at(port_name)} yet") from error
