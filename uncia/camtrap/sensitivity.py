"""Positions as precisely as their sensitivity allows: the one function for pages, exports, alerts and topics.

A position is rounded to the nearest point of a grid of 0.001, 0.01 or 0.1 degrees, or withheld (Chapman, "Current Best
Practices for Generalizing Sensitive Species Occurrence Data", GBIF, 2020). The result depends on the cell of the grid
alone: all positions of a cell give the same numbers, so that nothing closer than the cell can be derived from them, not
even from many of them. A random offset, which averages out over repeated publications, is not used.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from uncia.events import DeploymentChanged, FormerSensitivity, Sensitivity, strictest

__all__ = [
    "PublicPosition",
    "Sensitivity",
    "cell_degrees",
    "generalise",
    "level_named",
    "public_position",
    "strictest",
]

_CELL = {Sensitivity.LOW: 1_000, Sensitivity.MEDIUM: 100, Sensitivity.HIGH: 10}
"""Cells per degree: whole numbers, so that rounding by division is exact to the last digit."""

_METRES_PER_DEGREE = 111_700
"""Of latitude, at the poles, where it is longest. A degree of longitude is shorter everywhere."""


@dataclass(frozen=True, slots=True)
class PublicPosition:
    """A position, rounded where necessary."""

    latitude: float
    longitude: float
    uncertainty_m: int | None
    """Radius in metres of a circle that contains the camera; None: unknown."""
    precision: float | None
    """Degrees to which it was rounded; None: it is exact."""


def level_named(name: str | None) -> Sensitivity:
    """The level of a stored word. No word, or an unknown one, is the most secret level."""
    try:
        return Sensitivity(name or "")
    except ValueError:
        return Sensitivity.EXTREME


def former_level_named(name: str | None) -> Sensitivity:
    """The level of a word of the former scale. No word, or an unknown one, is the most secret level."""
    try:
        return FormerSensitivity(name or "").level
    except ValueError:
        return Sensitivity.EXTREME


def cell_degrees(level: Sensitivity) -> float | None:
    """Degrees to which a level rounds; None where it does not round: exact, or withheld."""
    return 1 / _CELL[level] if level in _CELL else None


def generalise(
    latitude: float,
    longitude: float,
    level: Sensitivity,
    own_uncertainty_m: float | None = None,
    *,
    required: bool = False,
) -> PublicPosition | None:
    """A position in degrees (WGS 84), as a level allows; None where it is withheld.

    `own_uncertainty_m`: radius around the true position that is known already. The uncertainty of the result is that
    plus half the diagonal of the cell, so that the circle contains the camera in any case. `required`: for formats that
    cannot do without a position; whole degrees are given where it should be withheld.
    """
    if level is Sensitivity.NONE:
        own = None if own_uncertainty_m is None else max(1, math.ceil(own_uncertainty_m))
        return PublicPosition(latitude, longitude, own, None)
    cells = _CELL.get(level)
    if cells is None:
        if not required:
            return None
        cells = 1
    half_diagonal = math.hypot(0.5, 0.5) / cells * _METRES_PER_DEGREE
    east = round(longitude * cells)
    if east == 180 * cells:
        # 180 degrees east and west are one meridian: the two spellings would tell its sides apart.
        east = -east
    return PublicPosition(
        round(latitude * cells) / cells,
        east / cells,
        math.ceil(half_diagonal + (own_uncertainty_m or 0)),
        1 / cells,
    )


def public_position(
    deployment: DeploymentChanged, taxa: Iterable[Sensitivity] = (), *, exact: bool = False
) -> PublicPosition | None:
    """The position of a deployment outside the team, shown with taxa of these levels; None where it is withheld.

    `exact`: for those who may have the exact position.
    """
    level = Sensitivity.NONE if exact else strictest((deployment.level, *taxa))
    return generalise(deployment.latitude, deployment.longitude, level, deployment.coordinate_uncertainty_m)
