"""Runs the application with uvicorn, on loopback unless configured otherwise."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
import uvicorn
from sqlalchemy import URL

from uncia.audit import AuditLog, audit_file_of_process
from uncia.dashboard.catalogue.alerts import Alerts
from uncia.dashboard.catalogue.column_cache import ColumnCache
from uncia.dashboard.catalogue.database import DatabaseDown, catalogue_url, database_url, open_database
from uncia.dashboard.catalogue.history_cache import HistoryCache
from uncia.dashboard.catalogue.individuals import Individuals
from uncia.dashboard.catalogue.numbers import CatalogueNumbers
from uncia.dashboard.catalogue.pending import PendingExplanations
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.schema import check_known
from uncia.dashboard.catalogue.sounds import Sounds
from uncia.dashboard.verdict_audit.queries import VerdictAudit
from uncia.dashboard.verdict_audit.sample import AuditSample
from uncia.dashboard.web.accounts.leases import LeaseStore
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.accounts.store import AccountStore
from uncia.dashboard.web.accounts.tables import open_accounts
from uncia.dashboard.web.accounts.views import ViewStore
from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.change_feed import ChangeFeed
from uncia.dashboard.web.downloads import Downloads
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.operations import Operations
from uncia.dashboard.web.pictures import PictureService
from uncia.dashboard.web.publisher import Publisher
from uncia.dashboard.web.recordings import RecordingService
from uncia.dashboard.web.services import Services
from uncia.dashboard.web.templating import Templates
from uncia.dashboard.web.topic_stream import KafkaReader, TopicStreams
from uncia.errors import UnciaError
from uncia.kafka.stream_status import stream_status
from uncia.pseudonyms import SerialPseudonyms
from uncia.settings import Settings, stack_dir
from uncia.storage.durable import write_durably
from uncia.storage.object_store import ObjectStore
from uncia.telemetry import configure_logging, mark_ready
from uncia.terminal import echo

__all__ = ["FIRST_LINK_FILE", "accounts_url", "first_link", "open_services", "serve"]

FIRST_LINK_FILE = "first-link"
"""File in `UNCIA_DASHBOARD_DIR` with the link of a start without accounts: `uncia up` prints it."""

log = structlog.get_logger(__name__)


def accounts_url(settings: Settings) -> URL:
    """The address of the accounts' database: `UNCIA_DASHBOARD_ACCOUNTS`, or SQLite in the dashboard's folder.

    Raises `SettingsError` for an address of another kind of database.
    """
    if settings.dashboard_accounts is None:
        return URL.create("sqlite", database=str(dashboard_dir(settings) / "accounts.sqlite"))
    return database_url(settings.dashboard_accounts, "UNCIA_DASHBOARD_ACCOUNTS")


def open_services(settings: Settings, operations: Operations | None = None) -> Services:
    """Open everything that requests need. Raises `UnciaError`."""
    folder = dashboard_dir(settings)
    engine = open_accounts(accounts_url(settings))
    database = open_database(catalogue_url(settings), read_only=True)
    columns, history = ColumnCache(database), HistoryCache(database)
    catalogue = Catalogue(database, columns=columns)
    store = ObjectStore(settings)
    pictures = PictureService(
        store,
        FileCache(folder / "thumbnails", max_bytes=settings.dashboard_cache_mb * 1_048_576),
        max_bytes=settings.max_object_mb * 1_048_576,
        max_pixels=settings.max_megapixels * 1_000_000,
    )
    serial_pseudonym = SerialPseudonyms(settings)
    return Services(
        settings=settings,
        accounts=AccountStore(engine, session_hours=settings.dashboard_session_hours),
        views=ViewStore(engine),
        leases=LeaseStore(engine),
        templates=Templates(settings.dashboard_assets),
        catalogue=catalogue,
        alerts=Alerts(database),
        individuals=Individuals(database, settings.identify_reviewers),
        sounds=Sounds(database),
        verdict_audit=VerdictAudit(database, AuditSample.of(settings)),
        pictures=pictures,
        recordings=RecordingService(store),
        feed=ChangeFeed(catalogue.all_changes, catalogue.newest_change),
        read_status=lambda: stream_status(settings),
        publisher=Publisher(settings),
        numbers=CatalogueNumbers(database, columns=columns, history=history),
        columns=columns,
        history=history,
        downloads=Downloads(database, folder / "downloads"),
        topic_streams=TopicStreams(
            lambda topics, position: KafkaReader(settings, topics, position), serial_pseudonym=serial_pseudonym
        ),
        serial_pseudonym=serial_pseudonym,
        pending=PendingExplanations(database),
        operations=operations or Operations(),
        audit=AuditLog(audit_file_of_process(folder)),
        close_catalogue=database.dispose,
        first_link_file=folder / FIRST_LINK_FILE,
    )


def dashboard_dir(settings: Settings) -> Path:
    """The folder of the dashboard's own files, absolute."""
    if settings.dashboard_dir is not None:
        return settings.dashboard_dir.absolute()
    stack = stack_dir()
    return ((stack / "data" if (stack / "stack.env").exists() else settings.data_dir) / "dashboard").absolute()


def first_link(settings: Settings, secret: str) -> str:
    """The address of a one-time link."""
    return f"{address(settings)}/link/{secret}"


def address(settings: Settings) -> str:
    """The address under which a browser on this machine reaches the dashboard."""
    host = settings.dashboard_host
    shown = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{settings.dashboard_port}"


def serve(settings: Settings, operations: Operations | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises `UnciaError` where the address is taken, and `CatalogueRefused` for a catalogue of a newer version.
    """
    configure_logging(settings, "dashboard")
    _check_catalogue(settings)
    services = open_services(settings, operations)
    app = create_app(services)
    _print_first_link(settings, services)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        # A proxy on this machine says who its client is; from anywhere else such a header is ignored.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        # Live streams do not end by themselves.
        timeout_graceful_shutdown=3,
    )
    with _listening(settings) as listener:
        echo(f"The dashboard is on {address(settings)}")
        _ReadyServer(config).run(sockets=[listener])
    services.close()


def _check_catalogue(settings: Settings) -> None:
    database = open_database(catalogue_url(settings), read_only=True)
    # Where there is none yet, or where it is unavailable, the pages say so until there is one.
    with suppress(DatabaseDown):
        check_known(database)
    database.dispose()


class _ReadyServer(uvicorn.Server):
    """Reports to the supervisor once it accepts connections."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            mark_ready()


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    host, port = settings.dashboard_host or "127.0.0.1", settings.dashboard_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise UnciaError(
            f"the dashboard cannot listen on {host}:{port} ({error.strerror}): set UNCIA_DASHBOARD_HOST and "
            "UNCIA_DASHBOARD_PORT"
        ) from error
    with listener:
        yield listener


def _print_first_link(settings: Settings, services: Services) -> None:
    accounts, path = services.accounts, services.first_link_file
    if accounts.count():
        path.unlink(missing_ok=True)
        return
    # A link of an earlier start was printed somewhere and never used.
    accounts.withdraw_first_links()
    link = first_link(settings, accounts.create_link(role=Role.ADMIN))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, link + "\n", mode=0o600)
    echo(f"There is no account yet. Create the first one, an admin, by this link, which works once: {link}")
