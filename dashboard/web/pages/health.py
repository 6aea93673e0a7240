"""Health: which cameras are silent, hot, wrong about the time, low on battery, or send unreadable files."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from uncia.dashboard.catalogue.camera_effort import ActiveDay, CameraActivity
from uncia.dashboard.catalogue.effort import (
    EffortGap,
    SilenceLimit,
    SilenceSource,
    Span,
    effort_gaps,
    nights_within,
    silence_limit,
)
from uncia.dashboard.catalogue.rows import CameraHealth
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.context import Context, Viewing, wants_json
from uncia.dashboard.web.effort_plot import EffortRow, Period, clip, day_bars, spark_line
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.pages.numbers import csv_response

router = APIRouter(tags=["health"])

PERIODS = (30, 90, 365)
CARDS = 48
"""Cameras of one part of the page; the next part is loaded when one scrolls there."""

Days = Annotated[int, Query(ge=7, le=731, description="number of days that are looked at, up to today")]
Gap = Annotated[int, Query(ge=1, le=365, description="days without a photograph that count as a gap in effort")]
Stations = Annotated[tuple[str, ...], Query(description="repeatable")]
First = Annotated[int, Query(ge=0, description="cameras that the page leaves out at the beginning of its list")]
Attention = Annotated[bool, Query(description="only cameras that need attention")]


class CameraState(StrEnum):
    """Whether a camera sends what its deployment lets one expect."""

    OK = "ok"
    SILENT = "silent"
    PLANNED = "planned"
    """Its deployment has not begun."""
    ENDED = "ended"
    """Its last deployment has ended."""


class GapView(BaseModel):
    """Days without a photograph while the camera was deployed."""

    first: date
    last: date
    days: int


class CameraView(BaseModel):
    """The condition of a camera."""

    camera: str
    station: str
    state: CameraState
    silent: bool
    """Nothing has arrived for longer than `silent_after_h`, and it is deployed, or has no deployment."""
    silent_after_h: float
    silence_source: SilenceSource
    usual_interval_days: float | None
    """Median of the days between two days with a contact."""
    last_contact: datetime | None
    last_capture: datetime | None
    temperature_c: float | None
    battery_v: float | None
    """As the last photograph states it; None: not reported, as of cameras other than Reconyx."""
    battery_low: bool
    """By the voltage in photographs or reports, or by the charge that the camera reports; see the settings."""
    last_report: datetime | None
    """When the last status report of a cellular camera was received; what it states follows, None: not reported."""
    reported_battery_percent: float | None
    reported_battery_v: float | None
    reported_battery_bars: int | None
    reported_battery_bars_of: int | None
    battery_reported_at: datetime | None
    signal_percent: float | None
    signal_dbm: float | None
    signal_bars: int | None
    signal_bars_of: int | None
    signal_reported_at: datetime | None
    card_free_percent: float | None
    card_free_mb: float | None
    card_total_mb: float | None
    card_photographs: int | None
    """Photographs, as the camera counts them."""
    card_reported_at: datetime | None
    reported_temperature_c: float | None
    temperature_reported_at: datetime | None
    model: str
    serial: str | None
    captures: int
    rejected: int
    pending: int
    clock: str | None
    clock_reasons: list[str]
    clock_offset_s: float | None
    static_objects: int
    deployment_id: str | None
    deployed_since: datetime | None
    deployed_until: datetime | None
    nights: int
    """Trap nights in the period."""
    active_days: int
    gaps: list[GapView]
    days: list[ActiveDay] = Field(description="days with photographs")

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look after it."""
        return self.silent or self.battery_low or self.doubtful_clock

    @property
    def doubtful_clock(self) -> bool:
        """Whether its times may be wrong."""
        return self.clock in ("wrong", "suspicious")


class Trend(NamedTuple):
    """A value over some days."""

    low: float
    high: float
    path: str
    """Its line."""


