"""`uncia demo`: three camera stations and the whole stack; accounts for every photograph."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from uncia.camtrap.names import is_card_folder
from uncia.errors import SettingsError, UnciaError
from uncia.infra.demo.follower import follow_results
from uncia.infra.demo.ledger import Ledger, closing_line
from uncia.infra.demo.processes import ChildProcess, GatewayProcess, uncia
from uncia.infra.local.key_management import gateway_environment
from uncia.infra.local.stack import Stack
from uncia.terminal import echo, plain_console

PHOTOGRAPHS = {".jpg", ".jpeg"}
_STATIONS = 3
_SAMPLES = 150
"""Pictures that the model scores to explain one frame: some ten seconds on two cores."""
_QUICK = {
    "UNCIA_BURST_IDLE_S": "8",  # the first predictions after a start may be seconds apart
    "UNCIA_TICK_S": "0.5",
    "UNCIA_RECONCILE_EVERY_S": "5",
    "UNCIA_RECONCILE_AFTER_S": "5",
}


def demo(
    images: Path | None = typer.Option(
        None, help="Use this folder of photographs instead of simulated ones; its sub-folders are the cameras."
    ),
    folder: Path = typer.Option(Path(".local/demo"), help="Folder for the demo's stack, summary and report."),
    keep: bool = typer.Option(False, "--keep", help="Leave the stack running afterwards."),
    patience: float = typer.Option(120, help="Give up after this many seconds without progress."),
) -> None:
    """Run simulated cameras against a new stack, print results live, account for every photograph, and stop."""
    console = plain_console(stderr=True, highlight=False)
    folder = folder.resolve()
    if images is not None:
        images = _checked(images)
    stack = Stack(folder / "stack")
    stack.down()
    for part in ("stack", "photographs", "spool", "logs", "explanation"):
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / "logs").mkdir(parents=True)
    (folder / "spool").mkdir()
    began = time.monotonic()
    console.print("Starting Kafka, SeaweedFS, Triton and the workers …")
    try:
        stack.up(extra_env=_QUICK)
        console.print(
            f"The stack is ready after {time.monotonic() - began:.0f} s. Verdicts follow as they become final:"
        )
        console.print("percentages are calibrated probabilities, scores are not; a question mark: uncertain.")
        if address := _dashboard_address(stack):
            console.print(f"Dashboard, with a link that creates its first account: {address}", soft_wrap=True)
            if not keep:
                console.print("It stops with the demo; `make demo ARGS=--keep` leaves it running.")
        ledger = _play(stack, folder, images, patience, console)
        summary = _write_results(stack, folder, ledger, began)
        explained = _explain_a_burst(stack, folder, ledger)
    except KeyboardInterrupt:
        console.print("Interrupted; stopping the stack.")
        raise typer.Exit(130) from None
    finally:
        if keep:
            console.print(
                f"The stack is still running: UNCIA_STACK_DIR='{folder / 'stack'}' uncia status | watch | down"
            )
        else:
            stack.down()
    for kind, names in ledger.unaccounted().items():
        for name in names[:20]:
            console.print(f"unaccounted, {kind}: {name}", style="red")
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)
    console.print(f"The last event of every burst: {folder / 'bursts.jsonl'}", soft_wrap=True)
    if explained:
        console.print(explained, soft_wrap=True)
    echo(closing_line(summary))
    raise typer.Exit(1 if summary["unaccounted"] else 0)


def _dashboard_address(stack: Stack) -> str:
    """The one-time link of the dashboard; empty where it does not run."""
    return next((part.detail for part in stack.status() if part.name == "dashboard" and part.ready), "")


def _checked(images: Path) -> Path:
    if not images.is_dir():
        raise UnciaError(f"{images} is not a folder; pass one that contains photographs or sub-folders of them")
    if not _photographs(images):
        raise UnciaError(f"neither {images} nor any folder below it contains a .jpg or .jpeg file")
    own = next((path.name for path in (images.resolve(), *images.iterdir()) if is_card_folder(path.name)), "")
    if own:
        raise UnciaError(
            f"{own} is a folder that a camera made on its SD card: pass one whose sub-folders are named after cameras"
        )
    return images.resolve()


def _photographs(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PHOTOGRAPHS and path.is_file() and not path.name.startswith(".")
    ]


def _play(stack: Stack, folder: Path, images: Path | None, patience: float, console: Console) -> Ledger:
    environment = stack.environment()
    ledger = Ledger()
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(follow_results(stack.settings(), ledger))
        watching = ["watch", "--from-beginning", *([] if sys.stdout.isatty() else ["--settled"])]
        watch = ChildProcess(uncia(*watching), environment, log=folder / "logs" / "watch.log", on_terminal=True)
        cleanup.callback(watch.end)
        if images is None:
            gateways, simulator = _simulated(stack, folder, environment, ledger, cleanup)
        else:
            ledger.expected |= {str(path) for path in _photographs(images)}
            gateways, simulator = [_gateway("card", images, images.name, folder, stack, ledger)], None
        for gateway in gateways:
            cleanup.callback(gateway.end)
        _wait_until_settled(ledger, gateways, simulator, folder, patience)
    return ledger


def _simulated(
    stack: Stack, folder: Path, environment: dict[str, str], ledger: Ledger, cleanup: contextlib.ExitStack
) -> tuple[list[GatewayProcess], ChildProcess]:
    photographs = folder / "photographs"
    stations: dict[str, Any] = {}
    simulator = ChildProcess(
        uncia("simulate", str(photographs), "--stations", str(_STATIONS), "--live", "--json"),
        environment,
        log=folder / "logs" / "simulate.log",
        on_line=lambda line: None,
    )
    cleanup.callback(simulator.end)
    while len(stations) < _STATIONS:
        stations = {path.name: path for path in photographs.glob("*/") if path.is_dir()}
        if simulator.ended and len(stations) < _STATIONS:
            raise UnciaError(f"the simulator exited early; see {folder / 'logs' / 'simulate.log'}")
        time.sleep(0.1)
    gateways = [_gateway("watch", path, station, folder, stack, ledger) for station, path in sorted(stations.items())]
    return gateways, simulator


def _gateway(verb: str, source: Path, station: str, folder: Path, stack: Stack, ledger: Ledger) -> GatewayProcess:
    spool = folder / "spool" / f"{station}.sqlite"
    # Simulated cameras fire now, whatever the capture date of their photographs.
    lane = "live" if verb == "watch" else "backfill"
    arguments = uncia(
        *("gateway", verb, str(source), "--station", station, "--spool", str(spool), "--json", "--lane", lane),
        *("--grace", "2"),  # files are local, not arriving over an uplink: a truncated one will not be completed
    )
    return GatewayProcess(
        [*arguments, "--once"] if verb == "card" else arguments,
        _gateway_keys(stack, station),
        folder / "logs" / f"gateway-{station}.log",
        ledger.record_gateway_event,
    )


def _gateway_keys(stack: Stack, station: str) -> dict[str, str]:
    """The environment of a station's gateway: with its own keys, unless its name cannot have any."""
    try:
        return gateway_environment(stack, station)
    except SettingsError:
        # The name of a person's folder.
        return stack.environment()


