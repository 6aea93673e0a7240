"""GBIF: occurrences of a taxon with still images (`GET /v1/occurrence/search`), from thousands of publishers.

The licence of a picture is that of its media record: the licence of the occurrence is that of the data. GBIF states no
rate; one request a second is what its own clients do. Its search ends at 100,000 results.
"""

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from uncia.training.harvest.licence import parse_licence
from uncia.training.harvest.query import Query
from uncia.training.harvest.record import PictureRecord
from uncia.training.harvest.sources.page import Page, document_of, list_of, text_of

__all__ = ["Gbif"]

_PER_PAGE = 300
_LAST_OFFSET = 100_000


class Gbif:
    """Positives by the key of a taxon, which includes its synonyms and everything below it."""

    name = "gbif"
    base_url = "https://api.gbif.org/v1"
    interval_s = 1.0
    daily_requests = 10_000

    def page_url(self, query: Query, licences: Sequence[str], cursor: str) -> str:
        """Occurrences with pictures, of living animals; a museum's specimens look otherwise."""
        parameters = [
            ("taxonKey", str(query.gbif_key)),
            ("mediaType", "StillImage"),
            ("basisOfRecord", "HUMAN_OBSERVATION"),
            ("basisOfRecord", "MACHINE_OBSERVATION"),
            ("limit", str(_PER_PAGE)),
            ("offset", cursor or "0"),
        ]
        return f"{self.base_url}/occurrence/search?{urlencode(parameters)}"

    def parse(self, document: Any, query: Query, cursor: str) -> Page:
        """A record for each picture; those of one occurrence are one burst."""
        content = document_of(document)
        occurrences = list(list_of(content, "results"))
        records = [record for one in occurrences for record in self._media(one)]
        offset = int(cursor or 0) + _PER_PAGE
        ended = content.get("endOfRecords") is not False or not occurrences or offset + _PER_PAGE > _LAST_OFFSET
        return Page(tuple(records), None if ended else str(offset))

    def _media(self, occurrence: Any) -> list[PictureRecord]:
        key = text_of(occurrence, "key")
        records = []
        for medium in list_of(occurrence, "media"):
            url, licence = text_of(medium, "identifier"), text_of(medium, "license")
            if text_of(medium, "type") != "StillImage" or not url or not key:
                continue
            author = next(
                (text for name in ("creator", "rightsHolder", "publisher") if (text := text_of(medium, name))), ""
            )
            # An occurrence may list its pictures in another order tomorrow.
            digest = hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:12]
            records.append(
                PictureRecord(
                    source=self.name,
                    source_id=f"{key}-{digest}",
                    url=url,
                    page_url=f"https://www.gbif.org/occurrence/{key}",
                    author=author or text_of(occurrence, "recordedBy"),
                    licence_text=licence,
                    licence=parse_licence(licence),
                    taken=text_of(medium, "created") or text_of(occurrence, "eventDate"),
                    title=text_of(medium, "title"),
                    taxon=text_of(occurrence, "acceptedScientificName") or text_of(occurrence, "scientificName"),
                    burst=f"gbif-{key}",
                    camera=f"gbif-{text_of(occurrence, 'recordedBy')}" if text_of(occurrence, "recordedBy") else "",
                )
            )
        return records
