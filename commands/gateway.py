"""`uncia gateway`: photographs from a folder or a memory card into the object store."""

import os
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from uncia.camtrap.names import is_card_folder
from uncia.errors import SettingsError
from uncia.events import Lane
from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.file_kinds import sentence
from uncia.producers.gateway.object_names import checked_name
from uncia.producers.gateway.report import Report
from uncia.producers.gateway.run import Options
from uncia.producers.gateway.settling import Patience
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_file import SpoolError
from uncia.producers.gateway.status import SpoolStatus, read_status
from uncia.producers.gateway.upload_pool import Threads
from uncia.producers.gateway.uploader import S3Destination
from uncia.producers.gateway.watcher import Watcher
from uncia.settings import settings
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo_json, plain_console

app = typer.Typer(
    help="Upload photographs from a folder or a memory card, losing none.", no_args_is_help=True, add_completion=False
)

_TEMPORARY_S = 60.0
"""How long a file rests at most whose name looks as if a program were still writing it."""

Folder = Annotated[Path, typer.Argument(help="Where the photographs are.", show_default=False)]
Station = Annotated[str, typer.Option(help="The station that they belong to.", show_default=False)]
Camera = Annotated[str | None, typer.Option(help="The camera that took them. Without it each sub-folder is a camera.")]
SpoolFile = Annotated[
    Path | None, typer.Option("--spool", help="The gateway's memory. Default: one file a station in your state folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per event.")]
GiveUp = Annotated[float | None, typer.Option(min=0, metavar="S", help="End after so many seconds, done or not.")]
Remove = Annotated[
    bool,
    # Without `--no-…`, which at 80 columns leaves no room for the option's own name.
    typer.Option(
        "--remove-after-upload", help="Remove each file from the folder once the store has it and both were read again."
    ),
]
Parallel = Annotated[int, typer.Option(min=1, max=32, metavar="N", help="Uploads at the same time.")]
LaneOption = Annotated[
    Lane | None,
    typer.Option(
        metavar="LANE", help="Answered before (live) or behind (backfill) what other gateways send. Left out: by age."
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="S",
        help="Wait so many seconds without a change for the rest of a file that is no whole photograph, then upload it "
        "as it is. Default: 300, or 10 for a card and with --once.",
    ),
]
SameStore = Annotated[bool, typer.Option("--same-store", help="The store has a new address; what it has is the same.")]


@app.command()
def watch(
    folder: Folder,
    station: Station,
    camera: Camera = None,
    once: Annotated[bool, typer.Option(help="End when everything that is there is stored.")] = False,
    give_up_after: GiveUp = None,
    copy: Annotated[bool, typer.Option(help="Copy the files beside the spool first.")] = False,
    remove_after_upload: Remove = False,
    settle: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds that a file must rest before it is taken.")
    ] = 1,
    grace: Grace = None,
    poll: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds between two looks.")] = 0.5,
    parallel: Parallel = 4,
    lane: LaneOption = None,
    spool: SpoolFile = None,
    same_store: SameStore = False,
    as_json: AsJson = False,
) -> None:
    """Watch a folder and upload what comes into it, for ever or --once."""
    _refuse_cards_own(folder, camera)
    patience = Patience.once(grace) if once else Patience.watching(grace)
    options = Options(
        folder.absolute(), station, camera, copy, once, remove_after_upload, give_up_after, poll, lane, patience
    )
    _run(options, settle, parallel, spool, same_store, as_json)


@app.command()
def card(
    folder: Folder,
    station: Station,
    camera: Camera = None,
    once: Annotated[bool, typer.Option(help="End when everything on the card is stored.")] = True,
    give_up_after: GiveUp = None,
    copy: Annotated[bool, typer.Option(help="Copy the card first, so that it can be pulled out early.")] = True,
    remove_after_upload: Remove = False,
    grace: Grace = None,
    parallel: Parallel = 4,
    lane: LaneOption = Lane.BACKFILL,
    spool: SpoolFile = None,
    same_store: SameStore = False,
    as_json: AsJson = False,
) -> None:
    """Read a whole memory card (DCIM/100RECNX and so on) and upload it."""
    _refuse_cards_own(folder, camera)
    if camera is None and any(is_card_folder(part.name) and part.is_dir() for part in _listed(folder)):
        raise SettingsError(f"{folder} is a camera's card: say with --camera which camera it was in")
    patience, where = Patience.once(grace), "on the card"
    options = Options(
        folder.absolute(), station, camera, copy, once, remove_after_upload, give_up_after, 5, lane, patience, where
    )
    _run(options, 0, parallel, spool, same_store, as_json)


@app.command()
def status(
    spool: SpoolFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how many files are stored and how many wait, and the last errors."""
    paths = [spool] if spool else sorted(_state_folder().glob("*.sqlite"))
    if not paths:
        raise SpoolError(f"there is no spool in {_state_folder()}: name one with --spool")
    told = [read_status(path) for path in paths]
    if as_json:
        echo_json([asdict(one) for one in told])
        return
    for one in told:
        _show(one)


def _run(
    options: Options, settle_s: float, parallel: int, spool_file: Path | None, same_store: bool, as_json: bool
) -> None:
    station = checked_name(options.station, "station")
    if options.camera is not None:
        checked_name(options.camera, "camera")
    if options.once:
        _listed(options.folder)
    config = settings()
    path = spool_file or _state_folder() / f"{station}.sqlite"
    destination = f"{config.s3_endpoint or 'Amazon S3'}/{config.bucket}"
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Spool(path, destination=destination, same_store=same_store) as spool, Report(as_json=as_json) as report:
        store = ObjectStore(config, max_connections=parallel + 1, timeout_s=60, attempts=1)
        gateway = Gateway(
            Options(**{**vars(options), "station": station}),
            spool,
            Watcher(options.folder, settle_s=settle_s, temporary_s=min(_TEMPORARY_S, options.patience.grace_s)),
            S3Destination(store, config.bucket, stop),
            Threads(parallel),
            report,
            stop,
        )
        summary = gateway.run()
        report.tell("summary", summary.sentence(options.where), **asdict(summary), complete=summary.complete)
    raise typer.Exit(0 if summary.complete else 1)


def _refuse_cards_own(folder: Path, camera: str | None) -> None:
    if camera is None and (is_card_folder(folder.absolute().name) or is_card_folder(folder.resolve().name)):
        raise SettingsError(f"{folder} is a folder of a camera's card: say with --camera which camera it was in")


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SettingsError(f"cannot read {folder}: {error.strerror}") from error


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "uncia" / "gateway"


def _show(one: SpoolStatus) -> None:
    console = plain_console(soft_wrap=True)
    console.print(f"{one.spool} -> {one.destination or 'no store yet'}", markup=False, highlight=False)
    counts = ", ".join(f"{number:,} {state}" for state, number in one.counts.items() if number) or "no files yet"
    console.print(f"  {counts}; {one.remaining:,} remain", markup=False, highlight=False)
    if one.left:
        console.print(f"  left where they are: {sentence(one.left)}", markup=False, highlight=False)
    if one.unreadable:
        console.print(f"  {one.unreadable:,} folders or files cannot be read", markup=False, highlight=False)
    for problem in one.problems:
        text = f"  {problem.files:,} x {problem.error}; e.g. {problem.path} ({problem.state}, {problem.attempts} tries)"
        console.print(text)
