"""`python -m uncia.infra.local.install_ssh_server`: installs OpenSSH, for the tests of training on another machine.

The tests start a server of their own, with its own port and keys; they need no service of the system.

Optional: without it, these tests are skipped.
"""

import os
import shutil
import subprocess

from uncia.errors import StackError
from uncia.infra.local.install_tools import install_system_package
from uncia.terminal import echo

__all__ = ["main", "missing", "sshd"]

_HINT = "the tests of training over ssh need openssh-server (Debian and Ubuntu: sudo apt-get install openssh-server)"


def sshd() -> str | None:
    """The absolute path of the installed server, which it needs to start itself again."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def missing() -> str:
    """A sentence on what the tests lack here; empty where they can run."""
    return "" if sshd() and shutil.which("ssh") and shutil.which("ssh-keygen") else _HINT


def main() -> None:
    """Install what is missing and may be installed; otherwise print one sentence."""
    try:
        if missing():
            had_server = sshd() is not None
            install_system_package("openssh-server", otherwise=_HINT)
            if not had_server and shutil.which("systemctl"):
                # The package starts a server on port 22 of all addresses, which nobody asked for.
                command = ["systemctl", "disable", "--now", "ssh.service", "ssh.socket"]
                subprocess.run(command, capture_output=True, check=False)
    except StackError as error:
        echo(" ".join(str(error).splitlines()[:1]), err=True)


if __name__ == "__main__":
    main()
