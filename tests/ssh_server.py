"""An OpenSSH server of a test's own: its own port, host key, keys of the user and configuration, in one folder."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.free_ports import free_ports
from tests.waiting import wait_until
from uncia.infra.local.install_ssh_server import sshd


@dataclass
class SshServer:
    """A running server, which lets the user of the tests in, and the configuration of clients that know it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def config(self) -> Path:
        """For `ssh -F`."""
        return self.folder / "client config"

    @property
    def address(self) -> str:
        """The server as after `--on`, without a folder."""
        return f"ssh://{_user()}@127.0.0.1:{self.port}"

    def connections(self) -> list[psutil.Process]:
        """The server's processes of connections."""
        return psutil.Process(self.process.pid).children()

    def break_connections(self) -> int:
        """Kill the processes of all connections, as a link that breaks; returns how many there were."""
        found = self.connections()
        for process in found:
            for one in (*process.children(recursive=False), process):
                # Not what the connection has started: a broken link ends no process over there.
                # It may end by itself at this moment.
                with contextlib.suppress(psutil.NoSuchProcess):
                    if one.name().startswith("sshd"):
                        one.kill()
        return len(found)

    def write_client_config(self, name: str, *, key: str = "user_key", known_hosts: str = "known_hosts") -> Path:
        """A client's configuration with another key, or with other known hosts."""
        path = self.folder / name
        path.write_text(
            f'IdentityFile "{self.folder / key}"\nIdentitiesOnly yes\nIdentityAgent none\n'
            f'UserKnownHostsFile "{self.folder / known_hosts}"\nGlobalKnownHostsFile none\n'
        )
        return path


def _user() -> str:
    """Of this process: `su` and containers leave another one in the variables that `getpass` believes."""
    return pwd.getpwuid(os.getuid()).pw_name


def make_key(path: Path) -> None:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, capture_output=True)


@contextmanager
def ssh_server(folder: Path, environment: Mapping[str, str] | None = None, *, port: int = 0) -> Iterator[SshServer]:
    """Start a server; `environment` is that of the commands that it runs."""
    program = sshd()
    assert program is not None
    if os.getuid() == 0:
        # Where the server's unprivileged part lives; the Debian package makes it when its service starts.
        # The server refuses one that a group may write, as under umask 002.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "user_key", "other_key"):
        if not (folder / name).exists():
            make_key(folder / name)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    port = port or free_ports(1)[0]
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "no_hosts").write_text("")
    (folder / "wrong_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'other_key.pub').read_text()}")
    variables = " ".join(f'"{name}={value}"' for name, value in (environment or {}).items())
    (folder / "server config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\n"
        f'HostKey "{folder / "host_key"}"\nAuthorizedKeysFile "{folder / "authorized_keys"}"\n'
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\nMaxStartups 100\n" + (f"SetEnv {variables}\n" if variables else "")
    )
    with (folder / "server log").open("ab") as log:
        command = [program, "-D", "-e", "-f", str(folder / "server config")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    server = SshServer(folder, port, process)
    server.write_client_config("client config")
    try:
        wait_until(lambda: _answers(server), 10, "the ssh server answers")
        yield server
    finally:
        server.break_connections()
        process.kill()
        process.wait()


def _answers(server: SshServer) -> bool:
    log = (server.folder / "server log").read_text()
    assert server.process.poll() is None, log
    if "account is locked" in log:
        pytest.skip("the password of this user is locked: without PAM, sshd lets such a user not in by a key either")
    command = ["ssh", "-F", str(server.config), "-o", "BatchMode=yes", "-p", str(server.port), "127.0.0.1", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