class HealthPage(BaseModel):
    """All cameras, those first that need attention."""

    days: int
    """The counts are of this many days, up to `until`."""
    gap: int
    station: tuple[str, ...]
    attention: bool
    since: date
    until: date
    total: int
    """Cameras of these stations, whether they need attention or not."""
    silent: int
    low: int
    """Cameras with a low battery."""
    doubtful: int
    """Cameras with a wrong or suspicious clock."""
    nights: int
    all_stations: list[str]
    """Those that the caller may see."""
    cameras: list[CameraView]
    first: int = Field(default=0, exclude=True)
    """The page shows the cameras from this one on; the JSON has all."""
    spans: dict[str, list[Span]] = Field(exclude=True)
    """When each camera was deployed, within the days."""
    active: dict[str, list[date]] = Field(exclude=True)
    """Its days with photographs. A page has `days` of the cameras that it shows alone, the JSON of all."""

    def encoded(self) -> str:
        """The query of this page."""
        values = {"days": self.days, "gap": self.gap, "station": self.station}
        return urlencode({**values, "attention": "yes"} if self.attention else values, doseq=True)

    def shown(self) -> list[CameraView]:
        """The cameras of this part of the page."""
        return self.cameras[self.first : self.first + CARDS]

    def following(self) -> int | None:
        """Where the next part begins; None: this is the last."""
        return self.first + CARDS if self.first + CARDS < len(self.cameras) else None

    def period(self, width: float) -> Period:
        """The days, to be drawn in a width."""
        return Period(self.since, self.until, width)

    def rows(self, width: float) -> list[EffortRow]:
        """The plot of effort."""
        period = self.period(width)
        return [
            EffortRow.of(
                one.camera,
                self.spans[one.camera],
                self.active[one.camera],
                [EffortGap(each.first, each.last) for each in one.gaps],
                period,
            )
            for one in sorted(self.cameras, key=lambda view: view.camera)
        ]

    def periods(self) -> list[int]:
        """The numbers of days to choose from."""
        return sorted({*PERIODS, self.days})

    def bars(self, camera: CameraView, width: float, height: float) -> str:
        """Photographs by day."""
        return day_bars({one.day: one.captures for one in camera.days}, self.period(width), height)

    def trend(self, camera: CameraView, name: str, width: float, height: float) -> Trend | None:
        """A value over the days; None where it is known of fewer than two."""
        values = [(one.day, value) for one in camera.days if (value := getattr(one, name)) is not None]
        if len(values) < 2:
            return None
        numbers = [value for _, value in values]
        return Trend(min(numbers), max(numbers), spark_line(values, self.period(width), height))


@page(router, "/health", "health.html.j2", fragment="health_cards.html.j2")
def show_health(
    context: Viewing,
    days: Days = 30,
    gap: Gap = 7,
    station: Stations = (),
    attention: Attention = False,
    first: First = 0,
) -> HealthPage:
    """The condition of every camera that the caller may see."""
    page = _health(context, days, gap, station, attention).model_copy(update={"first": first})
    _fill_days(context, page, page.cameras if wants_json(context.request) else page.shown())
    return page


@router.get("/health/cameras.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def download_cameras(
    context: Viewing, days: Days = 30, gap: Gap = 7, station: Stations = (), attention: Attention = False
) -> Response:
    """The cameras as CSV."""
    columns = [name for name in CameraView.model_fields if name != "days"]
    rows = (
        [_cell(getattr(camera, name)) for name in columns]
        for camera in _health(context, days, gap, station, attention).cameras
    )
    return csv_response("uncia-cameras", columns, rows)


@router.get("/health/effort.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def download_effort(
    context: Viewing, days: Days = 30, gap: Gap = 7, station: Stations = (), attention: Attention = False
) -> Response:
    """The days with photographs of each camera as CSV."""
    columns = [field.name for field in fields(ActiveDay)]
    page = _health(context, days, gap, station, attention)
    _fill_days(context, page, page.cameras)
    rows = (
        [camera.camera, *(getattr(one, name) for name in columns)] for camera in page.cameras for one in camera.days
    )
    return csv_response("uncia-camera-days", ["camera", *columns], rows)


def _fill_days(context: Context, page: HealthPage, wanted: list[CameraView]) -> None:
    """Read what these cameras captured on each day."""
    some = None if len(wanted) == page.total and not page.station else [one.camera for one in wanted]
    days = context.services.numbers.active_days(page.since, page.until, some, context.caller.stations)
    for one in wanted:
        one.days = days[one.camera]


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return "; ".join(f"{one.first}/{one.last}" if isinstance(one, GapView) else str(one) for one in value)
    return value


