"""Positions as an export may show them."""

import math
from dataclasses import dataclass

from uncia.dashboard.exports.records import DeploymentRecord

__all__ = ["PublicPosition", "public_position"]

_DECIMALS = {"none": None, "low": 2, "medium": 1, "high": 0}
"""Decimals by sensitivity. Formats that require a position get whole degrees where it is withheld."""

_METRES_PER_DEGREE = 111_700
"""Of latitude, at the poles, where it is longest."""


@dataclass(frozen=True, slots=True)
class PublicPosition:
    """A position, rounded where necessary."""

    latitude: float
    longitude: float
    uncertainty_m: int | None
    """Radius in metres of a circle that contains the camera; None: unknown."""
    precision: float | None
    """Degrees to which it was rounded; None: it is exact."""


def public_position(deployment: DeploymentRecord, *, exact: bool) -> PublicPosition:
    """The position, rounded as its sensitivity requires unless the caller may have it `exact`.

    The uncertainty grows by half the diagonal of the cell to which the position was rounded, so that the circle
    contains the camera in any case.
    """
    own = deployment.coordinate_uncertainty_m
    decimals = None if exact else _DECIMALS.get(deployment.sensitivity, 0)
    if decimals is None:
        return PublicPosition(
            deployment.latitude, deployment.longitude, None if own is None else max(1, math.ceil(own)), None
        )
    precision = 10.0**-decimals
    half_diagonal = math.hypot(precision / 2, precision / 2) * _METRES_PER_DEGREE
    return PublicPosition(
        round(deployment.latitude, decimals) + 0.0,
        round(deployment.longitude, decimals) + 0.0,
        math.ceil(half_diagonal + (own or 0)),
        precision,
    )
