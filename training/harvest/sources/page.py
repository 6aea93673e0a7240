"""What all sources share: a page of records, the interface, and careful reading of JSON from outside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Protocol

from uncia.polite_http.client import FetchFailed
from uncia.training.harvest.query import Query
from uncia.training.harvest.record import PictureRecord

__all__ = ["Page", "SourceApi", "document_of", "list_of", "mapping_of", "plain_text", "text_of"]

_MOST_CHARACTERS = 500


@dataclass(frozen=True)
class Page:
    """One page of results."""

    records: tuple[PictureRecord, ...]
    next_cursor: str | None
    """Of the next page; None: this is the last one."""


class SourceApi(Protocol):
    """A public API that is searched for pictures."""

    name: str
    base_url: str
    interval_s: float
    """Between two requests to the API."""
    daily_requests: int

    def page_url(self, query: Query, licences: Sequence[str], cursor: str) -> str:
        """The URL of a page; the cursor of the first one is empty."""
        ...

    def parse(self, document: Any, query: Query, cursor: str) -> Page:
        """The records of a page. Raises `FetchFailed` for a document of another form."""
        ...


def document_of(value: Any) -> Mapping[str, Any]:
    """The document as an object. Raises `FetchFailed` where it is none."""
    if not isinstance(value, dict):
        raise FetchFailed("unexpected-form", "the response is JSON of another form", temporary=False)
    return value


def list_of(value: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a list in an object; other values in it are left out."""
    found = value.get(key) if isinstance(value, dict) else None
    return iter([one for one in found if isinstance(one, dict)] if isinstance(found, list) else [])


def mapping_of(value: Any, key: str) -> Mapping[str, Any]:
    """The object below a key, empty where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def text_of(value: Mapping[str, Any], key: str) -> str:
    """The text or number below a key in one line, at most 500 characters; empty where there is none."""
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return _one_line(str(found))


def plain_text(markup: str) -> str:
    """The text of a piece of HTML in one line."""
    parser = _TextParser()
    parser.feed(markup)
    parser.close()
    return _one_line("".join(parser.parts))


def _one_line(text: str) -> str:
    # JSON may hold half of a character (`\ud83d`), which no file and no database can.
    return " ".join(text.encode("utf-8", "replace").decode().split())[:_MOST_CHARACTERS]


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
