"""Health: silence by the deployment, the settings or habit; battery, gaps in effort, and its downloads."""

import csv
import html
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from sqlalchemy import Engine, insert, update

from tests.unit.dashboard.web.conftest import SignIn
from uncia.dashboard.catalogue.rows import CameraHealth, ReportedQuantity
from uncia.dashboard.catalogue.tables import camera_status, captures, deployments
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.pages import health
from uncia.dashboard.web.pages.health import CameraState, is_battery_low, state_of
from uncia.dashboard.web.services import Services

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def camera(contact: datetime | None, since: datetime | None, until: datetime | None = None) -> CameraHealth:
    return CameraHealth(
        camera="a/b",
        station="a",
        last_contact=contact,
        last_capture=None,
        temperature_c=None,
        battery_v=None,
        make=None,
        model=None,
        serial=None,
        captures=0,
        rejected=0,
        active_days=0,
        pending=0,
        clock=None,
        clock_reasons=[],
        clock_offset_s=None,
        static_objects=[],
        deployment_id=None,
        deployed_since=since,
        deployed_until=until,
        contact_interval_s=None,
    )


@pytest.mark.parametrize(
    ("contact", "since", "until", "state"),
    [
        (NOW - 6 * HOUR, None, None, CameraState.OK),
        (NOW - 6.01 * HOUR, None, None, CameraState.SILENT),
        # It has never sent anything, and should have.
        (None, NOW - 7 * HOUR, None, CameraState.SILENT),
        (None, NOW - 5 * HOUR, None, CameraState.OK),
        (None, None, None, CameraState.OK),
        # Its last contact was in an earlier deployment.
        (NOW - 900 * HOUR, NOW - 5 * HOUR, None, CameraState.OK),
        (NOW - 900 * HOUR, NOW - 1000 * HOUR, NOW - HOUR, CameraState.ENDED),
        (NOW - 900 * HOUR, NOW - 1000 * HOUR, NOW + HOUR, CameraState.SILENT),
        (None, NOW + HOUR, None, CameraState.PLANNED),
    ],
)
def test_a_camera_is_silent_once_its_interval_has_passed(
    contact: datetime | None, since: datetime | None, until: datetime | None, state: CameraState
) -> None:
    assert state_of(camera(contact, since, until), 6 * HOUR, NOW) is state


def test_the_interval_of_the_deployment_goes_before_the_setting(
    sign_in: SignIn, services: Services, writable_catalogue: Engine
) -> None:
    now = datetime.now(UTC)
    with writable_catalogue.begin() as connection:
        connection.execute(update(captures).values(uploaded_at=now - 5 * HOUR))
        own = update(deployments).where(deployments.c.camera == "ridge/cam-1")
        connection.execute(own.values(contact_interval_s=4 * 3600.0))
    services.settings = services.settings.model_copy(update={"dashboard_silent_after_h": 6.0})
    client = sign_in()
    found = {one["camera"]: one for one in client.get("/health.json").json()["cameras"]}
    silent = found["ridge/cam-1"]
    assert (silent["state"], silent["silent_after_h"], silent["silence_source"]) == ("silent", 4, "deployment")
    other = found["ridge/cam-2"]
    assert (other["state"], other["silent_after_h"], other["silence_source"]) == ("ok", 6, "setting")
    html = client.get("/health").text
    assert html.count('<span class="tag bad">silent</span>') == 1


def test_a_battery_is_low_below_the_voltage_of_the_settings(sign_in: SignIn, services: Services) -> None:
    client = sign_in()
    before = client.get("/health.json").json()
    assert (before["low"], {one["battery_low"] for one in before["cameras"]}) == (0, {False})
    volts = sorted(one["battery_v"] for one in before["cameras"])
    services.settings = services.settings.model_copy(update={"dashboard_battery_low_v": volts[3]})
    page = client.get("/health.json").json()
    assert page["low"] == sum(one < volts[3] for one in volts)
    assert all(one["battery_low"] == (one["battery_v"] < volts[3]) for one in page["cameras"])
    assert "battery low" in client.get("/health").text


def test_what_a_camera_does_not_report_is_said(sign_in: SignIn, writable_catalogue: Engine) -> None:
    with writable_catalogue.begin() as connection:
        connection.execute(update(captures).values(battery_v=None, temperature_c=None))
    html = sign_in().get("/health").text
    # Battery, signal, temperature and card of twelve cameras.
    assert html.count("not reported") == 4 * 12


def reported(camera: str, quantity: str, at: datetime, **values: float) -> dict[str, object]:
    names = ("percent", "bars", "bars_of", "volts", "dbm", "free_mb", "total_mb", "photographs", "celsius")
    common = {"camera": camera, "quantity": quantity, "report_id": "sts-1", "reported_at": at, "profile": "generic"}
    return {**common, **dict.fromkeys(names), **values, "version": 1}


