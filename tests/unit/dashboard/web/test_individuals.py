"""Individuals: the review of who a burst shows, the catalogue, and what people change about one."""

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.individual_data import (
    NOW,
    TAXON,
    candidate_of,
    created,
    crop_event,
    crop_of,
    sighted,
)
from tests.unit.dashboard.web.alert_data import fold_events
from tests.unit.dashboard.web.conftest import FakePublisher, SignIn, form_token
from uncia.camtrap.individual_decisions import make_decision
from uncia.camtrap.individual_pictures import NamedPicture, picture_decisions
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.catalogue.individuals import Individuals
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.services import Services
from uncia.events import AnimalSide, Event, IndividualDecided, IndividualDecision


@dataclass
class Project:
    """Two known individuals, and three bursts that wait: undecided, nearly sure, and not compared."""

    engine: Engine
    catalogue: Catalogue
    bursts: list[BurstRow]

    def fold(self, *events: Event) -> None:
        fold_events(self.engine, *events)


@pytest.fixture
def project(writable_catalogue: Engine, catalogue: Catalogue) -> Project:
    rows = list(catalogue.bursts(BurstFilter(categories=("animal",)), limit=200).rows)
    # Of different stations, so that accounts with limits see some of them.
    stations = sorted({row.station for row in rows})
    ridge, valley = ([row for row in rows if row.station == name] for name in stations[:2])
    bursts = [ridge[0], valley[0], ridge[1], ridge[2], ridge[3]]
    opened = Project(writable_catalogue, catalogue, bursts)
    f1, f2 = created(bursts[0], "F01"), created(bursts[1], "F02", AnimalSide.RIGHT)
    first, second, third = bursts[2:]
    points = [(10, 20, 30, 40), (50, 60, 70, 80)]
    opened.fold(
        f1,
        f2,
        sighted(second, candidate_of(f1, crop_of(second), 0.97), new_score=0.02),
        sighted(third, reason="no individual was known"),
        sighted(first, candidate_of(f1, crop_of(first), 0.5, points), candidate_of(f2, crop_of(first), 0.4)),
        *(crop_event(burst, crop_of(burst)) for burst in bursts),
    )
    return opened


