"""Wikimedia Commons: a text search for files (MediaWiki's `generator=search` with `prop=imageinfo`).

Its API etiquette asks for one request at a time, `maxlag`, and a user agent with an address; no rate is stated. Artist
and description are HTML. A busy server answers 200 with an error object, code `maxlag` or `ratelimited`.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from uncia.polite_http.client import FetchFailed
from uncia.training.harvest.licence import parse_licence
from uncia.training.harvest.query import Query
from uncia.training.harvest.record import PictureRecord
from uncia.training.harvest.sources.page import Page, document_of, list_of, mapping_of, plain_text, text_of

__all__ = ["WikimediaCommons"]

_PER_PAGE = 50
_WIDTH = 1280
_FIELDS = "Artist|LicenseShortName|LicenseUrl|DateTimeOriginal|ImageDescription|Categories"


class WikimediaCommons:
    """Positives by name, negatives by habitat and by words."""

    name = "wikimedia-commons"
    base_url = "https://commons.wikimedia.org/w/api.php"
    interval_s = 1.0
    daily_requests = 10_000

    def page_url(self, query: Query, licences: Sequence[str], cursor: str) -> str:
        """Photographs whose page contains the text as a phrase; drawings in SVG are no bitmaps."""
        phrase = query.text.replace('"', " ")
        parameters = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "maxlag": "5",
            "generator": "search",
            "gsrnamespace": "6",
            "gsrsearch": f'filetype:bitmap "{phrase}"',
            "gsrlimit": str(_PER_PAGE),
            "prop": "imageinfo",
            "iiprop": "url|mime|extmetadata",
            "iiurlwidth": str(_WIDTH),
            "iiextmetadatafilter": _FIELDS,
        }
        if cursor:
            parameters["gsroffset"] = cursor
        return f"{self.base_url}?{urlencode(parameters)}"

    def parse(self, document: Any, query: Query, cursor: str) -> Page:
        """A record for each file that is a photograph by its type."""
        content = document_of(document)
        if error := mapping_of(content, "error"):
            busy = text_of(error, "code") in ("maxlag", "ratelimited", "readonly")
            message = f"{text_of(error, 'code')}: {text_of(error, 'info')}"[:200]
            raise FetchFailed("api-busy" if busy else "api-error", message, temporary=busy)
        pages = list_of(mapping_of(content, "query"), "pages")
        records = [record for page in pages if (record := self._record(page)) is not None]
        following = text_of(mapping_of(content, "continue"), "gsroffset")
        return Page(tuple(records), following if following and following != cursor else None)

    def _record(self, page: Mapping[str, Any]) -> PictureRecord | None:
        info = next(list_of(page, "imageinfo"), {})
        url = text_of(info, "thumburl") or text_of(info, "url")
        if not url or not text_of(info, "mime").startswith(("image/jpeg", "image/png", "image/webp", "image/tiff")):
            return None
        details = mapping_of(info, "extmetadata")

        def detail(name: str) -> str:
            value = mapping_of(details, name).get("value")
            return plain_text(value) if isinstance(value, str) else ""

        licence = detail("LicenseUrl") if parse_licence(detail("LicenseUrl")) else detail("LicenseShortName")
        identity = text_of(page, "pageid")
        return PictureRecord(
            source=self.name,
            source_id=identity or text_of(page, "title"),
            url=url,
            page_url=text_of(info, "descriptionurl"),
            author=detail("Artist"),
            licence_text=licence,
            licence=parse_licence(licence),
            taken=detail("DateTimeOriginal"),
            title=text_of(page, "title").removeprefix("File:"),
            description=f"{detail('ImageDescription')} {detail('Categories')}",
            burst=f"wikimedia-commons-{identity}",
            camera=f"wikimedia-commons-{detail('Artist')}" if detail("Artist") else "",
        )
