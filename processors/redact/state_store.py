"""The state of one burst as bytes. It links private to public ids: only this worker's changelog has it."""

import zlib

import structlog
from pydantic import BaseModel, ValidationError

from uncia.events import BurstResolved, PublicBurstResolved
from uncia.processors.faust_runtime.stored_state import pack_state, unpack_state
from uncia.processors.redact.outbox import Entry

__all__ = ["TABLE", "from_bytes", "to_bytes"]

TABLE = "published"
_VERSION = 1

log = structlog.get_logger("uncia")


class _Stored(BaseModel):
    """Field names are the stored format."""

    public_id: str
    partition: int
    burst: BurstResolved
    due: float | None = None
    published: PublicBurstResolved | None = None
    withdrawal: bool = False
    ended: bool = False
    begun: PublicBurstResolved | None = None
    renewed: bool = False


def to_bytes(entry: Entry) -> bytes:
    """Encode a state: about 500 bytes."""
    stored = _Stored(
        public_id=entry.public_id,
        partition=entry.partition,
        burst=entry.burst,
        due=entry.due,
        published=entry.published,
        withdrawal=entry.withdrawal,
        ended=entry.ended,
        begun=entry.begun,
        renewed=entry.renewed,
    )
    return pack_state(_VERSION, stored.model_dump_json(exclude_none=True).encode())


def from_bytes(burst_id: str, raw: bytes) -> Entry | None:
    """Decode a state. Raises `StateTooNew`; None for one that cannot be decoded: the burst is then not published."""
    try:
        stored = _Stored.model_validate_json(unpack_state(_VERSION, raw, f"the public state of burst {burst_id!r}"))
    except (zlib.error, ValidationError) as error:
        log.error("public_state_damaged", burst_id=burst_id, error=type(error).__name__)
        return None
    return Entry(
        stored.public_id,
        stored.partition,
        stored.burst,
        stored.due,
        stored.published,
        stored.withdrawal,
        stored.ended,
        stored.begun,
        stored.renewed,
    )
