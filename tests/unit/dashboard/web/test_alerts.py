"""Alerts: who sees which, what an acknowledgement and a mute publish, and what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.unit.dashboard.web.alert_data import alert_of, fold_events, silence_of
from tests.unit.dashboard.web.conftest import FakePublisher, SignIn, form_token
from uncia.dashboard.catalogue.alerts import AlertFilter
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.alert_handling import mute_event
from uncia.dashboard.web.publisher import Decided
from uncia.dashboard.web.services import Services
from uncia.errors import DependencyDown
from uncia.events import AlertAction, AlertHandled, AlertRaised, AlertState


class Folding(FakePublisher):
    """Folds what is published into the catalogue, as Kafka and the worker do."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def publish(self, *events: Decided) -> None:
        super().publish(*events)
        fold_events(self._engine, *events)

    @property
    def handled(self) -> list[AlertHandled]:
        return [event for event in self.events if isinstance(event, AlertHandled)]


@pytest.fixture
def folding(services: Services, writable_catalogue: Engine) -> Iterator[Folding]:
    services.publisher = folding = Folding(writable_catalogue)
    yield folding


@pytest.fixture
def animals(services: Services) -> tuple[BurstRow, ...]:
    return services.catalogue.bursts(BurstFilter(categories=("animal",))).rows


@pytest.fixture
def alert(animals: tuple[BurstRow, ...], writable_catalogue: Engine) -> AlertRaised:
    alert = alert_of(animals[0])
    fold_events(writable_catalogue, alert)
    return alert


def form(client: TestClient, shown: AlertRaised, /, **values: object) -> dict[str, str]:
    """A form of the page that shows an alert, filled in."""
    sent = {name: str(value) for name, value in values.items()}
    return {"form_token": form_token(client.get("/account").text), "revision": str(shown.revision), **sent}


def test_a_list_is_filtered_by_the_address_and_goes_on(
    sign_in: SignIn, alert: AlertRaised, writable_catalogue: Engine, services: Services
) -> None:
    fold_events(writable_catalogue, silence_of("ridge/north"))
    viewer = sign_in()
    everything = viewer.get("/alerts.json").json()
    assert [one["alert_id"] for one in everything["alerts"]][:2] == [
        alert.alert_id,
        silence_of("ridge/north").alert_id,
    ]
    since = f"since={alert.raised_at:%Y-%m-%d}&severity=critical"
    for query in ("severity=critical", "rule=snow+leopard+at+night", since):
        assert [one["alert_id"] for one in viewer.get(f"/alerts.json?{query}").json()["alerts"]] == [alert.alert_id]
    assert viewer.get("/alerts.json?state=withdrawn").json()["alerts"] == []
    assert viewer.get("/alerts?after=nonsense").status_code == 409
    pages, after = [], None
    while True:
        page = services.alerts.page(AlertFilter(), 2, after)
        pages += [row.alert_id for row in page.rows]
        if (after := page.after) is None:
            break
    assert pages == [one["alert_id"] for one in everything["alerts"]]


def test_an_account_limited_to_stations_sees_only_their_alerts(
    sign_in: SignIn, animals: tuple[BurstRow, ...], writable_catalogue: Engine, folding: Folding
) -> None:
    own = next(row for row in animals if row.station == "ridge")
    other = next(row for row in animals if row.station != "ridge")
    fold_events(writable_catalogue, alert_of(own), alert_of(other))
    limited = sign_in(Role.RANGER, ["ridge"])
    page = limited.get("/alerts.json").json()
    assert {one["station"] for one in page["alerts"]} == {"ridge"}
    assert page["open"] == 1
    assert other.camera not in limited.get("/alerts").text
    address = f"/alerts/{alert_of(other).alert_id}"
    assert limited.get(address).status_code == 404
    values = form(limited, alert_of(other), alert=alert_of(other).alert_id, what="both", hours=1)
    assert limited.post(f"{address}/acknowledge", data=values).status_code == 404
    assert limited.post("/alerts/mutes", data=values).status_code == 404
    everywhere = form(limited, alert_of(own), alert=alert_of(own).alert_id, what="rule", hours=1)
    assert limited.post("/alerts/mutes", data=everywhere).status_code == 403
    assert limited.post("/alerts/mutes/end", data={**everywhere, "rule": "x"}).status_code == 403
    assert folding.handled == []


