"""The filters of a list as the query of an address, which holds the whole state of the page."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

__all__ = ["ListQuery", "empty_is_none", "without_empty"]


def empty_is_none(value: Any) -> Any:
    """None for an empty text: a form sends its empty fields, too."""
    return None if value == "" else value


def without_empty(value: Any) -> Any:
    """Several values without the empty ones."""
    return tuple(one for one in value if one != "") if isinstance(value, list | tuple) else value


class ListQuery(BaseModel):
    """What a list is limited to. A subclass has a field for each filter, and `after`: where the page begins."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    path: ClassVar[str]
    """Of the list's address."""

    def address(self, path: str = "", **changes: Any) -> str:
        """An address with this query, without what has its default; `changes` replace fields by their names.

        `path`: of another page with this query, such as that of an export.
        """
        query = self.encoded(**changes)
        return f"{path or self.path}?{query}" if query else path or self.path

    def encoded(self, **changes: Any) -> str:
        """The query as text."""
        values = self.model_copy(update=changes).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return urlencode(values, doseq=True)

    @property
    def is_limited(self) -> bool:
        """Whether any filter is set."""
        return bool(self.encoded(after=None))
