"""A call in a sound recording as the pages and their JSON twins show it."""

from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel

from uncia.dashboard.catalogue.rows import SoundCall
from uncia.dashboard.web.strings import text
from uncia.dashboard.web.templating import percent

__all__ = ["SoundView", "sound_view"]


class SoundView(BaseModel):
    """One call."""

    call_id: str
    recording_id: str
    station: str
    camera: str
    """The recorder."""
    started_at: datetime
    """By the recorder's clock, which has no UTC offset."""
    start_s: float
    """In seconds from the start of the recording."""
    end_s: float
    category: str
    taxon: str | None
    label: str
    score: float
    confidence: float | None
    """Calibrated probability; None: there is no calibration."""
    certain: bool
    """The score reaches a calibrated threshold."""
    name: str
    """What was heard, in words; with a question mark where it is uncertain."""
    evidence: str
    """How sure it is, in words: a percentage only where it is a calibrated probability."""
    spectrogram: str | None
    """Address of the spectrogram; None: withheld, because a person was heard."""
    href: str


def sound_view(row: SoundCall) -> SoundView:
    """The view of a row."""
    identifier = quote(row.call_id, safe="")
    return SoundView(
        call_id=row.call_id,
        recording_id=row.recording_id,
        station=row.station,
        camera=row.camera,
        started_at=row.started_at,
        start_s=row.start_s,
        end_s=row.end_s,
        category=row.category,
        taxon=row.taxon,
        label=row.label,
        score=row.score,
        confidence=row.confidence,
        certain=row.certain,
        name=row.label if row.certain else text("verdict.uncertain", name=row.label),
        evidence=text("evidence.score", score=f"{row.score:.2f}")
        if row.confidence is None
        else percent(row.confidence),
        spectrogram=f"/pictures/spectrograms/{identifier}.png" if row.spectrogram else None,
        href=f"/sounds/{identifier}",
    )
