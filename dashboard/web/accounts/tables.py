"""The dashboard's own tables. They hold what no topic holds, hence they are in a database apart from the catalogue,
which may be deleted and built again from the topics."""

from sqlalchemy import (
    JSON,
    URL,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from uncia.dashboard.catalogue.database import open_database, sqlite_path
from uncia.errors import UnciaError

__all__ = ["AccountsError", "open_accounts"]

SCHEMA_VERSION = 1

METADATA = MetaData()

INFO = Table("web_info", METADATA, Column("schema_version", Integer, nullable=False))

ACCOUNT = Table(
    "web_account",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("folded", String(64), nullable=False, unique=True),
    Column("password", String(256)),
    Column("role", String(16), nullable=False),
    Column("stations", JSON(none_as_null=True)),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    Column("settings", JSON(none_as_null=True)),
)
"""`folded`: the name in lower case, by which it is found. `stations`: NULL for all."""

SESSION = Table(
    "web_session",
    METADATA,
    Column("token", String(64), primary_key=True),
    Column("account_id", ForeignKey("web_account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("form_token", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("agent", String(200), nullable=False, default=""),
)
"""`token`: SHA-256 of the cookie, so that a copy of the database does not sign in."""

TOKEN = Table(
    "web_token",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("token", String(64), nullable=False, unique=True),
    Column("account_id", ForeignKey("web_account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", String(100), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float),
)
"""Tokens of the JSON API, hashed as sessions are."""

LINK = Table(
    "web_link",
    METADATA,
    Column("token", String(64), primary_key=True),
    Column("account_id", ForeignKey("web_account.id", ondelete="CASCADE")),
    Column("role", String(16)),
    Column("stations", JSON(none_as_null=True)),
    Column("expires_at", Float, nullable=False),
)
"""One-time links: with `account_id` they set a password, otherwise they create an account of this role."""

FAILURE = Table(
    "web_sign_in_failure",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("subject", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Index("web_sign_in_failure_subject_at", "subject", "at"),
)

LEASE = Table(
    "web_lease",
    METADATA,
    Column("burst_id", String(64), primary_key=True),
    Column("account_id", ForeignKey("web_account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("until", Float, nullable=False),
)
"""Which reviewer has a burst on the screen: no other account gets it before `until`."""

SAVED_VIEW = Table(
    "web_saved_view",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("web_account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("query", String(2000), nullable=False),
    UniqueConstraint("account_id", "name"),
)


class AccountsError(UnciaError):
    """The database with the accounts cannot be used."""


def open_accounts(url: URL) -> Engine:
    """Open the database and create its tables where they are missing. Raises `AccountsError`.

    A database that a newer version of Uncia wrote is refused and left as it is.
    """
    try:
        engine = _engine(url)
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Two web processes that start at once must not both create the tables.
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uncia accounts'))"))
            found = _schema_version(connection)
            if found is None:
                METADATA.create_all(connection)
                connection.execute(insert(INFO).values(schema_version=SCHEMA_VERSION))
    except (DBAPIError, OSError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error.strerror
        raise AccountsError(
            f"the database of the accounts cannot be opened ({reason}): check UNCIA_DASHBOARD_ACCOUNTS"
        ) from error
    if found is not None and found > SCHEMA_VERSION:
        engine.dispose()
        raise AccountsError(
            f"the database of the accounts has schema {found}, which a newer version of Uncia wrote (this one knows "
            f"{SCHEMA_VERSION}): install that version, or set UNCIA_DASHBOARD_ACCOUNTS to another database"
        )
    return engine


def _engine(url: URL) -> Engine:
    path = sqlite_path(url)
    if path is None:
        return open_database(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _schema_version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(INFO.name):
        return None
    return connection.scalar(select(INFO.c.schema_version))


def _set_up_sqlite(connection: object, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "busy_timeout=5000", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
