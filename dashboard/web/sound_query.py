"""The filters of the list of calls as the query of an address, which holds the whole state of the page."""

from datetime import date
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from uncia.dashboard.catalogue.sounds import SoundFilter
from uncia.dashboard.web.list_query import ListQuery, empty_is_none, without_empty

__all__ = ["SoundQuery"]

_Optional = BeforeValidator(empty_is_none)
_Name = Annotated[str, Field(max_length=1024)]


class SoundQuery(ListQuery):
    """What a list of calls is limited to."""

    path: ClassVar[str] = "/sounds"

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