def test_a_viewer_changes_nothing(sign_in: SignIn, alert: AlertRaised, folding: Folding) -> None:
    viewer = sign_in()
    values = form(viewer, alert, alert=alert.alert_id, what="both", hours=1, rule=alert.rule)
    for address in (
        f"/alerts/{alert.alert_id}/acknowledge",
        f"/alerts/{alert.alert_id}/unacknowledge",
        "/alerts/mutes",
        "/alerts/mutes/end",
    ):
        assert viewer.post(address, data=values).status_code == 403
    assert folding.handled == []


def test_an_acknowledgement_closes_an_alert_and_taking_it_back_opens_it(
    sign_in: SignIn, alert: AlertRaised, folding: Folding, writable_catalogue: Engine, animals: tuple[BurstRow, ...]
) -> None:
    ranger = sign_in(Role.RANGER, name="aigul")
    address = f"/alerts/{alert.alert_id}"
    assert ranger.post(f"{address}/acknowledge", data={"revision": "1"}).status_code == 403, "without its token"
    done = ranger.post(f"{address}/acknowledge", data=form(ranger, alert, note="I ride up."))
    assert (done.status_code, done.headers["location"]) == (303, f"{address}?done=acknowledged")
    (event,) = folding.handled
    assert (event.action, event.by, event.note, event.key) == (
        AlertAction.ACKNOWLEDGED,
        "aigul",
        "I ride up.",
        alert.alert_id,
    )
    assert event.partitioned_by == alert.camera
    assert ranger.get("/alerts.json").json()["open"] == 0
    assert ranger.get("/alerts.json?acknowledged=yes").json()["alerts"][0]["alert_id"] == alert.alert_id
    assert alert.alert_id not in ranger.get("/alerts.json?acknowledged=no").text
    fold_events(writable_catalogue, alert_of(animals[0], revision=2, state=AlertState.UPDATED))
    page = ranger.get(f"{address}.json").json()
    assert page["alert"]["acknowledged"]
    assert page["alert"]["changed_since"]
    assert [one["revision"] for one in page["revisions"]] == [2, 1]
    back = ranger.post(f"{address}/unacknowledge", data=form(ranger, alert, seen=event.handling_id))
    assert back.status_code == 303
    assert ranger.get("/alerts.json").json()["open"] == 1
    assert [one["action"] for one in ranger.get(f"{address}.json").json()["history"]] == [
        "unacknowledged",
        "acknowledged",
    ]


def test_the_second_of_two_people_is_refused_until_they_have_seen_the_first(
    sign_in: SignIn, alert: AlertRaised, folding: Folding
) -> None:
    first, second = sign_in(Role.RANGER, name="aigul"), sign_in(Role.REVIEWER, name="bekzat")
    address = f"/alerts/{alert.alert_id}"
    first.post(f"{address}/acknowledge", data=form(first, alert))
    refused = second.post(f"{address}/acknowledge", data=form(second, alert))
    assert refused.status_code == 409
    assert "aigul has acknowledged" in refused.text
    seen = folding.handled[0].handling_id
    assert second.post(f"{address}/unacknowledge", data=form(second, alert, seen=seen)).status_code == 303
    assert first.post(f"{address}/unacknowledge", data=form(first, alert, seen=seen)).status_code == 409
    assert len(folding.handled) == 2


