"""`uncia gateway`: upload photographs from a folder or a memory card to the object store."""

import os
import signal
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from uncia.camtrap.names import is_card_folder
from uncia.errors import SettingsError
from uncia.events import Lane
from uncia.producers.gateway.engine import Gateway
from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.gateway.file_kinds import PHOTOGRAPHS, PHOTOGRAPHS_AND_VIDEOS, count_sentence
from uncia.producers.gateway.incomplete_files import GracePeriod
from uncia.producers.gateway.object_names import checked_name
from uncia.producers.gateway.options import GatewayOptions, sealing_key, thin_options
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_database import SpoolError
from uncia.producers.gateway.spool_status import SpoolStatus, read_status
from uncia.producers.gateway.thin.budget import DailyBudget
from uncia.producers.gateway.thin.ledger import Ledger
from uncia.producers.gateway.thin.link import LinkParts
from uncia.producers.gateway.thin.metered_link import MeteredStore
from uncia.producers.gateway.thin.thumbnail import check_pillow
from uncia.producers.gateway.upload_pool import ThreadUploadPool
from uncia.producers.gateway.uploader import S3Destination
from uncia.producers.gateway.watcher import Watcher
from uncia.settings import settings
from uncia.storage.object_store import ObjectStore
from uncia.storage.recording_names import RECORDING_EXTENSIONS
from uncia.terminal import echo, echo_json

app = typer.Typer(
    help="Upload photographs from a folder or a memory card without losing any.",
    no_args_is_help=True,
    add_completion=False,
)

_TEMPORARY_S = 60.0
"""Seconds for which a file with a temporary name has to be unchanged, if the grace period is not shorter."""

_CARD_POLL_S = 5

_STORE_TIMEOUT_S = 60.0
_THIN_TIMEOUT_S = 300.0
"""Longest wait for a response, in seconds."""

_THIN_MIN_BYTES_PER_S = 50.0
"""A thin link may be slower than others (Iridium SBD carries 300 bytes a second): below this an attempt is given up."""

