"""Units for systemd: the stack, and a gateway's watch, start with the machine and come back when they die."""

import os
import pwd
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from uncia.errors import StackError

START_LIMIT_S = 900
"""A first start recovers logs and tables after a power cut, on a slow disk."""

STOP_LIMIT_S = 180

_PASSED_ON = ("UNCIA_PARTS_DIR", "UNCIA_MODEL_REPOSITORY", "JAVA_HOME")
"""Variables that say where things lie. Settings and credentials are in `stack.env`, which no unit repeats."""


@dataclass(frozen=True)
class Unit:
    """A unit file and where it belongs."""

    name: str
    text: str
    system: bool
    """Of the machine, not of one user's session."""

    @property
    def path(self) -> Path:
        """Where systemd looks for it."""
        if self.system:
            return Path("/etc/systemd/system") / self.name
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(home) / "systemd" / "user" / self.name

    def enabling(self) -> list[str]:
        """The commands that put it to work, once the file is there."""
        if self.system:
            return ["sudo systemctl daemon-reload", f"sudo systemctl enable --now {self.name}"]
        return [
            "systemctl --user daemon-reload",
            f"systemctl --user enable --now {self.name}",
            "loginctl enable-linger   # so that it starts with the machine, and outlives your session",
        ]

    def disabling(self) -> list[str]:
        """The commands that end it for good."""
        control = "sudo systemctl" if self.system else "systemctl --user"
        remove = f"sudo rm {shlex.quote(str(self.path))}" if self.system else f"rm {shlex.quote(str(self.path))}"
        return [f"{control} disable --now {self.name}", remove, f"{control} daemon-reload"]


@dataclass(frozen=True)
class Surroundings:
    """What a unit must know of this installation."""

    clone: Path
    """The folder that commands are given in: parts and models lie below it."""
    stack: Path
    python: Path = field(default_factory=lambda: Path(sys.executable))
    user: str = ""
    """Who runs a system unit."""
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls, stack: Path) -> "Surroundings":
        """Of this process: its folder, its variables, its user (of `sudo`: who called it)."""
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
        variables = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
        java = shutil.which("java")
        paths = [str(Path(sys.executable).parent), *([str(Path(java).parent)] if java else [])]
        variables["PATH"] = ":".join(dict.fromkeys([*paths, "/usr/local/bin", "/usr/bin", "/bin"]))
        return cls(Path.cwd(), stack.absolute(), Path(sys.executable), user, variables)


def stack_unit(where: Surroundings, *, system: bool, name: str = "uncia") -> Unit:
    """The stack, in the foreground of a unit: ready when all parts have answered, stopped in order."""
    lines = [
        "[Unit]",
        f"Description=Uncia, camera traps as a stream ({_text(str(where.stack))})",
        *(["After=network.target time-sync.target", "Wants=time-sync.target"] if system else []),
        f"RequiresMountsFor={_quoted(str(where.stack))} {_quoted(str(where.clone))}",
        "# A part that dies is started again by supervisord; this is for supervisord itself. Never given up.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        *_running(where, system=system),
        f"ExecStart={_command(str(where.python), '-m', 'uncia.infra.local.foreground')}",
        f"TimeoutStartSec={START_LIMIT_S}",
        f"TimeoutStopSec={STOP_LIMIT_S}",
        "# The main process stops the parts in order; what is left after that is killed.",
        "KillMode=mixed",
        "# One part out of memory is that part's end, not the stack's.",
        "OOMPolicy=continue",
        "LimitNOFILE=65536",
        "# Everything is on loopback; this enforces it where the manager may.",
        "IPAddressAllow=localhost",
        "IPAddressDeny=any",
        *_end(system=system),
    ]
    return Unit(f"{_plain(name)}.service", "\n".join(lines), system)


def gateway_unit(
    where: Surroundings, folder: Path, station: str, *, system: bool, environment_file: Path | None = None
) -> Unit:
    """`uncia gateway watch`: it waits for whatever store it uploads to, so it needs no other unit."""
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
        *_running(where, system=system),
        *([f"EnvironmentFile={_text(str(environment_file.absolute()))}"] if environment_file else []),
        f"ExecStart={command}",
        f"TimeoutStopSec={STOP_LIMIT_S}",
        "SuccessExitStatus=130 143",
        *_end(system=system),
    ]
    return Unit(f"uncia-gateway-{_plain(station)}.service", "\n".join(lines), system)


def _running(where: Surroundings, *, system: bool) -> list[str]:
    variables = {**where.variables, "UNCIA_STACK_DIR": str(where.stack), "PYTHONUNBUFFERED": "1"}
    return [
        *([f"User={where.user}"] if system else []),
        f"WorkingDirectory={_text(str(where.clone))}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(variables.items())),
        "UMask=0077",
        "NoNewPrivileges=true",
    ]


def _end(*, system: bool) -> list[str]:
    return [
        "Restart=on-failure",
        "RestartSec=10",
        "",
        "[Install]",
        f"WantedBy={'multi-user' if system else 'default'}.target",
        "",
    ]


def _command(*words: str) -> str:
    """As ExecStart reads it: `$` begins a variable there. By `env`, because the program's own path must be plain."""
    return " ".join(["/usr/bin/env", *(_quoted(word).replace("$", "$$") for word in words)])


def _quoted(word: str) -> str:
    """In double quotes, as systemd.syntax(7) says."""
    return '"' + _text(word).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(word: str) -> str:
    """Specifiers begin with a percent sign. Raises `StackError` for what no line can hold."""
    if not word.isprintable():
        raise StackError(f"{word!r} has characters that a unit file cannot hold: rename the folder")
    return word.replace("%", "%%")


def _plain(name: str) -> str:
    """A unit's name. Raises `StackError`."""
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in name)[:100]
    if not plain.strip("-"):
        raise StackError(f"{name!r} is no name for a unit: letters, digits, - and _")
    return plain
