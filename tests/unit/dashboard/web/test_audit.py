"""The page Audit, and reviews that do not show the models' verdict."""

import json
from datetime import date

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import newest_burst
from tests.unit.dashboard.verdict_audit.test_queries import animal, review
from tests.unit.dashboard.web.alert_data import fold_events, silence_of
from tests.unit.dashboard.web.conftest import FakePublisher, SignIn
from tests.unit.dashboard.web.test_review import Reviewer, event_of
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.verdict_audit.sample import AuditSample
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.pages import audit as page
from uncia.dashboard.web.services import Services
from uncia.events import AlertCause, AlertRaised, AlertState, ReviewDecision

ALL = AuditSample("1", 1, 1, 0.9)


@pytest.fixture(autouse=True)
def _everything_is_sampled(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    services.verdict_audit.sample = ALL
    monkeypatch.setattr(page, "first_month", lambda *_: date(2026, 1, 1))


@pytest.fixture
def reviewer(sign_in: SignIn) -> Reviewer:
    return Reviewer(sign_in(Role.REVIEWER, name="rita"))


def drift_of(camera: str, state: AlertState = AlertState.RAISED, revision: int = 1) -> AlertRaised:
    changes = {
        "alert_id": f"alr-{camera}",
        "cause": AlertCause.SCORE_DRIFT,
        "summary": f"{camera}: scores have drifted <since> yesterday",
        "state": state,
        "revision": revision,
    }
    return silence_of(camera).model_copy(update=changes)


def test_the_queue_holds_the_sample_in_its_order(reviewer: Reviewer, services: Services) -> None:
    wanted = services.verdict_audit.queue(BurstFilter(), 4)
    assert [burst["burst_id"] for burst in reviewer.queue(queue="audit")] == wanted


def test_of_the_filters_only_place_and_time_limit_the_sample(reviewer: Reviewer, services: Services) -> None:
    station = services.catalogue.bursts(limit=1).rows[0].station
    query = f"station={station}&category=person&taxon=Vulpes+vulpes"
    wanted = services.verdict_audit.queue(BurstFilter(stations=(station,)), 4)
    assert wanted
    assert [burst["burst_id"] for burst in reviewer.queue(queue="audit", query=query)] == wanted
    assert reviewer.queue(queue="audit", query="until=2000-01-01") == []


def test_the_verdict_of_the_models_is_hidden(reviewer: Reviewer, services: Services) -> None:
    named = next(
        row for row in services.catalogue.bursts(limit=200).rows if row.taxon and row.count and not row.reviewed
    )
    taxon, label = named.taxon or "", named.label or ""
    open_queue, audit = (reviewer.queue(queue=queue, first=named.burst_id)[0] for queue in ("uncertain", "audit"))
    assert open_queue["taxon"] == taxon and taxon in json.dumps(open_queue)
    assert audit["burst_id"] == named.burst_id
    assert taxon not in json.dumps(audit) and label not in json.dumps(audit)
    assert {audit[name] for name in ("category", "taxon", "label", "count", "confidence", "cover")} == {None}
    assert not any(frame["boxes"] or frame["category"] or frame["deciding"] for frame in audit["frames"])
    assert [one["category"] for one in audit["suggestions"]] == ["animal", "person", "vehicle"]
    assert audit["verdict"] == "What do you see?"


def test_blanks_and_animals_look_the_same(reviewer: Reviewer, services: Services) -> None:
    rows = services.catalogue.bursts(limit=200).rows
    kinds = (
        next(row.burst_id for row in rows if row.category == name and not row.reviewed) for name in ("blank", "animal")
    )
    one, other = (reviewer.queue(queue="audit", first=burst)[0] for burst in kinds)
    said = ("category", "verdict", "evidence", "certain", "focus", "suggestions", "review_id")
    assert [one[name] for name in said] == [other[name] for name in said]


def test_a_burst_that_another_reviewer_has_decided_is_hidden_and_keeps_its_review(
    reviewer: Reviewer, services: Services, writable_catalogue: Engine
) -> None:
    named = next(
        row for row in services.catalogue.bursts(limit=200).rows if row.taxon and row.count and not row.reviewed
    )
    event = review(newest_burst(named.burst_id), ReviewDecision.CORRECT, animal(named.taxon))
    fold_events(writable_catalogue, event)
    (shown, *_) = reviewer.queue(queue="audit", first=named.burst_id)
    assert (shown["burst_id"], shown["reviewed"], shown["reviewer"]) == (named.burst_id, True, "ann")
    assert shown["review_id"] == event.review_id
    assert str(named.taxon) not in json.dumps(shown)
    assert {shown[name] for name in ("category", "taxon", "label", "count", "confidence", "cover")} == {None}
    assert not any(frame["boxes"] or frame["category"] or frame["deciding"] for frame in shown["frames"])


def test_a_decision_counts_and_the_burst_leaves_the_queue(
    reviewer: Reviewer, services: Services, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    (first, second, *_) = reviewer.queue(queue="audit")
    before = services.verdict_audit.waiting(BurstFilter())
    reviewer.decide(
        first, "correct", observations=[{"category": "animal", "taxon": None, "label": "animal", "rank": None}]
    )
    event = event_of(publisher)
    assert (event.burst_id, event.decision) == (first["burst_id"], ReviewDecision.CORRECT)
    fold_events(writable_catalogue, event)
    assert services.verdict_audit.waiting(BurstFilter()) == before - 1
    assert services.verdict_audit.queue(BurstFilter(), 1) == [second["burst_id"]]


def test_the_review_page_counts_what_waits_in_the_sample(reviewer: Reviewer, services: Services) -> None:
    services.verdict_audit.sample = AuditSample("1", 0.3, 0.3, 0.9)
    waiting = services.verdict_audit.waiting(BurstFilter())
    assert reviewer.client.get("/review.json?queue=audit").json()["waiting"] == waiting
    html = reviewer.client.get("/review?queue=audit").text
    assert f"{waiting} to review" in html
    assert "The models see" not in html


def test_the_page_has_rates_by_month_and_camera(sign_in: SignIn, services: Services) -> None:
    client = sign_in(Role.VIEWER)
    counted = services.verdict_audit.rates()
    shown = client.get("/audit.json").json()
    assert [cell["month"] for cell in shown["by_month"]] == ["2026-06-01", "2026-05-01"]
    assert len(shown["cells"]) == len(counted.cells)
    assert shown["total"]["blank"]["bursts"] == counted.total.verdicts.blank
    assert shown["total"]["confident"]["decided"] == counted.total.confident.decided > 0
    html = client.get("/audit").text
    assert "too few reviews" in html and "100 % of the blanks" in html
    assert f"of {counted.total.blank.sampled} reviewed" in html


def test_a_rate_is_shown_with_its_interval(sign_in: SignIn, services: Services, writable_catalogue: Engine) -> None:
    blanks = services.verdict_audit.queue(BurstFilter(categories=("blank",)), 12)
    decisions = [(ReviewDecision.BLANK, ())] * 10 + [(ReviewDecision.CORRECT, (animal(),))] * 2
    for burst, (decision, seen) in zip(blanks, decisions, strict=True):
        fold_events(writable_catalogue, review(newest_burst(burst), decision, *seen))
    error = services.verdict_audit.rates().total.blank.error
    assert error is not None and error.value == 2 / 12
    html = sign_in(Role.VIEWER).get("/audit").text
    assert f"<b>{100 * error.value:.1f} %</b>" in html
    assert f"{100 * error.low:.1f} to {100 * error.high:.1f} %" in html


def test_one_camera_is_shown_alone(sign_in: SignIn, services: Services) -> None:
    camera = services.verdict_audit.rates().cells[0].camera
    client = sign_in(Role.VIEWER)
    shown = client.get("/audit.json", params={"camera": camera}).json()
    assert {cell["camera"] for cell in shown["cells"]} == {camera}
    assert 'id="cameras"' not in client.get("/audit", params={"camera": camera}).text


def test_the_queue_is_that_of_all_cameras_where_one_camera_is_shown(sign_in: SignIn, services: Services) -> None:
    camera = services.verdict_audit.rates().cells[0].camera
    client = sign_in(Role.REVIEWER)
    assert 'href="/review?queue=audit"' in client.get("/audit", params={"camera": camera}).text
    shown = client.get("/audit.json", params={"camera": camera}).json()
    assert shown["waiting"] == services.verdict_audit.waiting(BurstFilter())


def test_an_account_sees_its_stations_alone(sign_in: SignIn, writable_catalogue: Engine) -> None:
    fold_events(writable_catalogue, drift_of("ridge/cam-1"), drift_of("pass/cam-1"))
    client = sign_in(Role.VIEWER, stations=["ridge"])
    shown = client.get("/audit.json").json()
    cameras = {*shown["cameras"], *(cell["camera"] for cell in shown["cells"])}
    assert {camera.partition("/")[0] for camera in cameras} == {"ridge"}
    assert [alert["camera"] for alert in shown["drifted"]] == ["ridge/cam-1"]
    assert client.get("/audit.json?camera=pass/cam-1").json()["cells"] == []


def test_open_alerts_about_drift_are_listed(sign_in: SignIn, writable_catalogue: Engine) -> None:
    client = sign_in(Role.VIEWER)
    assert "drift: true" in client.get("/audit").text
    fold_events(writable_catalogue, silence_of("pass/cam-1"), drift_of("ridge/cam-1"))
    html = client.get("/audit").text
    assert "ridge/cam-1: scores have drifted &lt;since&gt; yesterday" in html
    assert "nothing from" not in html
    fold_events(writable_catalogue, drift_of("ridge/cam-1", AlertState.WITHDRAWN, 2))
    assert "have drifted &lt;" not in client.get("/audit").text


@pytest.mark.parametrize("role, offered", [(Role.VIEWER, False), (Role.REVIEWER, True), (Role.OPERATOR, True)])
def test_who_may_review_is_offered_the_sample(sign_in: SignIn, role: Role, offered: bool) -> None:
    assert ('href="/review?queue=audit"' in sign_in(role).get("/audit").text) is offered


def test_without_a_share_the_page_says_so(sign_in: SignIn, services: Services) -> None:
    services.verdict_audit.sample = AuditSample("1", 0, 0, 0.9)
    assert "No burst is sampled" in sign_in(Role.VIEWER).get("/audit").text


@pytest.mark.parametrize("query", ["months=0", "months=9999", "months=x"])
def test_a_number_of_months_that_makes_no_sense_is_refused(sign_in: SignIn, query: str) -> None:
    assert sign_in(Role.VIEWER).get(f"/audit?{query}").status_code == 422
