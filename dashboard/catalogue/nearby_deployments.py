"""The deployments around a camera at a time: what decides in how coarse a cell it is shown to the public."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, or_, select

from uncia.camtrap.names import canonical_camera
from uncia.camtrap.sensitivity import level_named
from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.tables import deployments
from uncia.events import DeploymentChanged

__all__ = ["NearbyDeployments", "nearby_deployments"]

_AROUND_DEGREES = 0.2
"""Cells have at most 0.1 degrees: no camera further away is in the same one."""
_ZONES = timedelta(hours=14)
"""The most by which a camera's clock is ahead of UTC or behind it."""


class NearbyDeployments:
    """Deployments of one camera and of those around it; see `uncia.camtrap.public_view.KnownDeployments`."""

    def __init__(self, found: Iterable[DeploymentChanged]) -> None:
        self._found = sorted(found, key=lambda known: (known.start, known.deployment_id), reverse=True)

    def at(self, camera: str, time: datetime) -> DeploymentChanged | None:
        """The camera's deployment at a time of its clock; of those that overlap, the one that began last."""
        name = canonical_camera(camera)
        return next((one for one in self.during(time) if canonical_camera(one.camera) == name), None)

    def during(self, time: datetime) -> Iterable[DeploymentChanged]:
        """One deployment of every camera that is deployed at a time of its clock."""
        newest: dict[str, DeploymentChanged] = {}
        for one in self._found:
            if one.covers(time):
                newest.setdefault(canonical_camera(one.camera), one)
        return newest.values()


def nearby_deployments(connection: Connection, camera: str, time: datetime) -> NearbyDeployments:
    """The deployments at a time of the camera's clock of this camera, and of those that can be in the same cell."""
    moment = time.replace(tzinfo=UTC)
    in_force = select(deployments).where(
        deployments.c.starts_at <= moment + _ZONES,
        or_(deployments.c.ends_at.is_(None), deployments.c.ends_at >= moment - _ZONES),
    )
    # Events of before canonical names spell a camera otherwise; the workers compare canonical spellings.
    known = connection.execute(in_force.with_only_columns(deployments.c.camera).distinct()).scalars()
    wanted = canonical_camera(camera)
    spellings = [name for name in known if canonical_camera(name) == wanted]
    own = connection.execute(in_force.where(deployments.c.camera.in_(spellings))).mappings().all()
    found = {(row["camera"], row["deployment_id"]): row for row in own}
    for place in own:
        latitude, longitude = place["latitude"], place["longitude"]
        west_to_east = deployments.c.longitude - longitude
        around = in_force.where(
            deployments.c.latitude.between(latitude - _AROUND_DEGREES, latitude + _AROUND_DEGREES),
            # Also across the 180th meridian.
            or_(
                west_to_east.between(-_AROUND_DEGREES, _AROUND_DEGREES),
                west_to_east > 360 - _AROUND_DEGREES,
                west_to_east < _AROUND_DEGREES - 360,
            ),
        )
        found |= {(row["camera"], row["deployment_id"]): row for row in connection.execute(around).mappings()}
    return NearbyDeployments(map(_event, found.values()))


def _event(row: Row) -> DeploymentChanged:
    return DeploymentChanged(
        deployment_id=row["deployment_id"],
        camera=row["camera"],
        start=row["starts_at"],
        end=row["ends_at"],
        utc_offset_minutes=row["utc_offset_minutes"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        coordinate_uncertainty_m=row["coordinate_uncertainty_m"],
        coordinate_sensitivity=level_named(row["sensitivity"]),
    )
