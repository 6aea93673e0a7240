"""Look-alikes: which bursts are compared, in which order, and for whom."""

import itertools
import json
import re
from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, select, update

from tests.unit.dashboard.web.conftest import FakePublisher, SignIn
from tests.unit.dashboard.web.test_review import Reviewer, event_of
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.tables import bursts as bursts_table
from uncia.dashboard.catalogue.tables import crops, detections
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.pages.alike import arranged
from uncia.events import ReviewDecision


@pytest.fixture
def reviewer(sign_in: SignIn) -> Reviewer:
    return Reviewer(sign_in(Role.REVIEWER, name="rita"))


def test_look_alikes_are_side_by_side_and_those_without_a_crop_last(reviewer: Reviewer) -> None:
    found = reviewer.client.get("/alike.json").json()
    listed = reviewer.client.get("/browse.json?reviewed=no").json()
    assert len(found["bursts"]) == found["total"] == listed["facets"]["total"]
    compared = [one["compared"] for one in found["bursts"]]
    assert compared == sorted(compared, reverse=True)
    assert {one["burst"]["category"] for one in found["bursts"] if one["compared"]} <= {"animal", "blank"}
    assert any(not one["compared"] for one in found["bursts"])
    alike = [one["name"] for one in found["bursts"] if one["compared"] and not one["odd"]]
    animals = [name for name in alike if name != "blank"]
    changes = sum(one != other for one, other in itertools.pairwise(animals))
    # The classes of the fixture are those of the verdicts: each taxon is in one place.
    assert changes == len(set(animals)) - 1


def test_the_address_has_the_filters_of_browse(reviewer: Reviewer) -> None:
    page = reviewer.client.get("/alike.json?taxon=Capra+sibirica").json()
    assert page["names"] == {"ibex": page["total"]}
    assert {one["taxon"] for one in page["taxa"]} > {"Capra sibirica", "Ovis"}
    assert all(not one["burst"]["reviewed"] for one in page["bursts"])
    reviewed = reviewer.client.get("/alike.json?taxon=Capra+sibirica&reviewed=yes").json()
    assert all(one["burst"]["reviewed"] for one in reviewed["bursts"])
    html = reviewer.client.get("/alike?taxon=Capra+sibirica").text
    assert html.count("data-select") == page["total"]
    assert "No burst without a review" in reviewer.client.get("/alike?taxon=Homo").text
    assert reviewer.client.get("/alike?after=nonsense").status_code == 409


def test_the_page_has_the_species_keys_of_the_reviewer(reviewer: Reviewer) -> None:
    assert [one["key"] for one in reviewer.client.get("/alike.json").json()["species"]] == ["p", "v", "a"]
    keys = [{"key": "i", "taxon": "Capra sibirica", "label": 'ibex\'s "kid" <b>'}]
    reviewer.client.post("/review/keys.json", json=keys, headers=reviewer.headers)
    (one,) = reviewer.client.get("/alike.json").json()["species"]
    assert (one["key"], one["taxon"]) == ("i", "Capra sibirica")
    html = reviewer.client.get("/alike").text
    (written,) = re.findall("data-species='([^']*)'", html)
    assert json.loads(written)["label"] == keys[0]["label"]


def test_an_account_that_may_not_review_does_not_see_the_page(sign_in: SignIn) -> None:
    viewer = sign_in(Role.VIEWER)
    assert viewer.get("/alike").status_code == 403
    assert "/alike" not in viewer.get("/browse").text


def test_a_reviewer_sees_no_burst_or_taxon_of_another_station(sign_in: SignIn) -> None:
    limited = Reviewer(sign_in(Role.REVIEWER, ["ridge"], name="limited"))
    page = limited.client.get("/alike.json").json()
    assert {one["burst"]["station"] for one in page["bursts"]} == {"ridge"}
    assert sum(one["bursts"] for one in page["taxa"]) <= page["total"] == len(page["bursts"])


def test_a_burst_is_compared_by_its_best_crop_and_shown_by_the_published_one(
    catalogue: Catalogue, writable_catalogue: Engine
) -> None:
    found = [one for one in catalogue.look_alikes(limit=200).bursts if one.crop_id and one.embedding]
    assert found
    with writable_catalogue.begin() as connection:
        for one in found:
            best = one.burst.best_crop
            assert best is not None
            frame = next(frame for frame in one.burst.frames if frame.image_id == best["image_id"])
            own = select(detections.c.embedding).where(
                detections.c.upload_id == frame.upload_id, func.abs(detections.c.x - best["box"][0]) < 1e-6
            )
            assert one.embedding in connection.execute(own).scalars().all()
        connection.execute(update(crops).values(withdrawn="person-in-burst"))
    assert not any(one.crop_id for one in catalogue.look_alikes(limit=200).bursts)


def test_pages_of_look_alikes_follow_each_other_as_in_browse(catalogue: Catalogue) -> None:
    first = catalogue.look_alikes(limit=7)
    second = catalogue.look_alikes(limit=7, after=first.after)
    listed = [row.burst_id for row in catalogue.bursts(limit=14).rows]
    assert [one.burst.burst_id for one in (*first.bursts, *second.bursts)] == listed


def test_bursts_without_a_verdict_cannot_be_accepted(catalogue: Catalogue) -> None:
    one = catalogue.look_alikes(limit=1).bursts[0]
    unread = replace(one, burst=replace(one.burst, category=None, taxon=None, label=None), embedding=None)
    (shown,) = arranged((unread,))
    assert (shown.acceptable, shown.compared, shown.odd, shown.name) == (False, False, False, "")
    assert arranged(()) == []


def test_accepting_all_and_taking_it_back_works_although_the_reviews_have_revised_the_bursts(
    reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    page = reviewer.client.get("/alike.json?taxon=Capra+sibirica").json()
    items = [
        {"burst_id": one["burst"]["burst_id"], "revision": one["burst"]["revision"]}
        for one in page["bursts"]
        if one["acceptable"]
    ]
    body = {"decision": "confirm", "bursts": items}
    answer = reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()
    assert len(answer["decided"]) == len(items) == len(publisher.events)
    with writable_catalogue.begin() as connection:
        connection.execute(update(bursts_table).values(revision=bursts_table.c.revision + 1))
    # A burst that has changed since cannot be accepted, but the review of it can be undone.
    refused = reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()
    assert refused["decided"] == {}
    undo = [{**item, "supersedes": answer["decided"][item["burst_id"]]} for item in items]
    body = {"decision": "undo", "bursts": undo}
    undone = reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()
    assert len(undone["decided"]) == len(items)
    assert event_of(publisher).decision is ReviewDecision.UNDO