def _wait_until_settled(
    ledger: Ledger, gateways: list[GatewayProcess], simulator: ChildProcess | None, folder: Path, patience: float
) -> None:
    last, changed_at = ledger.progress(), time.monotonic()
    while time.monotonic() - changed_at < patience:
        done_playing = simulator is None or simulator.ended
        if simulator is not None and done_playing:
            ledger.expected |= {str(path) for path in _photographs(folder / "photographs")}
        if done_playing and ledger.all_uploaded() and not any(ledger.unaccounted().values()):
            return
        if not ledger.all_uploaded():
            for gateway in gateways:
                gateway.revive()
        if ledger.progress() != last or not done_playing:
            last, changed_at = ledger.progress(), time.monotonic()
        time.sleep(0.2)


def _write_results(stack: Stack, folder: Path, ledger: Ledger, began: float) -> dict[str, Any]:
    summary = {**ledger.summary(), "seconds": round(time.monotonic() - began, 1)}
    path = folder / "summary.json"
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    (folder / "bursts.jsonl").write_text(ledger.burst_lines(), encoding="utf-8")
    report = ChildProcess(
        uncia("report", "--output", str(folder / "report.html"), "--title", "Uncia demo", "--summary", str(path)),
        stack.environment(),
        log=folder / "logs" / "report.log",
    )
    if report.process.wait(300):
        raise UnciaError(f"the report could not be written; see {folder / 'logs' / 'report.log'}")
    return summary


def _explain_a_burst(stack: Stack, folder: Path, ledger: Ledger) -> str:
    """Explain the surest animal; returns a line for the person. What fails here does not fail the demo."""
    burst = ledger.burst_to_explain()
    if burst is None:
        return ""
    out, log = folder / "explanation", folder / "logs" / "explain.log"
    explain = ChildProcess(
        uncia("explain", burst, "--samples", str(_SAMPLES), "--out", str(out)), stack.environment(), log=log
    )
    try:
        failed = explain.process.wait(120) != 0
    except subprocess.TimeoutExpired:
        explain.end()
        failed = True
    return describe_explanation(burst, out) if not failed else f"{burst} could not be explained; see {log}"


def describe_explanation(burst: str, folder: Path) -> str:
    """What the heat map in a folder shows of a burst, and where it is; empty where there is none."""
    picture = next(iter(sorted(folder.glob("*.png"))), None)
    if picture is None:
        return ""
    facts = json.loads(picture.with_suffix(".json").read_bytes())
    return (
        f"Heat map of {facts['label']!r}, the classifier's best class in a frame of {burst} (score "
        f"{facts['score']:.2f}; red parts raise it): {picture}"
    )
