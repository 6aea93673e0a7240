"""What every part of the stack is: a command, what it needs, and a question that only a working part answers."""

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
from uncia.infra.local.stack_identity import Drawn
from uncia.settings import Settings


class NotReady(StackError):
    """The part does not answer yet, or not any more."""


@dataclass(frozen=True)
class Site:
    """All that a part needs to know of its stack."""

    layout: Layout
    drawn: Drawn
    settings: Settings
    environment: Mapping[str, str]
    """What our own processes get on top of the caller's environment: the way to this stack, and credentials."""


class Service(ABC):
    """One supervised part. One class per file; a new part is a new file and a line in `order.SERVICES`."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Parts that must have answered before this one is started for the first time."""
    stop_wait_s: ClassVar[int] = 10
    """Seconds between asking it to end and forcing it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @abstractmethod
    def check_installed(self) -> None:
        """Raise `StackError` with what to do when something that this part needs is not there."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def probe(self) -> str:
        """Ask it something real. Returns a few words for people; raises an `UnciaError` when it does not answer."""

    def environment(self) -> dict[str, str]:
        """Variables of this part alone."""
        return {}

    def before(self) -> list[str]:
        """Shell lines to run at every start, before the command."""
        return []

    def files(self) -> dict[str, str]:
        """Configuration files: name in the run folder, and text."""
        return {}

    @property
    def script(self) -> Path:
        """The start script that supervisord runs."""
        return self.site.layout.run / f"{self.name}.sh"

    def write(self, directory: Path) -> None:
        """Write configuration files and the start script.

        A shell script, because its quoting is exact; supervisord's own is not.
        """
        for name, text in self.files().items():
            write_private(self.site.layout.run / name, text)
        variables = {
            "TMPDIR": str(self.site.layout.tmp),
            **self.environment(),
            ID_MARK: self.site.drawn.stack_id,
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
        """A drawn port."""
        return self.site.drawn.ports[name]

    def at(self, name: str) -> str:
        """A drawn port's address."""
        return f"127.0.0.1:{self.port(name)}"

    def must_listen(self, port_name: str) -> None:
        """Raise `NotReady` at once when nothing listens: cheaper than a client's own patience."""
        try:
            socket.create_connection(("127.0.0.1", self.port(port_name)), timeout=1).close()
        except OSError as error:
            raise NotReady(f"nothing listens on {self.at(port_name)} yet") from error
