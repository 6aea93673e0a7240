"""`uncia service install`, `remove`, `status`: systemd units for the stack and for gateways."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from uncia.errors import StackError
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.systemd_unit import Installation, Unit, gateway_unit, stack_unit
from uncia.settings import stack_dir
from uncia.terminal import echo

app = typer.Typer(
    help="Print the systemd unit that starts the stack or a gateway at boot, and the commands that enable it.",
    no_args_is_help=True,
)

System = Annotated[
    bool,
    typer.Option(
        "--system/--user", help="Use a system unit or a user unit; a user unit starts at boot only with lingering."
    ),
]
Gateway = Annotated[
    Path | None,
    typer.Option(help="Print a unit for `uncia gateway watch` on this folder, instead of one for the stack."),
]
Station = Annotated[str, typer.Option(help="Station of the gateway.")]
EnvironmentFile = Annotated[
    Path | None,
    typer.Option(
        help="Environment file for the gateway, with UNCIA_... variables: address and credentials of the store."
    ),
]
Name = Annotated[str, typer.Option(help="Name of the stack's unit; must be unique on this machine.")]


@app.command()
def install(
    system: System = False,
    gateway: Gateway = None,
    station: Station = "",
    environment_file: EnvironmentFile = None,
    name: Name = "uncia",
    write: Annotated[bool, typer.Option("--write", help="Write the unit file instead of only printing it.")] = False,
) -> None:
    """Print a unit and the commands that enable it. Changes nothing without --write, and never enables the unit."""
    unit = _unit(system, gateway, station, environment_file, name)
    if write:
        _write(unit)
        echo(f"{unit.path} is written. Enable it with:", err=True)
    else:
        echo(f"# {unit.path}\n{unit.text}", lines=True)
        echo("Nothing was changed. Write the file with `--write`; then:", err=True)
    for command in unit.enable_commands():
        echo(f"  {command}", err=True)


@app.command()
def remove(
    system: System = False,
    gateway: Gateway = None,
    station: Station = "",
    name: Name = "uncia",
) -> None:
    """Print the commands that stop a unit and remove its file. The stack's data is kept."""
    for command in _unit(system, gateway, station, None, name).disable_commands():
        echo(command)


@app.command()
def status(
    system: System = False,
    gateway: Gateway = None,
    station: Station = "",
    environment_file: EnvironmentFile = None,
    name: Name = "uncia",
) -> None:
    """Show whether the unit is installed, current, enabled and active. Exits with status 1 unless it is active."""
    unit = _unit(system, gateway, station, environment_file, name)
    if not unit.path.exists():
        echo(f"{unit.name} is not installed: no {unit.path}")
        raise typer.Exit(1)
    same = unit.path.read_text(encoding="utf-8") == unit.text
    echo(f"{unit.path}: {'as this version writes it' if same else 'differs from what `service install` prints'}")
    states = {query: _systemctl(unit, query) for query in ("is-enabled", "is-active")}
    for query, state in states.items():
        echo(f"{query.removeprefix('is-')}: {state}")
    raise typer.Exit(0 if states == {"is-enabled": "enabled", "is-active": "active"} else 1)


def _unit(system: bool, gateway: Path | None, station: str, environment_file: Path | None, name: str) -> Unit:
    installation = Installation.here(stack_dir())
    if gateway is None:
        if station or environment_file:
            raise StackError("--station and --environment-file apply to a gateway: pass its folder with --gateway")
        if not parts_dir().exists():
            raise StackError(f"{parts_dir()} does not exist: run this in the folder of the clone, after `make setup`")
        return stack_unit(installation, system=system, name=name)
    if not station:
        raise StackError("a gateway needs --station")
    if not gateway.is_dir():
        raise StackError(f"the folder {gateway} does not exist")
    return gateway_unit(installation, gateway, station, system=system, environment_file=environment_file)


def _write(unit: Unit) -> None:
    try:
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        unit.path.write_text(unit.text, encoding="utf-8")
    except OSError as error:
        how = " (as root: sudo -E)" if unit.system and os.geteuid() else ""
        raise StackError(f"{unit.path} cannot be written{how}: {error.strerror}") from error


def _systemctl(unit: Unit, query: str) -> str:
    if shutil.which("systemctl") is None:
        return "unknown: systemctl is not installed"
    command = ["systemctl", *([] if unit.system else ["--user"]), query, unit.name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (done.stdout.strip() or done.stderr.strip() or "unknown").splitlines()[0]