def test_what_a_camera_reported_is_shown_with_its_time(sign_in: SignIn, writable_catalogue: Engine) -> None:
    at = datetime(2026, 5, 14, 5, 16, 2, tzinfo=UTC)
    rows = [
        reported("ridge/cam-1", "battery", at, percent=12, bars=1, bars_of=4),
        reported("ridge/cam-1", "signal", at, dbm=-93),
        reported("ridge/cam-1", "card", at, percent=75, free_mb=24_576, total_mb=32_768, photographs=1204),
        reported("ridge/cam-1", "temperature", at, celsius=-4.5),
    ]
    with writable_catalogue.begin() as connection:
        connection.execute(insert(camera_status), rows)
    client = sign_in()
    page = client.get("/health.json").json()
    (camera,) = (one for one in page["cameras"] if one["camera"] == "ridge/cam-1")
    assert (page["low"], camera["battery_low"], camera["reported_battery_percent"]) == (1, True, 12)
    assert (camera["signal_dbm"], camera["card_free_percent"], camera["reported_temperature_c"]) == (-93, 75, -4.5)
    assert datetime.fromisoformat(camera["card_reported_at"]) == at
    html = " ".join(client.get("/health").text.split())
    stamp = '<span class="soft">reported 2026-05-14 05:16:02 UTC</span>'
    for shown in ("12 %, 1 of 4", "-93 dBm", "75 % free, 24.0 of 32.0 GB free, 1,204 photographs", "-4.5 °C"):
        assert f"{shown} {stamp}" in html
    (row,) = (
        one
        for one in csv.DictReader(io.StringIO(client.get("/health/cameras.csv").text))
        if one["camera"] == "ridge/cam-1"
    )
    assert (row["reported_battery_percent"], row["signal_dbm"], row["card_photographs"]) == ("12.0", "-93.0", "1204")
    assert row["battery_reported_at"] == at.isoformat()


def test_a_status_report_is_a_contact() -> None:
    one = camera(NOW - 900 * HOUR, None)
    assert state_of(one, 6 * HOUR, NOW) is CameraState.SILENT
    report = ReportedQuantity(NOW - HOUR, "generic", 80, *[None] * 8)
    assert state_of(replace(one, reported={"battery": report}), 6 * HOUR, NOW) is CameraState.OK


@pytest.mark.parametrize(
    ("volts", "percent", "low"),
    [
        ((None, None), None, False),
        ((5.9, None), None, True),
        ((None, 5.9), None, True),
        ((6.0, 6.0), 20, False),
        ((None, None), 19.9, True),
    ],
)
def test_a_battery_is_low_by_its_voltage_or_its_charge(
    volts: tuple[float | None, ...], percent: float | None, low: bool
) -> None:
    assert is_battery_low(volts, percent, least_v=6, least_percent=20) is low


def test_nights_gaps_and_days_are_of_the_period(sign_in: SignIn) -> None:
    client = sign_in(Role.OPERATOR)
    page = client.get("/health.json?days=731&gap=3").json()
    assert page["nights"] == sum(one["nights"] for one in page["cameras"]) > 0
    effort = {one["camera"]: one for one in client.get("/numbers.json").json()["effort"]}
    for one in page["cameras"]:
        assert (one["nights"], one["active_days"]) == (
            effort[one["camera"]]["nights"],
            effort[one["camera"]]["active_days"],
        )
        assert len(one["days"]) == one["active_days"]
        assert all(gap["days"] >= 3 for gap in one["gaps"])
        inside = {day["day"] for day in one["days"]}
        assert not any(gap["first"] <= day <= gap["last"] for gap in one["gaps"] for day in inside)
    assert any(one["gaps"] for one in page["cameras"])
    assert 'class="effort-gap"' in client.get("/health?days=731&gap=3").text


def test_cameras_that_need_attention_can_be_listed_alone(sign_in: SignIn) -> None:
    client = sign_in(Role.VIEWER, ["ridge", "gorge & ford"])
    page = client.get("/health.json?attention=yes&station=gorge+%26+ford").json()
    assert {one["station"] for one in page["cameras"]} == {"gorge & ford"}
    assert page["all_stations"] == ["gorge & ford", "ridge"]
    assert client.get("/health.json?station=pass").json()["cameras"] == []
    assert client.get("/health.json?station=").json()["total"] == 4
    for days in (6, 732):
        assert client.get(f"/health.json?days={days}").status_code == 422


@pytest.mark.parametrize("table", ["cameras", "effort"])
def test_health_downloads_as_csv_with_the_rights_of_the_caller(sign_in: SignIn, table: str) -> None:
    response = sign_in(Role.VIEWER, ["ridge"]).get(f"/health/{table}.csv?days=731")
    columns, *rows = csv.reader(io.StringIO(response.text))
    assert columns[0] == "camera"
    assert {row[0] for row in rows} == {"ridge/cam-1", "ridge/cam-2"}
    assert all(len(row) == len(columns) for row in rows)


def test_the_parts_of_the_page_show_every_camera_once(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CARDS", 2)
    client = sign_in()
    every = [one["camera"] for one in client.get("/health.json").json()["cameras"]]
    part, shown = client.get("/health").text, list[str]()
    while True:
        shown += re.findall(r'class="card camera" id="camera-([^"]*)"', part)
        following = re.search(r'hx-get="([^"]*)"', part)
        if following is None:
            break
        part = client.get(html.unescape(following[1]), headers={"hx-request": "true"}).text
    assert [unquote(name) for name in shown] == every
    assert len(every) > 4


def test_a_part_of_the_page_is_a_page_of_its_own_without_scripts(sign_in: SignIn) -> None:
    client = sign_in()
    page = client.get("/health?first=1").text
    assert "<title>" in page
    assert page.count('class="card camera"') == len(client.get("/health.json").json()["cameras"]) - 1
