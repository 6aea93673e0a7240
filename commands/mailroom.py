"""`uncia mailroom`: receive photographs from cellular cameras by FTP and e-mail."""

import signal
import threading
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from uncia.audit import AuditLog, audit_file_of_process
from uncia.producers.gateway.options import sealing_key
from uncia.producers.gateway.uploader import S3Destination
from uncia.producers.mailroom.accounts import Accounts
from uncia.producers.mailroom.config import MailroomConfig, mailroom_folder
from uncia.producers.mailroom.folders import MailroomFolders
from uncia.producers.mailroom.mailboxes import Mailboxes
from uncia.producers.mailroom.report_uploads import ReportUploads
from uncia.producers.mailroom.service import run_mailroom
from uncia.producers.mailroom.uploads import MailroomReporter, StationUploads
from uncia.settings import settings
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(
    help="Receive photographs from cellular cameras by FTP and e-mail, and upload them.",
    no_args_is_help=True,
    add_completion=False,
)

mailbox_app = typer.Typer(help="Mailboxes elsewhere from which mails of cameras are fetched.", no_args_is_help=True)
app.add_typer(mailbox_app, name="mailbox")

Station = Annotated[str, typer.Argument(help="Station of the camera.", show_default=False)]
Camera = Annotated[str, typer.Argument(help="Name of the camera.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(station: Station, camera: Camera, as_json: AsJson = False) -> None:
    """Add the account of a camera and print its user name, password and mail address, which are shown only once."""
    added = _accounts().add(station, camera)
    account = added.account
    if as_json:
        names = {"station": account.station, "camera": account.camera, "user": account.user}
        echo_json({**names, "password": added.password, "address": added.address})
        return
    echo(f"{account.station}/{account.camera}: enter these in the camera; they are not shown again")
    echo(f"  FTP and SMTP user      {account.user}")
    echo(f"  FTP and SMTP password  {added.password}")
    echo(f"  mail address           {added.address}@ and the name of this server")


@app.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts, without secrets."""
    accounts = _accounts().all()
    if as_json:
        hidden = ("password_hash", "address_hash")
        echo_json([{name: value for name, value in asdict(one).items() if name not in hidden} for one in accounts])
        return
    if not accounts:
        echo("no accounts yet: `uncia mailroom add STATION CAMERA` adds one")
        return
    table = Table("station", "camera", "user", "added")
    for account in accounts:
        table.add_row(*map(Text, (account.station, account.camera, account.user, account.added_at)))
    plain_console().print(table)


@app.command()
def remove(station: Station, camera: Camera) -> None:
    """Remove the account of a camera. What it has sent is kept, and uploaded."""
    account = _accounts().remove(station, camera)
    echo(f"removed the account {account.user} of {account.station}/{account.camera}")


@app.command()
def run(
    upload: Annotated[
        bool, typer.Option(help="Upload what is received. Without it, gateways that watch the inbox do.")
    ] = True,
    parallel: Annotated[int, typer.Option(min=1, max=32, metavar="N", help="Concurrent uploads per station.")] = 2,
    same_store: Annotated[
        bool,
        typer.Option(
            "--same-store", help="Keep the spools' state for a store with a new address and the same contents."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per event.")] = False,
) -> None:
    """Receive photographs, and upload them, until stopped."""
    values = settings()
    config = MailroomConfig.from_settings(values)
    reporter = MailroomReporter(as_json=as_json)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    uploads = report_uploads = None
    if upload:
        store = ObjectStore(values, max_connections=4 * parallel, timeout_s=60, attempts=1)
        folders, destination = MailroomFolders(config.root), S3Destination(store, values.bucket, stop)
        report_uploads = ReportUploads(folders.reports, destination, reporter)
        uploads = StationUploads(
            folders,
            destination,
            reporter,
            store=f"{values.s3_endpoint or 'Amazon S3'}/{values.bucket}",
            same_store=same_store,
            parallel=parallel,
            strip_gps=values.strip_gps,
            position_key=sealing_key(values),
        )
    audit = AuditLog(audit_file_of_process(config.root))
    run_mailroom(config, uploads, reporter, stop, report_uploads, audit=audit)


@mailbox_app.command("add")
def add_mailbox(
    name: Annotated[str, typer.Argument(help="A name for the mailbox.", show_default=False)],
    host: Annotated[str, typer.Argument(help="Name of its server.", show_default=False)],
    user: Annotated[str, typer.Argument(help="User name there.", show_default=False)],
    password: Annotated[
        str,
        typer.Option(
            prompt=True, hide_input=True, envvar="UNCIA_MAILBOX_PASSWORD", show_envvar=True, help="Password there."
        ),
    ],
    pop: Annotated[bool, typer.Option("--pop", help="Use POP3 instead of IMAP.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; default: 993, or 995 with --pop.")] = None,
    folder: Annotated[str, typer.Option(help="Folder of an IMAP mailbox.")] = "INBOX",
    station: Annotated[str | None, typer.Option(help="Station of the camera that all mails are from.")] = None,
    camera: Annotated[str | None, typer.Option(help="Camera that all mails are from.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete mails there after they are stored.")] = False,
) -> None:
    """Add a mailbox, over TLS. Without --station and --camera, the addresses of cameras decide."""
    added = _mailboxes().add(
        name,
        "pop" if pop else "imap",
        host,
        user,
        password,
        port=port,
        folder=folder,
        station=station,
        camera=camera,
        delete=delete,
    )
    echo(f"added the mailbox {added.name}: {added.user} at {added.host}:{added.port}")


@mailbox_app.command("list")
def list_mailboxes(as_json: AsJson = False) -> None:
    """List the mailboxes, without passwords."""
    mailboxes = _mailboxes().all()
    if as_json:
        echo_json([{name: value for name, value in asdict(one).items() if name != "password"} for one in mailboxes])
        return
    if not mailboxes:
        echo("no mailboxes yet: `uncia mailroom mailbox add NAME HOST USER` adds one")
        return
    table = Table("name", "protocol", "server", "user", "camera", "deletes")
    for one in mailboxes:
        camera = f"{one.station}/{one.camera}" if one.station else "by address"
        deletes = "yes" if one.delete else "no"
        table.add_row(*map(Text, (one.name, one.protocol, f"{one.host}:{one.port}", one.user, camera, deletes)))
    plain_console().print(table)


@mailbox_app.command("remove")
def remove_mailbox(name: Annotated[str, typer.Argument(help="Name of the mailbox.", show_default=False)]) -> None:
    """Fetch from a mailbox no more. Nothing happens to its mails."""
    removed = _mailboxes().remove(name)
    echo(f"removed the mailbox {removed.name}")


def _accounts() -> Accounts:
    return Accounts(_folders().accounts)


def _mailboxes() -> Mailboxes:
    return Mailboxes(_folders().mailboxes)


def _folders() -> MailroomFolders:
    return MailroomFolders(mailroom_folder(settings()))
