"""Base class of the stack's parts: command, dependencies, files, and a probe that only a working part passes."""

import shlex
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from uncia.errors import StackError
from uncia.identities import STORE_ADMIN
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
