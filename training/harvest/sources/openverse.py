"""Openverse: a text search over openly licensed pictures of many providers (`GET /v1/images/`).

Without an account it permits 20 requests a minute and 200 a day, 20 results a page, and 20 pages a search. Its terms
forbid to copy its catalogue, and to use several machines to get round the limits.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from uncia.training.harvest.licence import parse_licence
from uncia.training.harvest.query import Query
from uncia.training.harvest.record import PictureRecord
from uncia.training.harvest.sources.page import Page, document_of, list_of, text_of

__all__ = ["Openverse"]

_PER_PAGE = 20
_LAST_PAGE = 20


class Openverse:
    """Positives by name, negatives by habitat and by words."""

    name = "openverse"
    base_url = "https://api.openverse.org/v1"
    interval_s = 3.5
    daily_requests = 200

    def page_url(self, query: Query, licences: Sequence[str], cursor: str) -> str:
        """Photographs with one of the accepted licences whose text contains the phrase."""
        parameters = {
            "q": f'"{query.text.replace(chr(34), " ")}"',
            "category": "photograph",
            "license": ",".join(
                code.removeprefix("cc-") for code in licences if code.startswith("cc") or code == "pdm"
            ),
            "page_size": str(_PER_PAGE),
            "page": cursor or "1",
        }
        return f"{self.base_url}/images/?{urlencode(parameters)}"

    def parse(self, document: Any, query: Query, cursor: str) -> Page:
        """A record for each result."""
        content = document_of(document)
        results = list(list_of(content, "results"))
        page, pages = int(cursor or 1), content.get("page_count")
        more = isinstance(pages, int) and page < min(pages, _LAST_PAGE) and bool(results)
        records = tuple(record for one in results if (record := self._record(one)) is not None)
        return Page(records, str(page + 1) if more else None)

    def _record(self, result: Any) -> PictureRecord | None:
        identity, url = text_of(result, "id"), text_of(result, "url")
        if not identity or not url:
            return None
        code, version = text_of(result, "license"), text_of(result, "license_version")
        licence = f"{code} {version}".strip() if code else ""
        creator = text_of(result, "creator")
        return PictureRecord(
            source=self.name,
            source_id=identity,
            url=url,
            page_url=text_of(result, "foreign_landing_url"),
            author=creator,
            licence_text=licence,
            licence=parse_licence(licence),
            title=text_of(result, "title"),
            description=" ".join(text_of(tag, "name") for tag in list_of(result, "tags")),
            burst=f"openverse-{identity}",
            camera=f"openverse-{creator}" if creator else "",
        )
