"""One picture that a source offers, with its provenance."""

from dataclasses import dataclass

from uncia.events.values import Box
from uncia.training.harvest.licence import Licence

__all__ = ["PictureRecord"]


@dataclass(frozen=True)
class PictureRecord:
    """What a source states about one picture. All text is from outside and may contain anything."""

    source: str
    source_id: str
    """Unique in the source."""
    url: str
    """Of the file; of a local source the path below its root."""
    page_url: str = ""
    """The page for people."""
    author: str = ""
    licence_text: str = ""
    """As the source writes it; empty where it states none."""
    licence: Licence | None = None
    taken: str = ""
    """When the photograph was taken, in ISO 8601 as far as it is known."""
    title: str = ""
    description: str = ""
    """Further words, such as tags; they are searched for the names of taxa and not kept."""
    taxon: str = ""
    burst: str = ""
    """Pictures of one observation belong to one burst."""
    camera: str = ""
    """The photographer or the camera: what a split by camera keeps together."""
    box: Box | None = None
    label: str = ""
    """Of a local source alone: its own label."""
