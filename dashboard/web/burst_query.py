"""The filters of Browse as the query of an address, so that an address holds the whole state of the page."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qsl

from pydantic import BeforeValidator, Field

from uncia.dashboard.catalogue.filters import BurstFilter, BurstOrder, Hours
from uncia.dashboard.web.list_query import ListQuery, empty_is_none, without_empty

__all__ = ["BurstQuery"]

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"


_REPEATED = frozenset({"category", "station", "camera", "status", "flag"})


_Optional = BeforeValidator(empty_is_none)
_Text = Annotated[Annotated[str, Field(max_length=300)] | None, _Optional]
_Texts = Annotated[
    tuple[Annotated[str, Field(max_length=1024)], ...], BeforeValidator(without_empty), Field(max_length=200)
]
_Share = Annotated[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None, _Optional]
_Clock = Annotated[Annotated[str, Field(pattern=_CLOCK)] | None, _Optional]


class BurstQuery(ListQuery):
    """What a list of bursts is limited to, and its order."""

    path: ClassVar[str] = "/browse"

    taxon: _Text = Field(default=None, description="scientific name, with all below it; `-`: bursts without one")
    category: _Texts = Field(default=(), description="animal, person, vehicle, blank; repeatable")
    station: _Texts = Field(default=(), description="repeatable")
    camera: _Texts = Field(default=(), description="`<station>/<camera>`; repeatable")
    since: Annotated[date | None, _Optional] = Field(default=None, description="first day, by the cameras' clocks")
    until: Annotated[date | None, _Optional] = Field(default=None, description="last day")
    hours_from: _Clock = Field(default=None, alias="from", description="time of day, HH:MM")
    hours_to: _Clock = Field(default=None, alias="to", description="time of day; before `from`: of the next day")
    confidence_min: _Share = None
    confidence_max: _Share = None
    status: _Texts = Field(default=(), description="provisional, final, revised, superseded; repeatable")
    model: _Text = Field(
        default=None, description="what the models call it, whatever a review says: a taxon alone, or a category"
    )
    called: _Text = Field(
        default=None, description="what it is called after reviews: a taxon alone, or a category; `-`: neither"
    )
    reviewed: Annotated[Literal["yes", "no"] | None, _Optional] = None
    reviewer: _Text = None
    flag: _Texts = Field(default=(), description="flag or mark; a burst must have all")
    order: BurstOrder = BurstOrder.NEWEST
    after: Annotated[Annotated[str, Field(max_length=500)] | None, _Optional] = Field(
        default=None, description="where the page begins: `after` of the page before"
    )

    def to_filter(self) -> BurstFilter:
        """The filter of the catalogue."""
        hours = None
        if self.hours_from is not None or self.hours_to is not None:
            hours = Hours(_minutes(self.hours_from or "00:00") % 1440, _minutes(self.hours_to or "24:00"))
        return BurstFilter(
            taxon=self.taxon,
            model_verdict=self.model,
            verdict=self.called,
            categories=self.category,
            stations=self.station,
            cameras=self.camera,
            since=self.since,
            until=self.until,
            hours=hours,
            confidence_min=self.confidence_min,
            confidence_max=self.confidence_max,
            statuses=self.status,
            reviewed=None if self.reviewed is None else self.reviewed == "yes",
            reviewer=self.reviewer,
            flags=self.flag,
        )

    @classmethod
    def parse(cls, query: str) -> "BurstQuery":
        """Parse a query as text. Raises `ValidationError`."""
        values: dict[str, Any] = {}
        for name, value in parse_qsl(query, max_num_fields=500):
            if name in _REPEATED:
                values.setdefault(name, []).append(value)
            else:
                values[name] = value
        return cls.model_validate(values)

    @property
    def is_limited(self) -> bool:
        """Whether any filter is set."""
        return bool(self.encoded(after=None, order=BurstOrder.NEWEST))


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
