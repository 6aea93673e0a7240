"""The filters of the list of calls as the query of an address, which holds the whole state of the page."""

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from uncia.dashboard.catalogue.sounds import SoundFilter
from uncia.dashboard.web.burst_query import empty_is_none, without_empty

__all__ = ["SoundQuery"]

_Optional = BeforeValidator(empty_is_none)
_Name = Annotated[str, Field(max_length=1024)]


class SoundQuery(BaseModel):
    """What a list of calls is limited to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    camera: Annotated[tuple[_Name, ...], BeforeValidator(without_empty), Field(max_length=200)] = Field(
        default=(), description="recorder, `<station>/<camera>`; repeatable"
    )
    taxon: Annotated[_Name | None, _Optional] = Field(
        default=None, description="this taxon and everything below it, or the label of calls without a taxon"
    )
    since: Annotated[date | None, _Optional] = Field(default=None, description="first day, by the recorder's clock")
    until: Annotated[date | None, _Optional] = Field(default=None, description="last day")
    after: Annotated[Annotated[str, Field(max_length=2000)] | None, _Optional] = Field(
        default=None, description="where the page begins: `after` of the page before"
    )

    def to_filter(self) -> SoundFilter:
        """The filter of the catalogue."""
        return SoundFilter(self.camera, self.taxon, self.since, self.until)

    def address(self, **changes: Any) -> str:
        """The address of the list with this query, without what has its default; `changes` replace fields."""
        query = self.encoded(**changes)
        return f"/sounds?{query}" if query else "/sounds"

    def encoded(self, **changes: Any) -> str:
        """The query as text."""
        values = self.model_copy(update=changes).model_dump(mode="json", exclude_defaults=True)
        return urlencode(values, doseq=True)

    @property
    def is_limited(self) -> bool:
        """Whether any filter is set."""
        return bool(self.encoded(after=None))
