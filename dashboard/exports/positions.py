"""Positions as an export may show them."""

from uncia.camtrap.sensitivity import PublicPosition, Sensitivity, generalise, strictest
from uncia.dashboard.exports.records import DeploymentRecord

__all__ = ["PublicPosition", "export_position"]


def export_position(deployment: DeploymentRecord, *, exact: bool) -> PublicPosition:
    """The position, rounded as its sensitivity requires unless the caller may have it `exact`.

    Formats of tables require a position: whole degrees are given where it is withheld.
    """
    place = generalise(
        deployment.latitude,
        deployment.longitude,
        Sensitivity.NONE if exact else strictest((deployment.sensitivity, deployment.taxa_sensitivity)),
        deployment.coordinate_uncertainty_m,
        required=True,
    )
    assert place is not None  # it is required
    return place
