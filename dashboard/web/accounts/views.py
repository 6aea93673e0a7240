"""Saved views: filters of Browse under a name."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Engine, delete, insert, select

from uncia.dashboard.web.accounts.tables import SAVED_VIEW

__all__ = ["SavedView", "ViewStore"]

_MOST = 100


@dataclass(frozen=True)
class SavedView:
    """Filters under a name."""

    id: int
    name: str
    query: str
    """The query of the address."""


class ViewStore:
    """The saved views of all accounts. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self, account_id: int) -> list[SavedView]:
        """The views of an account, by name."""
        statement = select(SAVED_VIEW).where(SAVED_VIEW.c.account_id == account_id).order_by(SAVED_VIEW.c.name)
        with self._engine.connect() as connection:
            return [SavedView(row.id, row.name, row.query) for row in connection.execute(statement.limit(_MOST))]

    def save(self, account_id: int, name: str, query: str) -> None:
        """Save a view; one of the same name is replaced. An empty name saves nothing."""
        # Parsed and written again: what is stored is a query and nothing else.
        query = urlencode([pair for pair in parse_qsl(query[:2000]) if pair[0] != "after"])
        if not (name := name[:100]):
            return
        with self._engine.begin() as connection:
            own = (SAVED_VIEW.c.account_id == account_id, SAVED_VIEW.c.name == name)
            connection.execute(delete(SAVED_VIEW).where(*own))
            connection.execute(insert(SAVED_VIEW).values(account_id=account_id, name=name, query=query[:2000]))

    def delete(self, account_id: int, view_id: int) -> None:
        """Delete a view of this account."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(SAVED_VIEW).where(SAVED_VIEW.c.account_id == account_id, SAVED_VIEW.c.id == view_id)
            )
