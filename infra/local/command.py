"""`uncia up`, `down`, `status`, `logs`, `doctor`."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from uncia.errors import StackError
from uncia.infra.local.disks import DiskState, disk_warnings, inspect_disks
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.part_order import PART_NAMES
from uncia.infra.local.stack import Stack
from uncia.settings import read_settings, stack_dir
from uncia.terminal import echo, echo_json, plain_console

_NAMES = ", ".join(PART_NAMES)
_JSON = typer.Option(False, "--json", help="Print JSON.")


def up(
    parts: list[str] = typer.Argument(
        None, help=f"Start only these parts and those that they depend on: {_NAMES}. All by default."
    ),
    timeout: float = typer.Option(120, help="Fail when a part is not ready after this many seconds."),
    as_json: bool = _JSON,
) -> None:
    """Start the embedded stack and return once every part is ready."""
    console = plain_console(stderr=True, highlight=False, soft_wrap=True)
    stack = Stack(stack_dir())
    began = time.monotonic()

    started: set[str] = set()

    def report(name: str, seconds: float, detail: str) -> None:
        started.add(name)
        console.print(f"{name:16} ready after {seconds:4.1f} s  {detail}", markup=False)

    try:
        stack.up(parts or None, timeout_s=timeout, report=report)
    except KeyboardInterrupt:
        console.print("Interrupted; the parts that this command had started are stopped again.")
        raise typer.Exit(130) from None
    settings = stack.settings()
    if as_json:
        echo_json({"up_s": round(time.monotonic() - began, 2), "stack_dir": str(stack.folder)})
        return
    console.print(f"The stack is up after {time.monotonic() - began:.1f} s.")
    if "seaweedfs" not in started:
        return
    console.print(
        f"Upload with any S3 client to {settings.s3_endpoint}, bucket {settings.bucket}; the keys are in "
        f"{stack.folder / 'stack.env'}, and `uncia connect` prints the configuration of clients",
        markup=False,
    )


def down() -> None:
    """Stop all processes of the embedded stack. Its data is kept."""
    stack = Stack(stack_dir())
    began = time.monotonic()
    stack.down()
    plain_console(stderr=True, highlight=False).print(f"The stack is down after {time.monotonic() - began:.1f} s.")


def status(as_json: bool = _JSON) -> None:
    """Show the state of every part, its ports, consumer lag, latency, and disks that are almost full.

    Exits with status 1 unless all parts are ready, none is in a crash loop and no disk is full.

    With --json `{"parts": [...], "ports": {...}, "stream": {...}, "disks": [...]}`.
    """
    # Imported here because the other commands need no Kafka client.
    from uncia.infra.local.stream_table import show_stream
    from uncia.kafka.stream_status import stream_status

    stack = Stack(stack_dir())
    identity = stack.identity()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(stream_status, stack.settings()) if identity else None
        parts = stack.status()
        stream = pending.result() if pending else None
    disks = inspect_disks(stack.folder, read_settings().model_repository)
    if as_json:
        report = {
            "parts": [dataclasses.asdict(part) for part in parts],
            "ports": identity.ports if identity else {},
            "stream": stream and dataclasses.asdict(stream),
            "disks": [dataclasses.asdict(disk) for disk in disks],
        }
        echo_json(report, indent=2)
    else:
        console = plain_console()
        console.print(_table(parts))
        if identity:
            ports = ", ".join(f"{name} {port}" for name, port in identity.ports.items())
            console.print(f"Ports on 127.0.0.1: {ports}", highlight=False, markup=False)
        if stream is not None:
            show_stream(console, stream)
        for line in disk_warnings(disks):
            console.print(line, style="red", markup=False, highlight=False)
    full = any(disk.state is DiskState.FULL for disk in disks)
    raise typer.Exit(0 if all(part.healthy for part in parts) and not full else 1)


def logs(
    part: str = typer.Argument(None, help=f"Show one part only: {_NAMES}, supervisord. All by default."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Keep printing lines as they are written."),
    lines: int = typer.Option(20, "--lines", "-n", min=0, help="Number of lines from the end of each log."),
) -> None:
    """Print the logs of the parts."""
    folder = stack_dir() / "logs"
    names = [part] if part else [*PART_NAMES, "supervisord"]
    paths = {name: folder / f"{name}.log" for name in names}
    if part and not paths[part].exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
        raise StackError(f"there is no log of {part} in {folder}; available: {known}")
    width = max(len(name) for name in names) if part is None else 0
    positions: dict[str, int] = {}
    for name, path in paths.items():
        text = _read(path, 0)
        positions[name] = len(text)
        _show(name, b"\n".join(text.splitlines()[-lines:] if lines else []), width)
    try:
        while follow:
            time.sleep(0.3)
            for name, path in paths.items():
                # Logs rotate: a file that is shorter than before is a new one.
                if path.exists() and path.stat().st_size < positions[name]:
                    positions[name] = 0
                text = _read(path, positions[name])
                complete, newline, _ = text.rpartition(b"\n")
                positions[name] += len(complete) + len(newline)
                _show(name, complete, width)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def doctor(
    security: bool = typer.Option(
        False, "--security", help="Instead, send every server of the running stack requests that it must refuse."
    ),
    as_json: bool = _JSON,
) -> None:
    """Check this machine and installation, and print what to fix. Exits with status 1 when a check fails."""
    from uncia.infra.local.doctor import print_checks, run_checks
    from uncia.infra.local.security_checks import run_security_checks

    checks = (run_security_checks if security else run_checks)(Stack(stack_dir()))
    print_checks(checks, as_json=as_json)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def _table(parts: list[PartStatus]) -> Table:
    table = Table("part", "state", "pid", "up", "memory", "ready", "detail")
    # On a narrow terminal names and addresses must not be truncated.
    table.columns[0].no_wrap, table.columns[0].overflow = True, "fold"
    table.columns[0].min_width = max(len(part.name) for part in parts) if parts else None
    table.columns[-1].overflow = "fold"
    for part in parts:
        table.add_row(
            part.name,
            part.state,
            str(part.pid or ""),
            f"{part.uptime_s:.0f} s" if part.pid else "",
            f"{part.memory_mb:.0f} MB" if part.memory_mb else "",
            Text("yes", style="green") if part.healthy else Text("no", style="red"),
            part.detail,
        )
    total = sum(part.memory_mb for part in parts)
    if total:
        table.add_section()
        table.add_row("all", "", "", "", f"{total:.0f} MB", "", "")
    return table


def _read(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read()
    except OSError:
        return b""


def _show(name: str, text: bytes, width: int) -> None:
    for line in text.decode(errors="replace").splitlines():
        echo(f"{name:{width}} | {line.expandtabs()}" if width else line.expandtabs())
