"""`uncia up`, `down`, `status`, `logs`, `doctor`."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from uncia.errors import StackError
from uncia.infra.local.disks import Room, concerns, disks_of
from uncia.infra.local.part_health import PartStatus
from uncia.infra.local.part_order import NAMES
from uncia.infra.local.stack import Stack
from uncia.settings import read_settings, stack_dir
from uncia.terminal import echo, echo_json, plain_console

_NAMES = ", ".join(NAMES)
_JSON = typer.Option(False, "--json", help="Print JSON.")


def up(
    parts: list[str] = typer.Argument(None, help=f"Some parts only, with those they need: {_NAMES}."),
    timeout: float = typer.Option(120, help="Seconds until all parts must have answered."),
    as_json: bool = _JSON,
) -> None:
    """Start the embedded stack; return once every part has answered its health check."""
    console = plain_console(stderr=True, highlight=False, soft_wrap=True)
    stack = Stack(stack_dir())
    began = time.monotonic()

    answered: set[str] = set()

    def report(name: str, seconds: float, detail: str) -> None:
        answered.add(name)
        console.print(f"{name:16} ready after {seconds:4.1f} s  {detail}", markup=False)

    try:
        stack.up(parts or None, timeout_s=timeout, report=report)
    except KeyboardInterrupt:
        console.print("Interrupted; the parts that this start had begun are stopped again.")
        raise typer.Exit(130) from None
    settings = stack.settings()
    if as_json:
        echo_json({"up_s": round(time.monotonic() - began, 2), "stack_dir": str(stack.folder)})
        return
    console.print(f"The stack is up after {time.monotonic() - began:.1f} s.")
    if "seaweedfs" not in answered:
        return
    console.print(
        f"Upload with any S3 client to {settings.s3_endpoint}, bucket {settings.bucket}; the keys are in "
        f"{stack.folder / 'stack.env'}",
        markup=False,
    )


def down() -> None:
    """Stop the embedded stack: every process, every port. What it has stored stays."""
    stack = Stack(stack_dir())
    began = time.monotonic()
    stack.down()
    plain_console(stderr=True, highlight=False).print(f"The stack is down after {time.monotonic() - began:.1f} s.")


def status(as_json: bool = _JSON) -> None:
    """Show every part, whether it runs and answers, its ports, how the stream fares, and disks with little room.

    Status 1 unless all parts answer, none is in a crash loop and no disk is full.

    With --json `{"parts": [...], "ports": {...}, "stream": {...}, "disks": [...]}`.
    """
    # Imported here: the other commands have no use for a Kafka client.
    from uncia.infra.local.stream import stream_status
    from uncia.infra.local.stream_table import show_stream

    stack = Stack(stack_dir())
    drawn = stack.drawn()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(stream_status, stack.settings()) if drawn else None
        found = stack.status()
        stream = asked.result() if asked else None
    disks = disks_of(stack.folder, read_settings().model_repository)
    if as_json:
        told = {
            "parts": [dataclasses.asdict(part) for part in found],
            "ports": drawn.ports if drawn else {},
            "stream": stream and dataclasses.asdict(stream),
            "disks": [dataclasses.asdict(disk) for disk in disks],
        }
        echo_json(told, indent=2)
    else:
        console = plain_console()
        console.print(_table(found))
        if drawn:
            ports = ", ".join(f"{name} {port}" for name, port in drawn.ports.items())
            console.print(f"Ports on 127.0.0.1: {ports}", highlight=False, markup=False)
        if stream is not None:
            show_stream(console, stream)
        for line in concerns(disks):
            console.print(line, style="red", markup=False, highlight=False)
    full = any(disk.state is Room.FULL for disk in disks)
    raise typer.Exit(0 if all(part.healthy for part in found) and not full else 1)


def logs(
    part: str = typer.Argument(None, help=f"One part: {_NAMES}, supervisord. All when left out."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on with what is written from now."),
    lines: int = typer.Option(20, "--lines", "-n", min=0, help="So many of the last lines."),
) -> None:
    """Show the logs of the parts."""
    folder = stack_dir() / "logs"
    names = [part] if part else [*NAMES, "supervisord"]
    paths = {name: folder / f"{name}.log" for name in names}
    if part and not paths[part].exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
        raise StackError(f"no log of {part} in {folder}; there are logs of: {known}")
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
                # Logs rotate: a file that became shorter is a new one.
                if path.exists() and path.stat().st_size < positions[name]:
                    positions[name] = 0
                text = _read(path, positions[name])
                whole, newline, _ = text.rpartition(b"\n")
                positions[name] += len(whole) + len(newline)
                _show(name, whole, width)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def doctor(as_json: bool = _JSON) -> None:
    """Check what the stack needs here, and say what to do. Status 1 when something is in the way."""
    from uncia.infra.local.doctor import examine

    checks = examine(Stack(stack_dir()))
    if as_json:
        echo_json([dataclasses.asdict(check) for check in checks], indent=2)
    else:
        console = plain_console(highlight=False, soft_wrap=True)
        for check in checks:
            mark = Text("ok  ", style="green") if check.ok else Text("fix ", style="red")
            console.print(mark, f"{check.name:13}", end=" ")
            console.print(check.detail, markup=False)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def _table(found: list[PartStatus]) -> Table:
    table = Table("part", "state", "pid", "up", "memory", "ready", "detail")
    # A name or an address that is cut off helps nobody.
    table.columns[0].no_wrap, table.columns[0].overflow = True, "fold"
    table.columns[0].min_width = max(len(part.name) for part in found) if found else None
    table.columns[-1].overflow = "fold"
    for part in found:
        table.add_row(
            part.name,
            part.state,
            str(part.pid or ""),
            f"{part.uptime_s:.0f} s" if part.pid else "",
            f"{part.memory_mb:.0f} MB" if part.memory_mb else "",
            Text("yes", style="green") if part.healthy else Text("no", style="red"),
            part.detail,
        )
    total = sum(part.memory_mb for part in found)
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