Folder = Annotated[Path, typer.Argument(help="Folder with the photographs.", show_default=False)]
Station = Annotated[str, typer.Option(help="Station that took the photographs.", show_default=False)]
Camera = Annotated[
    str | None, typer.Option(help="Camera that took the photographs. Default: each sub-folder is a camera.")
]
SpoolFile = Annotated[
    Path | None,
    typer.Option(
        "--spool", help="File with the gateway's state. Default: one per station in ~/.local/state/uncia/gateway."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per event.")]
GiveUp = Annotated[
    float | None,
    typer.Option(min=0, metavar="S", help="Exit after this many seconds even if photographs remain. Default: never."),
]
Remove = Annotated[
    bool,
    # Without `--no-…`, which at 80 columns leaves no room for the option's own name.
    typer.Option(
        "--remove-after-upload",
        help="Remove each file from the folder after it is stored and both copies were read back and compared.",
    ),
]
Parallel = Annotated[int, typer.Option(min=1, max=32, metavar="N", help="Number of concurrent uploads.")]
LaneOption = Annotated[
    Lane | None,
    typer.Option(
        metavar="LANE",
        help="Priority of the photographs: live, or backfill (after live ones). Default: by their age.",
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="S",
        help="Wait until an incomplete file has not changed for this many seconds, then upload it as it is. "
        "Default: 300, or 10 for a card and with --once.",
    ),
]
Videos = Annotated[
    bool, typer.Option("--videos", help="Upload videos as well. They are stored and announced, but not analysed yet.")
]
Recordings = Annotated[
    bool,
    typer.Option("--recordings", help="Upload sound recordings (WAV, FLAC) as well; the worker listen analyses them."),
]
SameStore = Annotated[
    bool,
    typer.Option("--same-store", help="Keep the spool's state for a store with a new address and the same contents."),
]


@app.command()
def watch(
    folder: Folder,
    station: Station,
    camera: Camera = None,
    once: Annotated[bool, typer.Option(help="Exit when every photograph in the folder is stored.")] = False,
    give_up_after: GiveUp = None,
    copy: Annotated[bool, typer.Option(help="Copy files to the spool's folder before uploading them.")] = False,
    remove_after_upload: Remove = False,
    settle: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds for which a file must be unchanged before it is read.")
    ] = 1,
    grace: Grace = None,
    poll: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds between two scans of the folder.")] = 0.5,
    parallel: Parallel = 4,
    lane: LaneOption = None,
    videos: Videos = False,
    recordings: Recordings = False,
    spool: SpoolFile = None,
    same_store: SameStore = False,
    as_json: AsJson = False,
) -> None:
    """Watch a folder and upload new photographs until stopped or, with --once, until every photograph is stored."""
    _refuse_card_folder(folder, camera)
    options = GatewayOptions(
        folder=folder.absolute(),
        station=station,
        camera=camera,
        copy=copy,
        once=once,
        remove=remove_after_upload,
        give_up_after_s=give_up_after,
        poll_s=poll,
        lane=lane,
        grace=GracePeriod.once(grace) if once else GracePeriod.watching(grace),
    )
    _run(options, settle, parallel, _extensions(videos, recordings), spool, same_store, as_json)


@app.command()
def card(
    folder: Folder,
    station: Station,
    camera: Camera = None,
    once: Annotated[bool, typer.Option(help="Exit when every photograph on the card is stored.")] = True,
    give_up_after: GiveUp = None,
    copy: Annotated[
        bool, typer.Option(help="Copy the card first, so that it can be removed before the upload ends.")
    ] = True,
    remove_after_upload: Remove = False,
    grace: Grace = None,
    parallel: Parallel = 4,
    lane: LaneOption = Lane.BACKFILL,
    videos: Videos = False,
    recordings: Recordings = False,
    spool: SpoolFile = None,
    same_store: SameStore = False,
    as_json: AsJson = False,
) -> None:
    """Upload the photographs of a memory card (DCIM/100RECNX and so on)."""
    _refuse_card_folder(folder, camera)
    if camera is None and any(is_card_folder(part.name) and part.is_dir() for part in _listed(folder)):
        raise SettingsError(f"{folder} is a memory card: name its camera with --camera")
    options = GatewayOptions(
        folder=folder.absolute(),
        station=station,
        camera=camera,
        copy=copy,
        once=once,
        remove=remove_after_upload,
        give_up_after_s=give_up_after,
        poll_s=_CARD_POLL_S,
        lane=lane,
        grace=GracePeriod.once(grace),
        location="on the card",
    )
    _run(options, 0, parallel, _extensions(videos, recordings), spool, same_store, as_json)


@app.command()
def status(
    spool: SpoolFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the numbers of stored and waiting files, and the last errors."""
    paths = [spool] if spool else sorted(_state_folder().glob("*.sqlite"))
    if not paths:
        raise SpoolError(f"there is no spool in {_state_folder()}: name one with --spool")
    statuses = [read_status(path) for path in paths]
    if as_json:
        echo_json([asdict(status) for status in statuses])
        return
    for spool_status in statuses:
        _show(spool_status)


def _extensions(videos: bool, recordings: bool) -> frozenset[str]:
    extensions = PHOTOGRAPHS_AND_VIDEOS if videos else PHOTOGRAPHS
    return extensions | RECORDING_EXTENSIONS if recordings else extensions


def _run(
    options: GatewayOptions,
    settle_s: float,
    parallel: int,
    extensions: frozenset[str],
    spool_file: Path | None,
    same_store: bool,
    as_json: bool,
) -> None:
    options = replace(options, station=checked_name(options.station, "station"))
    if options.camera is not None:
        checked_name(options.camera, "camera")
    if options.once:
        _listed(options.folder)
    config = settings()
    options = replace(options, strip_gps=config.strip_gps, position_key=sealing_key(config))
    thin = thin_options(config)
    if thin is not None:
        check_pillow()
        parallel = 1  # several uploads at once would only be interrupted together
        # What is held must survive that the folder is emptied.
        options = replace(options, thin=thin, copy=True)
    path = spool_file or _state_folder() / f"{options.station}.sqlite"
    destination = f"{config.s3_endpoint or 'Amazon S3'}/{config.bucket}"
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with (
        Spool(path, destination=destination, same_store=same_store) as spool,
        EventReporter(as_json=as_json) as reporter,
    ):
        timeout_s = _STORE_TIMEOUT_S if thin is None else _THIN_TIMEOUT_S
        store = ObjectStore(config, max_connections=parallel + 1, timeout_s=timeout_s, attempts=1)
        destination_of_uploads = S3Destination(store, config.bucket, stop)
        link = None
        if thin is not None:
            ledger = Ledger(spool, DailyBudget(thin.daily_bytes), time.time)
            MeteredStore(store, ledger, _THIN_TIMEOUT_S)
            destination_of_uploads = S3Destination(
                store, config.bucket, stop, min_bytes_per_s=_THIN_MIN_BYTES_PER_S, saves_bytes=True
            )
            tls = store.client.meta.endpoint_url.startswith("https:")
            link = LinkParts(ledger, destination_of_uploads, tls)
        gateway = Gateway(
            options,
            spool,
            Watcher(
                options.folder,
                settle_s=settle_s,
                temporary_s=min(_TEMPORARY_S, options.grace.grace_s),
                extensions=extensions,
            ),
            destination_of_uploads,
            ThreadUploadPool(parallel),
            reporter,
            stop,
            link=link,
        )
        summary = gateway.run()
        sentence = summary.sentence(options.location)
        reporter.emit("summary", sentence, **asdict(summary), complete=summary.complete)
    raise typer.Exit(0 if summary.complete else 1)


def _refuse_card_folder(folder: Path, camera: str | None) -> None:
    """Raise `SettingsError` when the camera would be named after a folder that a camera created, such as 100RECNX."""
    if camera is None and (is_card_folder(folder.absolute().name) or is_card_folder(folder.resolve().name)):
        raise SettingsError(f"{folder} is a folder of a memory card: name its camera with --camera")


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SettingsError(f"cannot read {folder}: {error.strerror}") from error


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "uncia" / "gateway"


def _show(status: SpoolStatus) -> None:
    echo(f"{status.spool} -> {status.destination or 'no store yet'}")
    counts = ", ".join(f"{number:,} {state}" for state, number in status.counts.items() if number) or "no files yet"
    echo(f"  {counts}; {status.remaining:,} remain")
    if status.link_day is not None:
        purposes = ", ".join(f"{count:,} for {name}s" for name, count in sorted(status.link_bytes.items()))
        echo(f"  thin link: {sum(status.link_bytes.values()):,} bytes on {status.link_day} ({purposes})")
    if status.left:
        echo(f"  not uploaded: {count_sentence(status.left)}")
    if status.unreadable:
        echo(f"  {status.unreadable:,} folders or files cannot be read")
    for problem in status.problems:
        example = f"{problem.path} ({problem.state}, {problem.attempts} attempts)"
        echo(f"  {problem.files:,} x {problem.error}; e.g. {example}")
