"""systemd units that start the stack and gateways at boot and restart them after a failure."""

import os
import pwd
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from uncia.errors import StackError

START_LIMIT_S = 900
"""Start timeout in seconds: the first start after a power cut recovers logs and tables, possibly on a slow disk."""

_STOP_LIMIT_S = 180

_PASSED_ON = ("UNCIA_PARTS_DIR", "UNCIA_MODEL_REPOSITORY", "JAVA_HOME")
"""Variables with paths, which the unit repeats. Settings and credentials are in `stack.env` only."""


@dataclass(frozen=True)
class Unit:
    """A unit file."""

    name: str
    text: str
    system: bool
    """True for a unit of the system manager, False for one of a user's manager."""

    @property
    def path(self) -> Path:
        """Where systemd expects the file."""
        if self.system:
            return Path("/etc/systemd/system") / self.name
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(home) / "systemd" / "user" / self.name

    def enable_commands(self) -> list[str]:
        """Shell commands that enable the unit once its file exists."""
        if self.system:
            return ["sudo systemctl daemon-reload", f"sudo systemctl enable --now {self.name}"]
        return [
            "systemctl --user daemon-reload",
            f"systemctl --user enable --now {self.name}",
            "loginctl enable-linger   # so that it starts at boot and outlives your session",
        ]

    def disable_commands(self) -> list[str]:
        """Shell commands that stop the unit and remove its file."""
        control = "sudo systemctl" if self.system else "systemctl --user"
        remove = f"sudo rm {shlex.quote(str(self.path))}" if self.system else f"rm {shlex.quote(str(self.path))}"
        return [f"{control} disable --now {self.name}", remove, f"{control} daemon-reload"]


@dataclass(frozen=True)
class Installation:
    """Paths, user and variables of this installation, for a unit."""

    clone: Path
    """The unit's working directory; contains the installed parts and models."""
    stack: Path
    python: Path = field(default_factory=lambda: Path(sys.executable))
    user: str = ""
    """The user of a system unit."""
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls, stack: Path) -> "Installation":
        """The installation of this process. Under sudo, the user is the one who called sudo."""
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
        variables = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
        java = shutil.which("java")
        paths = [str(Path(sys.executable).parent), *([str(Path(java).parent)] if java else [])]
        variables["PATH"] = ":".join(dict.fromkeys([*paths, "/usr/local/bin", "/usr/bin", "/bin"]))
        return cls(Path.cwd(), stack.absolute(), Path(sys.executable), user, variables)


def stack_unit(where: Installation, *, system: bool, name: str = "uncia") -> Unit:
    """Unit of the stack: ready when all parts are ready, stopped in order, restarted without limit."""
    lines = [
        "[Unit]",
        f"Description=Uncia, camera traps as a stream ({_text(str(where.stack))})",
        *(["After=network.target time-sync.target", "Wants=time-sync.target"] if system else []),
        f"RequiresMountsFor={_quoted(str(where.stack))} {_quoted(str(where.clone))}",
        "# supervisord restarts parts; this restarts supervisord itself, without limit.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        *_execution(where, system=system),
        f"ExecStart={_command(str(where.python), '-m', 'uncia.infra.local.foreground')}",
        f"TimeoutStartSec={START_LIMIT_S}",
        f"TimeoutStopSec={_STOP_LIMIT_S}",
        "# The main process stops the parts in order; processes that remain are killed.",
        "KillMode=mixed",
        "# A part that runs out of memory must not stop the whole stack.",
        "OOMPolicy=continue",
        "LimitNOFILE=65536",
        "# All ports are on loopback; this enforces it where the service manager can.",
        "IPAddressAllow=localhost",
        "IPAddressDeny=any",
        *_restart_and_install(system=system),
    ]
    return Unit(f"{_plain(name)}.service", "\n".join(lines), system)


def gateway_unit(
    where: Installation, folder: Path, station: str, *, system: bool, environment_file: Path | None = None
) -> Unit:
    """Unit of `uncia gateway watch`. It requires no other unit: the gateway waits until its store is reachable."""
    command = _command(
        str(where.python), "-m", "uncia", "gateway", "watch", str(folder.absolute()), "--station", station
    )
    lines = [
        "[Unit]",
        f"Description=Uncia gateway of station {_text(station)}",
        "After=uncia.service" + (" network.target time-sync.target" if system else ""),
        f"RequiresMountsFor={_quoted(str(folder.absolute()))} {_quoted(str(where.clone))}",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        *_execution(where, system=system),
        *([f"EnvironmentFile={_text(str(environment_file.absolute()))}"] if environment_file else []),
        f"ExecStart={command}",
        f"TimeoutStopSec={_STOP_LIMIT_S}",
        "SuccessExitStatus=130 143",
        *_restart_and_install(system=system),
    ]
    return Unit(f"uncia-gateway-{_plain(station)}.service", "\n".join(lines), system)


def _execution(where: Installation, *, system: bool) -> list[str]:
    variables = {**where.variables, "UNCIA_STACK_DIR": str(where.stack), "PYTHONUNBUFFERED": "1"}
    return [
        *([f"User={where.user}"] if system else []),
        f"WorkingDirectory={_text(str(where.clone))}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(variables.items())),
        "UMask=0077",
        "NoNewPrivileges=true",
    ]


def _restart_and_install(*, system: bool) -> list[str]:
    return [
        "Restart=on-failure",
        "RestartSec=10",
        "",
        "[Install]",
        f"WantedBy={'multi-user' if system else 'default'}.target",
        "",
    ]


def _command(*arguments: str) -> str:
    """A command for ExecStart, with `$` escaped. Starts with `env` because systemd accepts only plain program paths."""
    return " ".join(["/usr/bin/env", *(_quoted(argument).replace("$", "$$") for argument in arguments)])


def _quoted(value: str) -> str:
    """`value` in double quotes, escaped as in systemd.syntax(7)."""
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: str) -> str:
    """`value` with specifiers (`%`) escaped. Raises `StackError` for unprintable characters."""
    if not value.isprintable():
        raise StackError(f"{value!r} has characters that a unit file cannot hold: rename the folder")
    return value.replace("%", "%%")


def _plain(name: str) -> str:
    """A unit name: other characters than ASCII letters, digits, `-` and `_` become `-`. Raises `StackError`."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name)[:100]
    if not plain.strip("-"):
        raise StackError(f"{name!r} is not a unit name: use letters, digits, - and _")
    return plain