class Reviewer:
    """A reviewer's browser."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        html = client.get("/individuals/review").text
        self.headers = {"x-form-token": html.partition('data-form-token="')[2].partition('"')[0]}

    def queue(self, status: int = 200, **wanted: Any) -> list[dict[str, Any]]:
        response = self.client.post("/individuals/queue.json", json=wanted, headers=self.headers)
        assert response.status_code == status, response.text
        found: list[dict[str, Any]] = response.json().get("sightings", [])
        return found

    def decide(self, burst: str, decision: str, status: int = 200, **more: Any) -> dict[str, Any]:
        body = {"burst_id": burst, "decision": decision, **more}
        response = self.client.post("/individuals/decisions.json", json=body, headers=self.headers)
        assert response.status_code == status, response.text
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
def reviewer(project: Project, sign_in: SignIn) -> Reviewer:
    return Reviewer(sign_in(Role.REVIEWER, name="rita"))


@pytest.fixture
def other(project: Project, sign_in: SignIn) -> Reviewer:
    return Reviewer(sign_in(Role.REVIEWER, name="otto"))


def published(publisher: FakePublisher, project: Project) -> IndividualDecided:
    """The last decision, which the worker of the catalogue then folds."""
    event = publisher.events[-1]
    assert isinstance(event, IndividualDecided)
    project.fold(event)
    return event


def ids_of(queued: list[dict[str, Any]]) -> list[str]:
    return [one["burst_id"] for one in queued]


def test_the_burst_of_which_a_decision_tells_most_comes_first(reviewer: Reviewer, project: Project) -> None:
    assert ids_of(reviewer.queue()) == [burst.burst_id for burst in project.bursts[2:]]


def test_a_burst_stands_beside_its_candidates_with_the_points_that_match(reviewer: Reviewer, project: Project) -> None:
    (first, *_) = reviewer.queue()
    one, two = first["candidates"]
    assert [one["label"], two["label"]] == ["F01", "F02"]
    assert one["points"] == [[10, 20, 30, 40], [50, 60, 70, 80]]
    assert one["query"]["crop_id"] == crop_of(project.bursts[2]).crop_id
    assert one["reference"]["address"] == f"/pictures/crops/{crop_of(project.bursts[0]).crop_id}.jpg"
    assert reviewer.client.get(one["reference"]["address"]).status_code == 200


def test_the_same_individual_is_an_event_with_burst_crops_and_side(
    reviewer: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2]
    answer = reviewer.decide(burst.burst_id, "same", individual="ind-f01", side="right")
    event = published(publisher, project)
    assert answer == {"decision_id": event.decision_id, "individual_id": "ind-f01"}
    assert (event.decision, event.reviewer) == (IndividualDecision.SAME, "rita")
    assert (event.burst_id, event.camera, event.captured_at) == (burst.burst_id, burst.camera, burst.started_at)
    assert [(crop.crop_id, crop.side) for crop in event.crops] == [(crop_of(burst).crop_id, "right")]


def test_a_burst_that_is_decided_leaves_the_queue_and_an_undo_brings_it_back(
    reviewer: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    made = reviewer.decide(burst, "same", individual="F01")["decision_id"]
    published(publisher, project)
    assert burst not in ids_of(reviewer.queue())
    reviewer.decide(burst, "undo", undoes=made)
    undone = published(publisher, project)
    assert (undone.undoes, undone.camera) == (made, project.bursts[2].camera)
    assert ids_of(reviewer.queue())[0] == burst


def test_an_undo_does_not_wait_for_the_catalogue(reviewer: Reviewer, project: Project) -> None:
    burst = project.bursts[2].burst_id
    made = reviewer.decide(burst, "same", individual="F01")["decision_id"]
    reviewer.decide(burst, "undo", undoes=made)


def test_who_is_different_is_no_candidate_any_more(
    reviewer: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    made = reviewer.decide(burst, "different", individual="ind-f01")["decision_id"]
    published(publisher, project)
    assert [one["label"] for one in reviewer.queue()[0]["candidates"]] == ["F02"]
    reviewer.decide(burst, "undo", undoes=made)
    published(publisher, project)
    assert [one["label"] for one in reviewer.queue()[0]["candidates"]] == ["F01", "F02"]


def test_a_new_individual_has_the_code_and_the_name_that_were_given(
    reviewer: Reviewer, project: Project, publisher: FakePublisher, services: Services
) -> None:
    reviewer.decide(project.bursts[2].burst_id, "new", code="M03", name=" Tengri ")
    event = published(publisher, project)
    individual = services.individuals.state().individuals[event.individual_id or ""]
    assert (individual.code, individual.name, individual.taxon) == ("M03", "Tengri", TAXON)


def test_who_was_unsure_does_not_get_the_burst_again_and_others_do(
    reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    reviewer.decide(burst, "unsure")
    published(publisher, project)
    assert burst not in ids_of(reviewer.queue())
    reviewer.client.post("/individuals/release.json", json={"bursts": [burst]}, headers=reviewer.headers)
    assert ids_of(other.queue())[0] == burst


def test_two_reviewers_never_get_the_same_burst(reviewer: Reviewer, other: Reviewer, project: Project) -> None:
    assert len(reviewer.queue()) == 3
    assert other.queue() == []
    other.decide(project.bursts[2].burst_id, "unsure", status=409)


def test_a_reviewer_of_species_does_not_hold_the_burst_here(
    reviewer: Reviewer, project: Project, services: Services
) -> None:
    services.leases.take(99, [burst.burst_id for burst in project.bursts], 9)
    assert len(reviewer.queue()) == 3


@pytest.mark.parametrize(
    ("decision", "more", "sentence"),
    [
        ("same", {"individual": "F99"}, "is called F99"),
        ("same", {}, "is called "),
        ("new", {"code": "f01"}, "called f01 already"),
        ("merge", {}, "no decision on a burst"),
        ("undo", {"undoes": "rev-1"}, "no decision on this burst"),
        ("undo", {"undoes": "idn-of-somebody"}, "no decision on this burst"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    reviewer: Reviewer, project: Project, decision: str, more: dict[str, str], sentence: str
) -> None:
    answer = reviewer.decide(project.bursts[2].burst_id, decision, 422, **more)
    assert sentence in answer["detail"]


def test_nobody_undoes_the_decision_of_another_reviewer(
    reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    made = reviewer.decide(burst, "same", individual="F01")["decision_id"]
    published(publisher, project)
    reviewer.client.post("/individuals/release.json", json={"bursts": [burst]}, headers=reviewer.headers)
    assert "rita" in other.decide(burst, "undo", 422, undoes=made)["detail"]


def test_the_second_of_two_is_told_of_the_first(
    reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    reviewer.decide(burst, "same", individual="F01")
    published(publisher, project)
    reviewer.client.post("/individuals/release.json", json={"bursts": [burst]}, headers=reviewer.headers)
    assert "rita" in other.decide(burst, "same", 409, individual="F02")["detail"]


def test_an_individual_that_others_found_elsewhere_is_not_taken_back_during_the_review(
    reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher, services: Services
) -> None:
    made = reviewer.decide(project.bursts[2].burst_id, "new", code="F03")
    published(publisher, project)
    reviewer.client.post(
        "/individuals/release.json", json={"bursts": [project.bursts[3].burst_id]}, headers=reviewer.headers
    )
    other.decide(project.bursts[3].burst_id, "same", individual="F03")
    published(publisher, project)
    answer = reviewer.decide(project.bursts[2].burst_id, "undo", 409, undoes=made["decision_id"])
    assert "on its page" in answer["detail"]
    assert made["individual_id"] in services.individuals.state().individuals


# Two reviewers who have to agree


@pytest.fixture
def pair(services: Services, project: Project) -> Services:
    services.individuals = Individuals(services.catalogue._engine, reviewers=2)
    # The individuals of the project were created by one person alone; another one agrees.
    for burst, code in zip(project.bursts, ("F01", "F02"), strict=False):
        project.fold(created(burst, code, reviewer="berik"))
    return services


def test_one_of_two_who_have_to_agree_decides_nothing(
    pair: Services, reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    reviewer.decide(burst, "same", individual="F01")
    published(publisher, project)
    assert burst not in pair.individuals.state().bursts
    assert burst not in ids_of(reviewer.queue())
    reviewer.client.post("/individuals/release.json", json={"bursts": [burst]}, headers=reviewer.headers)
    (first, *_) = other.queue()
    assert (first["burst_id"], first["opinions"], first["seen"]) == (burst, 1, None)
    other.decide(burst, "same", individual="F01")
    published(publisher, project)
    assert pair.individuals.state().bursts[burst].individuals == ("ind-f01",)


def test_what_two_disagree_about_is_disputed(
    pair: Services, reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    for one, label in ((reviewer, "F01"), (other, "F02")):
        one.decide(burst, "same", individual=label)
        published(publisher, project)
        one.client.post("/individuals/release.json", json={"bursts": [burst]}, headers=one.headers)
    assert burst not in ids_of(other.queue())
    assert ids_of(other.queue(disputed=True)) == [burst]
    assert other.client.get("/individuals.json").json()["disputed"] == 1


def test_what_two_are_unsure_about_is_not_disputed(
    pair: Services, reviewer: Reviewer, other: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2].burst_id
    for one in (reviewer, other):
        one.decide(burst, "unsure")
        published(publisher, project)
        one.client.post("/individuals/release.json", json={"bursts": [burst]}, headers=one.headers)
    assert other.queue(disputed=True) == []


# Stations of the account


@pytest.fixture
def limited(project: Project, sign_in: SignIn) -> Reviewer:
    """Sees the station of F01 alone."""
    return Reviewer(sign_in(Role.REVIEWER, [project.bursts[0].station], "lola"))


def test_a_candidate_of_another_station_is_not_shown(limited: Reviewer, project: Project) -> None:
    (first, *_) = limited.queue()
    assert ([one["label"] for one in first["candidates"]], first["hidden"]) == (["F01"], 1)
    assert "leave it to another" in limited.decide(first["burst_id"], "new", 409)["detail"]


def test_an_individual_of_another_station_does_not_exist(limited: Reviewer, project: Project) -> None:
    assert [one["label"] for one in limited.client.get("/individuals.json").json()["individuals"]] == ["F01"]
    assert limited.client.get("/individuals/ind-f02.json").status_code == 404
    assert limited.decide(project.bursts[2].burst_id, "same", 404, individual="F02")


def test_a_burst_of_another_station_cannot_be_decided(project: Project, sign_in: SignIn) -> None:
    elsewhere = Reviewer(sign_in(Role.REVIEWER, [project.bursts[1].station], "tom"))
    assert elsewhere.queue() == []
    elsewhere.decide(project.bursts[2].burst_id, "unsure", 404)


# The catalogue of individuals


def test_an_individual_has_its_sightings_and_reference_pictures(
    reviewer: Reviewer, project: Project, publisher: FakePublisher
) -> None:
    burst = project.bursts[2]
    reviewer.decide(burst.burst_id, "same", individual="F01", side="right")
    published(publisher, project)
    page = reviewer.client.get("/individuals/ind-f01.json").json()
    assert {one["burst_id"] for one in page["sightings"]} == {burst.burst_id, project.bursts[0].burst_id}
    references = page["individual"]["references"]
    assert references["left"]["crop_id"] == crop_of(project.bursts[0]).crop_id
    assert references["right"]["crop_id"] == crop_of(burst).crop_id
    assert len(page["dots"]) == 2


@pytest.mark.parametrize(("role", "exact"), [(Role.VIEWER, False), (Role.RANGER, True)])
def test_positions_are_as_precise_as_the_role_may_know(
    project: Project, sign_in: SignIn, services: Services, role: Role, exact: bool
) -> None:
    found = sign_in(role).get("/individuals/ind-f01.json").json()["places"]
    camera = project.bursts[0].camera
    allowed = services.numbers.positions(exact, None, camera)
    assert [(one["latitude"], one["longitude"]) for one in found] == [(p.latitude, p.longitude) for p in allowed]


def test_an_imported_picture_is_shown_to_accounts_that_see_all_stations(
    project: Project, sign_in: SignIn, limited: Reviewer
) -> None:
    picture = NamedPicture("F09", "0" * 64, AnimalSide.LEFT)
    (decision,) = picture_decisions([picture], TAXON, "aigul", "camera-uploads")
    project.fold(decision)
    address = f"/pictures/crops/{decision.crops[0].crop_id}.jpg"
    client = sign_in(Role.VIEWER)
    page = client.get(f"/individuals/{decision.individual_id}.json").json()
    assert page["individual"]["references"]["left"]["address"] == address
    assert client.get(address).status_code == 200
    assert limited.client.get(address).status_code == 404


def test_who_sees_a_part_of_a_merged_individual_reads_no_history_and_changes_nothing(
    project: Project, limited: Reviewer
) -> None:
    merged = make_decision(IndividualDecision.MERGE, "aigul", NOW, individual_id="ind-f01", other_id="ind-f02")
    project.fold(merged)
    page = limited.client.get("/individuals/ind-f01.json").json()
    assert (page["history"], page["may_change"]) == ([], False)
    undone = limited.client.post(
        "/individuals/ind-f01/undo",
        data={"form_token": limited.headers["x-form-token"], "decision": merged.decision_id},
    )
    assert undone.status_code == 403


@pytest.mark.parametrize("name", ["F02", "ind-f02"])
def test_an_individual_is_not_merged_by_a_name_that_two_have(
    project: Project, sign_in: SignIn, publisher: FakePublisher, name: str
) -> None:
    project.fold(
        created(project.bursts[3], "F02").model_copy(update={"individual_id": "ind-other", "decision_id": "idn-other"})
    )
    found = post(sign_in(Role.REVIEWER), "/individuals/ind-f01/merge", other=name)
    assert (found.status_code, len(publisher.events)) == ((409, 0) if name == "F02" else (303, 1))


def post(client: TestClient, path: str, **data: Any) -> Any:
    token = form_token(client.get(path.rpartition("/")[0]).text)
    return client.post(path, data={"form_token": token, **data})


def test_an_individual_is_renamed_merged_and_all_of_it_taken_back(
    sign_in: SignIn, project: Project, publisher: FakePublisher, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(Role.REVIEWER)

    def publish(event: IndividualDecided) -> None:
        publisher.events.append(event)
        project.fold(event)

    monkeypatch.setattr(publisher, "publish", publish)
    assert post(client, "/individuals/ind-f01/names", code="F07", name="Ala").status_code == 303
    assert services.individuals.state().individuals["ind-f01"].code == "F07"
    assert post(client, "/individuals/ind-f01/merge", other="F02", sides="true").headers["location"].endswith("ind-f02")
    assert services.individuals.state().resolve("ind-f01") == "ind-f02"
    merged = publisher.events[-1]
    assert isinstance(merged, IndividualDecided)
    assert merged.decision is IndividualDecision.LINK
    assert post(client, "/individuals/ind-f02/undo", decision=merged.decision_id).status_code == 303
    assert services.individuals.state().resolve("ind-f01") == "ind-f01"


def test_a_viewer_sees_individuals_and_no_form(project: Project, sign_in: SignIn) -> None:
    html = sign_in(Role.VIEWER).get("/individuals/ind-f01").text
    assert "F01" in html
    assert "/individuals/ind-f01/" not in html
