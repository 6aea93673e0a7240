"""The account that sends a request, and what it may do; pure. `uncia.access` has the table of roles and rights."""

from collections.abc import Iterable
from dataclasses import dataclass

from uncia.access import ACCOUNT_RIGHTS
from uncia.access import AccountRole as Role
from uncia.access import PageRight as Right

__all__ = ["Caller", "Right", "Role"]


@dataclass(frozen=True)
class Caller:
    """Who sends a request."""

    account_id: int
    name: str
    role: Role
    stations: tuple[str, ...] | None = None
    """The stations that this account may see; None: all."""

    def may(self, right: Right) -> bool:
        """Whether the role has the right."""
        return right in ACCOUNT_RIGHTS[self.role]

    def may_see(self, station: str) -> bool:
        """Whether this account may see a station, its cameras and its pictures."""
        return self.stations is None or station in self.stations

    def visible(self, stations: Iterable[str]) -> tuple[str, ...]:
        """Those of the stations that this account may see."""
        return tuple(station for station in stations if self.may_see(station))
