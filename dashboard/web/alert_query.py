"""The filters of the list of alerts as the query of an address, which holds the whole state of the page."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from uncia.dashboard.catalogue.alerts import AlertFilter
from uncia.dashboard.web.list_query import ListQuery, empty_is_none, without_empty

__all__ = ["AlertQuery"]

_Optional = BeforeValidator(empty_is_none)
_Texts = Annotated[
    tuple[Annotated[str, Field(max_length=1024)], ...], BeforeValidator(without_empty), Field(max_length=200)
]


class AlertQuery(ListQuery):
    """What a list of alerts is limited to."""

    path: ClassVar[str] = "/alerts"

    state: _Texts = Field(default=(), description="raised, updated, withdrawn; repeatable")
    severity: _Texts = Field(default=(), description="info, warning, critical; repeatable")
    rule: _Texts = Field(default=(), description="name of a rule; repeatable")
    station: _Texts = Field(default=(), description="repeatable")
    camera: _Texts = Field(default=(), description="`<station>/<camera>`; repeatable")
    since: Annotated[date | None, _Optional] = Field(default=None, description="first day on which it was raised, UTC")
    until: Annotated[date | None, _Optional] = Field(default=None, description="last day")
    acknowledged: Annotated[Literal["yes", "no"] | None, _Optional] = None
    after: Annotated[Annotated[str, Field(max_length=500)] | None, _Optional] = Field(
        default=None, description="where the page begins: `after` of the page before"
    )

    def to_filter(self) -> AlertFilter:
        """The filter of the catalogue."""
        return AlertFilter(
            states=self.state,
            severities=self.severity,
            rules=self.rule,
            stations=self.station,
            cameras=self.camera,
            since=self.since,
            until=self.until,
            acknowledged=None if self.acknowledged is None else self.acknowledged == "yes",
        )