def _health(context: Context, days: int, gap: int, station: tuple[str, ...], attention: bool) -> HealthPage:
    services, stations = context.services, context.caller.stations
    # A form sends its empty choice, too.
    station = tuple(filter(None, station))
    now = datetime.now(UTC)
    until = now.date()
    since = until - timedelta(days=days - 1)
    every = services.catalogue.camera_health(days, until, stations)
    known = [one for one in every if not station or one.station in station]
    activity = services.numbers.activity(since, until, stations)
    settings = services.settings
    views, spans_of, active_of = [], {}, {}
    for one in known:
        own = activity.get(one.camera) or CameraActivity()
        limit = silence_limit(one.contact_interval_s, settings.dashboard_silent_after_h, own.contacts)
        spans = clip(own.spans, since, until)
        view = _view(one, own, limit, now, spans, (since, until, gap))
        view.battery_low = is_battery_low(
            (view.battery_v, view.reported_battery_v),
            view.reported_battery_percent,
            least_v=settings.dashboard_battery_low_v,
            least_percent=settings.dashboard_battery_low_percent,
        )
        if view.serial and not context.caller.may(Right.EXACT_POSITIONS):
            view.serial = services.serial_pseudonym(view.serial)
        views.append(view)
        spans_of[one.camera], active_of[one.camera] = spans, own.days
    chosen = sorted(
        (view for view in views if view.needs_attention or not attention),
        key=lambda view: (not view.silent, not view.battery_low, not view.doubtful_clock, view.camera),
    )
    return HealthPage(
        days=days,
        gap=gap,
        station=station,
        attention=attention,
        since=since,
        until=until,
        total=len(views),
        silent=sum(view.silent for view in views),
        low=sum(view.battery_low for view in views),
        doubtful=sum(view.doubtful_clock for view in views),
        nights=sum(view.nights for view in views),
        all_stations=sorted({one.station for one in every}),
        cameras=chosen,
        spans=spans_of,
        active=active_of,
    )


def is_battery_low(
    volts: tuple[float | None, ...], percent: float | None, *, least_v: float, least_percent: float
) -> bool:
    """Whether one of the voltages, or the charge, is known and below its limit."""
    return any(one is not None and one < least_v for one in volts) or (percent is not None and percent < least_percent)


def state_of(health: CameraHealth, limit: timedelta, now: datetime) -> CameraState:
    """Whether a camera is silent: measured from its last contact, or from the start of its deployment if that is later.

    A camera that is deployed and has never sent anything becomes silent, too.
    """
    if health.deployed_since is not None and health.deployed_since > now:
        return CameraState.PLANNED
    if health.deployed_until is not None and health.deployed_until <= now:
        return CameraState.ENDED
    # A camera that sees no animals sends its daily report all the same.
    contacts = (health.last_contact, health.last_report, health.deployed_since)
    since = max((at for at in contacts if at is not None), default=now)
    return CameraState.SILENT if now - since > limit else CameraState.OK


def _view(
    health: CameraHealth,
    own: CameraActivity,
    limit: SilenceLimit,
    now: datetime,
    spans: list[Span],
    within: tuple[date, date, int],
) -> CameraView:
    """`spans` are those of `own` within the days."""
    since, until, least = within
    state = state_of(health, limit.after, now)
    battery, signal, card, temperature = (
        health.reported.get(name) for name in ("battery", "signal", "card", "temperature")
    )
    return CameraView(
        camera=health.camera,
        station=health.station,
        state=state,
        silent=state is CameraState.SILENT,
        silent_after_h=round(limit.after.total_seconds() / 3600, 2),
        silence_source=limit.source,
        usual_interval_days=limit.usual_days,
        last_contact=health.last_contact,
        last_capture=health.last_capture,
        temperature_c=health.temperature_c,
        battery_v=health.battery_v,
        battery_low=False,
        last_report=health.last_report,
        reported_battery_percent=battery and battery.percent,
        reported_battery_v=battery and battery.volts,
        reported_battery_bars=battery and battery.bars,
        reported_battery_bars_of=battery and battery.bars_of,
        battery_reported_at=battery and battery.reported_at,
        signal_percent=signal and signal.percent,
        signal_dbm=signal and signal.dbm,
        signal_bars=signal and signal.bars,
        signal_bars_of=signal and signal.bars_of,
        signal_reported_at=signal and signal.reported_at,
        card_free_percent=card and card.percent,
        card_free_mb=card and card.free_mb,
        card_total_mb=card and card.total_mb,
        card_photographs=card and card.photographs,
        card_reported_at=card and card.reported_at,
        reported_temperature_c=temperature and temperature.celsius,
        temperature_reported_at=temperature and temperature.reported_at,
        model=" ".join(filter(None, (health.make, health.model))),
        serial=health.serial,
        captures=health.captures,
        rejected=health.rejected,
        pending=health.pending,
        clock=health.clock,
        clock_reasons=[str(one.get("text", one.get("code", ""))) for one in health.clock_reasons],
        clock_offset_s=health.clock_offset_s,
        static_objects=len(health.static_objects),
        deployment_id=health.deployment_id,
        deployed_since=health.deployed_since,
        deployed_until=health.deployed_until,
        nights=nights_within(own.spans, since, until),
        active_days=len(own.days),
        gaps=[GapView(first=one.first, last=one.last, days=one.days) for one in effort_gaps(spans, own.days, least)],
        days=[],
    )
