"""`uncia catalogue`: run, show and rebuild the database of the dashboard."""

import signal
import threading

import typer
from rich.table import Table
from sqlalchemy import func, select

from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.fold import FOLDED_TOPICS
from uncia.dashboard.catalogue.imported import count_imported, drop_imported, fold_imported
from uncia.dashboard.catalogue.schema import check_current, clear, head_revision
from uncia.dashboard.catalogue.schema import migrate as migrate_tables
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.dashboard.catalogue.tables import METADATA, skipped_events
from uncia.dashboard.catalogue.worker import CATALOGUE_GROUP, follow_topics, single_worker
from uncia.errors import DependencyDown
from uncia.kafka.offset_consumer import OffsetConsumer
from uncia.settings import settings
from uncia.telemetry import configure_logging
from uncia.terminal import echo, echo_json, plain_console
from uncia.training.progress import progress_bar

_BROKER_ANSWERS_WITHIN_S = 3

app = typer.Typer(no_args_is_help=True, help="Run, show and rebuild the catalogue: the database of the dashboard.")


@app.command()
def run() -> None:
    """Fold the result topics into the database until stopped. Creates and migrates its tables first."""
    config = settings()
    configure_logging(config, "catalogue")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    follow_topics(config, stop)


@app.command()
def migrate() -> None:
    """Create the tables, or bring those of an older version up to date. Refuses a database of a newer version."""
    engine = open_database(catalogue_url(settings()))
    migrate_tables(engine)
    echo(f"{engine.url.render_as_string(hide_password=True)} has the tables of revision {head_revision()}")


@app.command()
def status(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Show the rows of each table, how far each topic was folded, and the messages that were skipped."""
    config = settings()
    engine = open_database(catalogue_url(config), read_only=True)
    check_current(engine)
    states = CatalogueStore(engine).partitions()
    with engine.begin() as connection:
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in sorted(METADATA.tables.items())
        }
        reasons = select(skipped_events.c.topic, skipped_events.c.reason, func.count()).group_by(
            skipped_events.c.topic, skipped_events.c.reason
        )
        skipped = [{"topic": row[0], "reason": row[1], "count": row[2]} for row in connection.execute(reasons)]
    imported = count_imported(engine)
    ends: dict[tuple[str, int], int] = {}
    problem = ""
    try:
        with OffsetConsumer(config, FOLDED_TOPICS, CATALOGUE_GROUP, within_s=_BROKER_ANSWERS_WITHIN_S) as consumer:
            ends = consumer.end_offsets()
    except DependencyDown as error:
        problem = str(error)
    behind = {
        topic.name: sum(
            end - (states[(topic.name, number)].next_offset if (topic.name, number) in states else 0)
            for (name, number), end in ends.items()
            if name == topic.full_name(config)
        )
        for topic in FOLDED_TOPICS
        if ends
    }
    address = engine.url.render_as_string(hide_password=True)
    if as_json:
        echo_json(
            {
                "database": address,
                "revision": head_revision(),
                "rows": counts,
                "behind": behind,
                "skipped": skipped,
                "imported_events": imported,
            }
        )
        return
    console = plain_console()
    echo(f"{address}, tables of revision {head_revision()}")
    rows = Table("table", "rows")
    for name, count in counts.items():
        rows.add_row(name, f"{count:,}")
    console.print(rows)
    if problem:
        echo(f"the lag is unknown: {problem}")
    else:
        lags = Table("topic", "messages behind")
        for name, count in behind.items():
            lags.add_row(name, f"{count:,}")
        console.print(lags)
    if imported:
        echo(f"{imported:,} events of imports are kept for a rebuild")
    for kind in skipped:
        echo(f"skipped {kind['count']} of {kind['topic']}: {kind['reason']}")


@app.command()
def rebuild(
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    without_imports: bool = typer.Option(
        False, "--without-imports", help="Also forget what `uncia import` brought. Default: it is folded again."
    ),
) -> None:
    """Remove everything in the catalogue, and fold the topics again from their beginning.

    What the topics no longer hold is lost: photographs and bursts that are older than their retention (365 days), and
    the revisions that Kafka has compacted away. Reviews are kept: their topic holds them without limit. So are imports,
    which this command folds again. Stop the worker first (`uncia up` starts it again). After a kill, run it again.
    """
    engine = open_database(catalogue_url(settings()))
    address = engine.url.render_as_string(hide_password=True)
    if not yes:
        lost = "Rows that the topics no longer hold are lost" + (", and all imports" if without_imports else "")
        typer.confirm(f"Remove all rows of {address}? {lost}", abort=True)
    with single_worker(engine):
        if without_imports:
            drop_imported(engine)
        clear(engine)
        with progress_bar("folding imports", shown=count_imported(engine) > 0) as progress:
            imported = fold_imported(engine, progress)
    held = f"holds {imported:,} events of imports" if imported else "is empty"
    echo(f"{address} {held}; the worker folds the topics from their beginning when it starts")
