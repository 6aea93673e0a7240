"""Another machine by the system's OpenSSH client."""

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from uncia.training.remote.errors import LinkBroken, RemoteError

__all__ = ["SshTransport"]

_OPTIONS = (
    # No question on a terminal: a run reconnects while nobody watches.
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ConnectTimeout=20",
    # A dead link is noticed within 45 seconds.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
)
_USER = re.compile(r"[^\s@:/-][^\s@:/]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?")


@dataclass
class SshTransport:
    """Commands by `ssh`. The user's own configuration (`~/.ssh/config`) applies: jump hosts, keys, aliases."""

    target: str
    host: str
    user: str | None = None
    port: int | None = None
    root: str = "~/.uncia-training"
    config: Path | None = None
    """Another configuration file for `ssh -F`."""

    @classmethod
    def parse(cls, target: str, config: Path | None = None) -> "SshTransport":
        """From `ssh://[user@]host[:port][/folder]`. Raises `RemoteError`."""
        parts = urlsplit(target)
        try:
            port = parts.port
        except ValueError as error:
            raise RemoteError(f"--on {target}: the port must be a number from 1 to 65535") from error
        # Not `hostname`, which is in lower case: the names of a configuration file are not.
        host = parts.netloc.rpartition("@")[2]
        host = host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.partition(":")[0]
        user = unquote(parts.username) if parts.username else None
        if parts.password is not None:
            raise RemoteError("--on: no password in the address; use a key (`ssh-copy-id` installs it)")
        # Neither may begin with a hyphen: ssh would read an option.
        if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)) or parts.query:
            raise RemoteError(f"--on {target}: use ssh://user@host, ssh://user@host:port or ssh://user@host/folder")
        folder = unquote(parts.path).rstrip("/")
        return cls(target, host, user, port, folder or cls.root, config)

    def open(self) -> None:
        """Nothing to prepare but the client."""
        if shutil.which("ssh") is None:
            raise RemoteError("ssh is not installed here (Debian and Ubuntu: sudo apt-get install openssh-client)")
        if self.config is not None and not self.config.is_file():
            raise RemoteError(f"--ssh-config {self.config}: there is no such file")

    def command(self, argv: Sequence[str]) -> list[str]:
        """`ssh` and its options; the command over there is quoted for its shell."""
        options = [part for option in _OPTIONS for part in ("-o", option)]
        if self.config is not None:
            options = ["-F", str(self.config), *options]
        if self.port is not None:
            options += ["-p", str(self.port)]
        if self.user is not None:
            options += ["-l", self.user]
        return ["ssh", "-T", *options, "--", self.host, shlex.join(argv)]

    def explain(self, status: int, stderr: str) -> RemoteError:
        """From what ssh writes; its status is 255 for all errors of its own."""
        text = " ".join(stderr.split())
        address = f"{self.user}@{self.host}" if self.user else self.host
        ssh = "ssh " + (f"-p {self.port} " if self.port else "") + address
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in stderr:
            return RemoteError(
                f"{self.host} has another host key than before. Do not continue until its administrator has confirmed "
                f"the new key; then remove the old one with `ssh-keygen -R` and connect once with `{ssh}`"
            )
        if "Host key verification failed" in stderr or "host key is known" in stderr:
            return RemoteError(
                f"the host key of {self.host} is not known here: connect once with `{ssh}`, and compare the key that "
                "it shows with the one of the machine"
            )
        if "Permission denied" in stderr and status == 255:
            return RemoteError(
                f"{self.host} accepted no key for {self.user or 'your user'}: install one with `ssh-copy-id`, or load "
                f"it with `ssh-add`. `{ssh}` must work without a password. It said: {text[-200:]}"
            )
        if "Bad configuration option" in stderr or "Bad owner or permissions" in stderr:
            return RemoteError(f"ssh cannot use its configuration: {text[-300:]}")
        if "Could not resolve hostname" in stderr:
            return LinkBroken(f"the name {self.host} is unknown: {text[-200:]}")
        if status == 255:
            return LinkBroken(f"no connection to {self.host}: {text[-300:] or 'the connection ended'}")
        return RemoteError(f"{self.host} gave no answer (status {status}): {text[-300:] or 'no message'}")

    def release(self) -> None:
        """Nothing was made."""
