"""Roles, and what each may do; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Caller", "Right", "Role"]


class Role(StrEnum):
    """Roles of accounts; each may do what the ones before it may."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Right(StrEnum):
    """What a page or an action requires."""

    VIEW = "view"
    REVIEW = "review"
    """Decide on bursts, and request explanations."""
    OPERATE = "operate"
    """See workers, lags and dead letters; retry and drop these."""
    ADMINISTER = "administer"
    """Manage accounts."""
    EXACT_POSITIONS = "exact-positions"
    """See where a camera is to the metre."""


_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.VIEW}),
    Role.REVIEWER: frozenset({Right.VIEW, Right.REVIEW}),
    Role.OPERATOR: frozenset({Right.VIEW, Right.REVIEW, Right.OPERATE, Right.EXACT_POSITIONS}),
    Role.ADMIN: frozenset(Right),
}


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
        return right in _RIGHTS[self.role]

    def may_see(self, station: str) -> bool:
        """Whether this account may see a station, its cameras and its pictures."""
        return self.stations is None or station in self.stations

    def visible(self, stations: Iterable[str]) -> tuple[str, ...]:
        """Those of the stations that this account may see."""
        return tuple(station for station in stations if self.may_see(station))
