"""The state of one burst as bytes."""

import zlib
from datetime import datetime

import structlog
from pydantic import BaseModel, ValidationError

from uncia.events import IndividualCandidate, IndividualSighted
from uncia.processors.faust_runtime.stored_state import pack_state, unpack_state
from uncia.processors.identify.sighting import Entry

__all__ = ["TABLE", "from_bytes", "to_bytes"]

TABLE = "sightings"
_VERSION = 1

log = structlog.get_logger("uncia")


class _Stored(BaseModel):
    """Field names are the stored format."""

    partition: int
    revision: int
    station: str
    camera: str
    started_at: datetime
    taxon: str
    due: float | None = None
    withdrawn: str | None = None
    gone: tuple[str, ...] = ()
    published: IndividualSighted | None = None
    described: tuple[str, ...] = ()
    found: tuple[IndividualCandidate, ...] = ()


def to_bytes(entry: Entry) -> bytes:
    """Encode a state: 1 to 10 KB, of which most are the matched points of the candidates."""
    stored = _Stored(
        partition=entry.partition,
        revision=entry.revision,
        station=entry.station,
        camera=entry.camera,
        started_at=entry.started_at,
        taxon=entry.taxon,
        due=entry.due,
        withdrawn=entry.withdrawn,
        gone=entry.gone,
        published=entry.published,
        described=entry.described,
        found=entry.found,
    )
    return pack_state(_VERSION, stored.model_dump_json(exclude_none=True).encode())


def from_bytes(burst_id: str, raw: bytes) -> Entry | None:
    """Decode a state. Raises `StateTooNew`; None for one that cannot be decoded: the next verdict begins anew."""
    try:
        stored = _Stored.model_validate_json(unpack_state(_VERSION, raw, f"the sighting of burst {burst_id!r}"))
    except (zlib.error, ValidationError) as error:
        log.error("sighting_state_damaged", burst_id=burst_id, error=type(error).__name__)
        return None
    return Entry(
        burst_id,
        stored.partition,
        stored.revision,
        stored.station,
        stored.camera,
        stored.started_at,
        stored.taxon,
        stored.due,
        stored.withdrawn,
        stored.gone,
        stored.published,
        stored.described,
        stored.found,
    )
