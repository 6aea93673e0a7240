"""iNaturalist: observations of a taxon with licensed photographs (`GET /v1/observations`).

Its terms ask for at most 60 requests a minute and 10,000 a day, and for photographs of at most 5 GB an hour: one of
1,024 pixels a second is a fifth of that. Pages follow by `id_above`, which has no end; `page`
ends after 10,000 results.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from uncia.training.harvest.licence import parse_licence
from uncia.training.harvest.query import Query
from uncia.training.harvest.record import PictureRecord
from uncia.training.harvest.sources.page import Page, document_of, list_of, mapping_of, text_of

__all__ = ["INaturalist"]

_PER_PAGE = 200
_CODES = ("cc0", "cc-by", "cc-by-nc", "cc-by-sa", "cc-by-nd", "cc-by-nc-sa", "cc-by-nc-nd")


class INaturalist:
    """Positives by taxon name; iNaturalist resolves synonyms itself."""

    name = "inaturalist"
    base_url = "https://api.inaturalist.org/v1"
    interval_s = 1.1
    daily_requests = 10_000

    def page_url(self, query: Query, licences: Sequence[str], cursor: str) -> str:
        """Observations of research grade in the order of their ids."""
        parameters = {
            "taxon_name": query.text,
            "photos": "true",
            "quality_grade": "research",
            "photo_license": ",".join(code for code in _CODES if code in licences) or "none",
            "order_by": "id",
            "order": "asc",
            "per_page": str(_PER_PAGE),
        }
        if cursor:
            parameters["id_above"] = cursor
        return f"{self.base_url}/observations?{urlencode(parameters)}"

    def parse(self, document: Any, query: Query, cursor: str) -> Page:
        """A record for each photograph; those of one observation are one burst."""
        observations = list(list_of(document_of(document), "results"))
        records = [record for one in observations for record in self._photos(one)]
        ids = [identity for one in observations if isinstance(identity := one.get("id"), int)]
        last = str(max(ids)) if ids and len(observations) >= _PER_PAGE else None
        return Page(tuple(records), None if last == cursor else last)

    def _photos(self, observation: Any) -> list[PictureRecord]:
        user, identity = mapping_of(observation, "user"), text_of(observation, "id")
        author = text_of(user, "name") or text_of(user, "login")
        records = []
        for photo in list_of(observation, "photos"):
            licence, url = text_of(photo, "license_code"), text_of(photo, "url")
            if not url or not text_of(photo, "id"):
                continue
            records.append(
                PictureRecord(
                    source=self.name,
                    source_id=text_of(photo, "id"),
                    # The API names the smallest size; `large` has at most 1,024 pixels on its longer side.
                    url=url.replace("/square.", "/large."),
                    page_url=text_of(observation, "uri"),
                    author=author or text_of(photo, "attribution"),
                    licence_text=licence,
                    licence=parse_licence(licence),
                    taken=text_of(observation, "time_observed_at") or text_of(observation, "observed_on"),
                    taxon=text_of(mapping_of(observation, "taxon"), "name"),
                    burst=f"inaturalist-{identity}" if identity else "",
                    camera=f"inaturalist-{text_of(user, 'login')}" if text_of(user, "login") else "",
                )
            )
        return records