@pytest.mark.parametrize("what", ["rule", "camera", "both"])
def test_a_mute_holds_back_what_it_names_until_it_is_ended(
    sign_in: SignIn, animals: tuple[BurstRow, ...], writable_catalogue: Engine, folding: Folding, what: str
) -> None:
    alert = alert_of(animals[0])
    elsewhere = alert_of(next(row for row in animals if row.camera != alert.camera))
    other_rule = alert_of(animals[0], "animals at night")
    fold_events(writable_catalogue, alert, elsewhere, other_rule)
    operator = sign_in(Role.OPERATOR)
    values = form(operator, alert, alert=alert.alert_id, what=what, hours=12, note="We are there.")
    assert operator.post("/alerts/mutes", data=values).status_code == 303
    (event,) = folding.handled
    assert event.until == event.at + timedelta(hours=12)
    assert (event.rule, event.camera) == (
        None if what == "camera" else alert.rule,
        "" if what == "rule" else alert.camera,
    )
    muted = {one["alert_id"] for one in operator.get("/alerts.json").json()["alerts"] if one["muted_until"]}
    assert (
        muted & {alert.alert_id, elsewhere.alert_id, other_rule.alert_id}
        == {
            "rule": {alert.alert_id, elsewhere.alert_id},
            "camera": {alert.alert_id, other_rule.alert_id},
            "both": {alert.alert_id},
        }[what]
    )
    assert operator.get("/alerts.json").json()["open"] == {"rule": 1, "camera": 1, "both": 2}[what]
    assert operator.post("/alerts/mutes", data=values).status_code == 409, "the page did not show the first"
    end = {"rule": event.rule or "", "camera": event.camera, "alert": alert.alert_id}
    assert operator.post("/alerts/mutes/end", data=form(operator, alert, **end, seen="other")).status_code == 409
    ended = operator.post("/alerts/mutes/end", data=form(operator, alert, **end, seen=event.handling_id))
    assert ended.status_code == 303
    assert operator.get("/alerts.json").json()["open"] == 3
    assert operator.post("/alerts/mutes", data=form(operator, alert, **{**values, "hours": 5})).status_code == 422


def test_a_mute_ends_by_itself(services: Services, alert: AlertRaised, writable_catalogue: Engine) -> None:
    now = datetime.now(UTC)
    fold_events(writable_catalogue, mute_event(alert.rule, "", 1, "aigul", now))
    assert services.alerts.open(now=now + timedelta(minutes=59)).count == 0
    assert services.alerts.open(now=now + timedelta(minutes=61)).count == 1


def test_a_withdrawn_alert_is_not_open(
    services: Services, alert: AlertRaised, animals: tuple[BurstRow, ...], writable_catalogue: Engine
) -> None:
    assert services.alerts.open().count == 1
    fold_events(writable_catalogue, alert_of(animals[0], revision=2, state=AlertState.WITHDRAWN))
    assert services.alerts.open().count == 0


def test_nothing_is_stored_where_kafka_is_down(sign_in: SignIn, alert: AlertRaised, folding: Folding) -> None:
    def refuse(*events: object) -> None:
        raise DependencyDown("Kafka is down")

    folding.publish = refuse  # type: ignore[method-assign]
    ranger = sign_in(Role.RANGER)
    answer = ranger.post(f"/alerts/{alert.alert_id}/acknowledge", data=form(ranger, alert))
    assert answer.status_code == 503
    assert ranger.get("/alerts.json").json()["open"] == 1


def test_changes_of_alerts_are_in_the_feed_with_those_of_bursts(
    services: Services, animals: tuple[BurstRow, ...], writable_catalogue: Engine
) -> None:
    catalogue = services.catalogue
    start = catalogue.newest_change()
    alert = alert_of(animals[0])
    fold_events(writable_catalogue, alert, mute_event(alert.rule, "", 1, "aigul", datetime.now(UTC)))
    found = catalogue.all_changes(start)
    assert [getattr(change, "alert_id", None) for change in found] == [alert.alert_id, ""]
    assert catalogue.newest_change() == found[-1].number
    assert catalogue.all_changes(found[-1].number) == []
    assert catalogue.changes(start) == []


def test_a_name_of_a_rule_is_shown_and_runs_nothing(
    sign_in: SignIn, animals: tuple[BurstRow, ...], writable_catalogue: Engine, folding: Folding
) -> None:
    rule = "<script>alert(1)</script>|%"
    alert = alert_of(animals[0], rule)
    fold_events(writable_catalogue, alert)
    operator = sign_in(Role.OPERATOR)
    values = form(operator, alert, alert=alert.alert_id, what="rule", hours=1)
    assert operator.post("/alerts/mutes", data=values).status_code == 303
    for address in ("/", "/alerts", f"/alerts/{alert.alert_id}"):
        html = operator.get(address).text
        assert "<script>alert" not in html
    assert folding.handled[0].key == "mute|<script>alert(1)</script>%7C%25|"
