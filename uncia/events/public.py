"""The public tier: what may be read by anybody."""

from typing import ClassVar

from pydantic import Field

from uncia.events.base import Event, Name


class PublicBurstResolved(Event):
    """An animal was photographed, as coarsely as its sensitivity demands. Key: `public_id`; a tombstone withdraws it.

    The id is random: it follows from nothing that the team knows the burst by. A later message with the same id
    replaces an earlier one. Nothing here names a camera, a station, a photograph, a model or a time of day.
    """

    topic: ClassVar[str] = "public.burst.resolved.v1"

    public_id: Name = Field(description="random, and the same for later corrections")
    taxon: Name = Field(description="scientific name; `Animalia` where it is not known with certainty")
    label: Name = Field(description="what people call the taxon")
    rank: Name | None = Field(default=None, description="taxonomic rank; None: unknown")
    period: Name = Field(
        description="day (`2026-05-14`) or, for sensitive taxa and places, ISO week (`2026-W20`) by the camera's clock",
    )
    latitude: float | None = Field(
        default=None, ge=-90, le=90, description="degrees, WGS 84: the middle of a cell of `precision`; None: withheld"
    )
    longitude: float | None = Field(default=None, ge=-180, le=180, description="as `latitude`")
    precision: float | None = Field(default=None, description="size of the cell in degrees")
    coordinate_uncertainty_m: int | None = Field(
        default=None, description="radius in metres of a circle around the position that contains the camera"
    )
