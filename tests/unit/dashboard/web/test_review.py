"""Review: the queue, leases, decisions as events, undo, species keys."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import Log, newest_burst, revised_burst
from tests.unit.dashboard.web.conftest import FakePublisher, SignIn
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.services import Services
from uncia.events import BurstCategory, Event, ObservationReviewed, ReviewDecision


class Reviewer:
    """A reviewer's browser."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        html = client.get("/review").text
        self.headers = {"x-form-token": html.partition('data-form-token="')[2].partition('"')[0]}

    def queue(self, status: int = 200, **wanted: Any) -> list[dict[str, Any]]:
        response = self.client.post("/review/queue.json", json=wanted, headers=self.headers)
        assert response.status_code == status, response.text
        bursts: list[dict[str, Any]] = response.json().get("bursts", [])
        return bursts

    def decide(self, burst: dict[str, Any], decision: str, status: int = 200, **more: Any) -> dict[str, Any]:
        body = {
            "burst_id": burst["burst_id"],
            "revision": burst["revision"],
            "seen_review": burst["review_id"],
            "decision": decision,
            **more,
        }
        response = self.client.post("/review/decisions.json", json=body, headers=self.headers)
        assert response.status_code == status, response.text
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
def reviewer(sign_in: SignIn) -> Reviewer:
    return Reviewer(sign_in(Role.REVIEWER, name="rita"))


@pytest.fixture
def other(sign_in: SignIn) -> Reviewer:
    return Reviewer(sign_in(Role.REVIEWER, name="otto"))


def fold(engine: Engine, event: Event) -> None:
    """What the catalogue's worker does."""
    store, record = CatalogueStore(engine), Log().append(event)
    place = (record.topic, record.partition)
    state = store.partitions().get(place) or PartitionState("id", 0, 0)
    store.set_partitions({place: state})
    record = type(record)(
        record.topic, record.partition, state.next_offset, record.timestamp_ms, record.key, record.value
    )
    store.apply([record])


def event_of(publisher: FakePublisher) -> ObservationReviewed:
    event = publisher.events[-1]
    assert isinstance(event, ObservationReviewed)
    return event


def test_the_queue_holds_bursts_without_a_review_the_most_uncertain_first(reviewer: Reviewer) -> None:
    queued = reviewer.queue()
    assert len(queued) == 4
    assert not any(burst["reviewed"] for burst in queued)
    listed = reviewer.client.get("/browse.json?order=uncertain&reviewed=no").json()["bursts"]
    assert [burst["burst_id"] for burst in queued] == [burst["burst_id"] for burst in listed[:4]]


def test_two_reviewers_never_get_the_same_burst(reviewer: Reviewer, other: Reviewer) -> None:
    seen: list[str] = []
    own: dict[int, list[str]] = {0: [], 1: []}
    for turn in range(8):
        one = (reviewer, other)[turn % 2]
        bursts = [burst["burst_id"] for burst in one.queue(have=own[turn % 2])]
        own[turn % 2] += bursts
        seen += bursts
    assert len(seen) == len(set(seen)) >= 16


def test_a_burst_that_another_reviewer_holds_cannot_be_decided_or_opened(reviewer: Reviewer, other: Reviewer) -> None:
    (burst, *_) = reviewer.queue()
    assert "Another reviewer" in other.decide(burst, "confirm", status=409)["detail"]
    other.queue(status=409, first=burst["burst_id"])
    reviewer.client.post("/review/release.json", headers=reviewer.headers)
    other.decide(burst, "confirm")


def test_accepting_repeats_the_verdict_in_the_event(reviewer: Reviewer, publisher: FakePublisher) -> None:
    burst = next(one for one in reviewer.queue(query="category=animal"))
    answer = reviewer.decide(burst, "confirm")
    event = event_of(publisher)
    assert event.review_id == answer["review_id"]
    assert (event.decision, event.reviewer) == (ReviewDecision.CONFIRM, "rita")
    (seen,) = event.observations
    assert (seen.category, seen.taxon, seen.count) == (BurstCategory.ANIMAL, burst["taxon"], burst["count"])
    assert event.images == tuple(frame["image_id"] for frame in burst["frames"])
    # By the event that the review holds, a burst is revised that its worker no longer holds.
    camera, name, offset = (event.burst or "").rsplit(" ", 2)
    assert (camera, name) == (burst["camera"], burst["burst_id"])
    assert int(offset) >= 0


IBEX = "taxon=Capra+sibirica"


def same_verdict(burst: dict[str, Any]) -> dict[str, Any]:
    """The verdict of its newest revision, for a further one."""
    newest = newest_burst(burst["burst_id"])
    return {"verdict": newest.verdict, "taxa": newest.taxa}


def test_a_verdict_that_was_not_on_the_screen_is_not_confirmed(
    reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue(query=IBEX)[0]
    fold(writable_catalogue, revised_burst(burst["burst_id"]))
    assert "newer revision" in reviewer.decide(burst, "confirm", status=409)["detail"]
    assert publisher.events == []
    # What the reviewer names is decided, whatever the models say.
    reviewer.decide(burst, "correct", observations=[{"category": "animal", "taxon": "Ovis", "label": "sheep"}])
    (again,) = [one for one in reviewer.queue(first=burst["burst_id"]) if one["burst_id"] == burst["burst_id"]]
    assert again["taxon"] == "Panthera uncia"
    reviewer.decide(again, "confirm")
    assert event_of(publisher).observations[0].taxon == "Panthera uncia"


def test_another_number_of_individuals_is_not_confirmed_unseen(reviewer: Reviewer, writable_catalogue: Engine) -> None:
    burst = reviewer.queue(query=IBEX)[0]
    fold(writable_catalogue, revised_burst(burst["burst_id"], count=9, **same_verdict(burst)))
    reviewer.decide(burst, "confirm", status=409)


def test_a_revision_without_another_verdict_is_confirmed(
    reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue(query=IBEX)[0]
    fold(writable_catalogue, revised_burst(burst["burst_id"], **same_verdict(burst)))
    reviewer.decide(burst, "confirm")
    assert event_of(publisher).observations[0].taxon == "Capra sibirica"


def test_a_revision_that_the_catalogue_does_not_hold_is_not_confirmed(reviewer: Reviewer) -> None:
    burst = reviewer.queue(query=IBEX)[0]
    reviewer.decide({**burst, "revision": burst["revision"] + 7}, "confirm", status=409)
    reviewer.decide({**burst, "review_id": "rev-none"}, "confirm", status=409)


def test_a_redo_confirms_what_was_seen_after_the_review_has_revised_the_burst(
    reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue(query=IBEX)[0]
    more: dict[str, Any] = {"observations": [{"category": "animal", "count": 7}]}
    decided = reviewer.decide(burst, "confirm", **more)
    fold(writable_catalogue, event_of(publisher))
    fold(writable_catalogue, revised_burst(burst["burst_id"], **same_verdict(burst)))
    reviewer.decide(burst, "undo", supersedes=decided["review_id"])
    # Whether the catalogue knows of the undo or not.
    for _ in range(2):
        reviewer.decide(burst, "confirm", **more)
        (seen,) = event_of(publisher).observations
        assert (seen.taxon, seen.count) == ("Capra sibirica", 7)
        undo = publisher.events[1]
        fold(writable_catalogue, undo)


def test_a_confirmed_review_repeats_what_the_reviewer_before_saw(
    reviewer: Reviewer, other: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue(query=IBEX)[0]
    reviewer.decide(burst, "correct", observations=[{"category": "animal", "taxon": "Ovis", "label": "sheep"}])
    fold(writable_catalogue, event_of(publisher))
    reviewer.client.post("/review/release.json", headers=reviewer.headers)
    (seen,) = [one for one in other.queue(first=burst["burst_id"]) if one["burst_id"] == burst["burst_id"]]
    fold(writable_catalogue, revised_burst(burst["burst_id"]))
    other.decide(seen, "confirm")
    assert event_of(publisher).observations[0].taxon == "Ovis"


def test_a_confirmed_blank_is_a_blank(reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine) -> None:
    burst = reviewer.queue(queue="blanks")[0]
    reviewer.decide(burst, "confirm")
    assert event_of(publisher).decision is ReviewDecision.BLANK
    fold(writable_catalogue, event_of(publisher))
    page = reviewer.client.get(f"/bursts/{burst['burst_id']}.json").json()
    assert (page["burst"]["category"], page["burst"]["reviewed"]) == ("blank", True)


def test_a_correction_carries_taxon_count_and_boxes(reviewer: Reviewer, publisher: FakePublisher) -> None:
    burst = reviewer.queue(query="category=animal")[0]
    image = burst["frames"][0]["image_id"]
    box = {"image_id": image, "x": 0.9, "y": 0.5, "width": 0.4, "height": 0.2}
    seen = {"category": "animal", "taxon": "Vulpes vulpes", "label": "red fox", "count": 12, "boxes": [box]}
    wrong = {**box, "x": 0.1}
    reviewer.decide(burst, "correct", observations=[seen], rejected_boxes=[wrong])
    event = event_of(publisher)
    (one,) = event.observations
    assert (one.taxon, one.count) == ("Vulpes vulpes", 12)
    assert one.boxes[0].box == pytest.approx((0.9, 0.5, 0.1, 0.2))
    assert event.rejected_boxes[0].image_id == image


@pytest.mark.parametrize(
    ("decision", "more"),
    [
        ("correct", {}),
        ("correct", {"observations": [{"category": "blank"}]}),
        ("correct", {"observations": [{"category": "dragon"}]}),
        ("correct", {"observations": [{"category": "animal", "count": 0}]}),
        (
            "correct",
            {
                "observations": [
                    {
                        "category": "animal",
                        "boxes": [{"image_id": "img-other", "x": 0, "y": 0, "width": 0.1, "height": 0.1}],
                    }
                ]
            },
        ),
        ("undo", {"supersedes": None}),
        ("delete", {}),
        ("confirm", {"reviewer": "another"}),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    reviewer: Reviewer, publisher: FakePublisher, decision: str, more: dict[str, Any]
) -> None:
    reviewer.decide(reviewer.queue(query="category=animal")[0], decision, status=422, **more)
    assert publisher.events == []


def test_a_decision_leaves_the_queue_and_undoing_it_brings_the_burst_back(
    reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue()[0]
    decided = reviewer.decide(burst, "blank")
    fold(writable_catalogue, event_of(publisher))
    page = reviewer.client.get(f"/bursts/{burst['burst_id']}.json").json()
    assert (page["burst"]["category"], page["burst"]["reviewer"]) == ("blank", "rita")
    assert burst["burst_id"] not in [one["burst_id"] for one in reviewer.queue()]
    reviewer.decide(burst, "undo", supersedes=decided["review_id"])
    fold(writable_catalogue, event_of(publisher))
    assert not reviewer.client.get(f"/bursts/{burst['burst_id']}.json").json()["burst"]["reviewed"]
    assert burst["burst_id"] in [one["burst_id"] for one in reviewer.queue()]


def test_of_two_reviews_at_once_the_second_is_refused_with_the_name_of_the_first(
    reviewer: Reviewer, other: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue()[0]
    reviewer.decide(burst, "blank")
    fold(writable_catalogue, event_of(publisher))
    reviewer.client.post("/review/release.json", headers=reviewer.headers)
    assert "rita has reviewed" in other.decide(burst, "unknown", status=409)["detail"]
    # A reviewer who has seen the first decision may decide otherwise.
    (again,) = [one for one in other.queue(first=burst["burst_id"]) if one["burst_id"] == burst["burst_id"]]
    other.decide(again, "unknown")
    assert "rita's" in other.decide(again, "undo", status=422, supersedes=again["review_id"])["detail"]


def test_undoing_a_second_review_names_the_first_one_which_counts_again(
    reviewer: Reviewer, other: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    burst = reviewer.queue()[0]
    reviewer.decide(burst, "blank")
    first = event_of(publisher)
    fold(writable_catalogue, first)
    reviewer.client.post("/review/release.json", headers=reviewer.headers)
    (again,) = [one for one in other.queue(first=burst["burst_id"]) if one["burst_id"] == burst["burst_id"]]
    decided = other.decide(again, "unknown")
    fold(writable_catalogue, event_of(publisher))
    other.decide(again, "undo", supersedes=decided["review_id"])
    assert event_of(publisher).restores == first.as_burst_review()


def test_a_decision_that_kafka_does_not_take_is_reported(reviewer: Reviewer, publisher: FakePublisher) -> None:
    burst = reviewer.queue()[0]
    publisher.down = True
    assert "Kafka is down" in reviewer.decide(burst, "blank", status=503)["detail"]
    publisher.down = False
    reviewer.decide(burst, "blank")


def test_viewers_review_nothing_and_reviewers_only_their_stations(
    sign_in: SignIn, reviewer: Reviewer, publisher: FakePublisher
) -> None:
    viewer = sign_in(Role.VIEWER)
    assert viewer.get("/review").status_code == 403
    token = {"x-form-token": viewer.get("/account").text.partition('data-form-token="')[2].partition('"')[0]}
    assert viewer.post("/review/queue.json", json={}, headers=token).status_code == 403
    ridge = Reviewer(sign_in(Role.REVIEWER, ["ridge"], name="ridge only"))
    assert {burst["station"] for burst in ridge.queue()} == {"ridge"}
    elsewhere = reviewer.queue(query="station=pass")[0]
    reviewer.client.post("/review/release.json", headers=reviewer.headers)
    ridge.decide(elsewhere, "blank", status=404)
    ridge.queue(status=404, first=elsewhere["burst_id"])
    assert publisher.events == []


def test_without_the_form_token_nothing_is_decided(reviewer: Reviewer, publisher: FakePublisher) -> None:
    burst = reviewer.queue()[0]
    reviewer.headers = {}
    reviewer.decide(burst, "blank", status=403)
    assert publisher.events == []


@pytest.mark.parametrize("queue", ["uncertain", "rare", "blanks", "newest"])
def test_each_queue_keeps_within_the_filters_of_the_view(reviewer: Reviewer, queue: str) -> None:
    bursts = reviewer.queue(queue=queue, query="station=ridge")
    assert bursts
    assert {burst["station"] for burst in bursts} == {"ridge"}
    if queue == "blanks":
        assert {burst["category"] for burst in bursts} == {"blank"}


def test_the_random_blanks_are_of_the_whole_period_and_differ_between_two_requests(reviewer: Reviewer) -> None:
    listed = reviewer.client.get("/browse.json?category=blank&reviewed=no&order=oldest").json()["bursts"]
    oldest = {burst["burst_id"] for burst in listed[: len(listed) // 2]}
    seen: set[str] = set()
    first: set[str] = set()
    for _ in range(200):
        first.add(reviewer.queue(queue="blanks")[0]["burst_id"])
        seen |= {burst["burst_id"] for burst in reviewer.queue(queue="blanks")}
        if seen >= {burst["burst_id"] for burst in listed}:
            break
    assert seen >= {burst["burst_id"] for burst in listed}
    assert len(first) > 1
    assert seen & oldest


def test_species_keys_are_kept_for_the_account(reviewer: Reviewer, other: Reviewer) -> None:
    keys = [{"key": "f", "taxon": "Vulpes vulpes", "label": "red fox"}, {"key": "f", "label": "fox"}]
    answer = reviewer.client.post("/review/keys.json", json=keys, headers=reviewer.headers)
    assert [(one["key"], one["label"]) for one in answer.json()] == [("f", "fox")]
    assert [one["label"] for one in reviewer.client.get("/review.json").json()["keys"]] == ["fox"]
    assert "fox" not in [one["label"] for one in other.client.get("/review.json").json()["keys"]]
    bad = reviewer.client.post("/review/keys.json", json=[{"key": "1", "label": "x"}], headers=reviewer.headers)
    assert bad.status_code == 422


def test_several_bursts_are_decided_at_once_but_none_that_changed_or_is_another_reviewers(
    reviewer: Reviewer, other: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    listed = reviewer.client.get("/browse.json?category=animal&reviewed=no").json()["bursts"]
    done, leased, changed, decided = listed[:4]
    other.queue(first=leased["burst_id"])
    (first,) = [one for one in other.queue(first=decided["burst_id"]) if one["burst_id"] == decided["burst_id"]]
    other.decide(first, "blank")
    fold(writable_catalogue, event_of(publisher))
    items = [{"burst_id": one["burst_id"], "revision": one["revision"]} for one in (done, leased, decided)]
    items += [{"burst_id": changed["burst_id"], "revision": changed["revision"] + 1}]
    items += [{"burst_id": "bst-none", "revision": 1}]
    body = {"decision": "confirm", "bursts": items}
    answer = reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()
    assert list(answer["decided"]) == [done["burst_id"]]
    assert set(answer["refused"]) == {one["burst_id"] for one in (leased, changed, decided)} | {"bst-none"}
    event = event_of(publisher)
    assert (event.decision, event.observations[0].taxon) == (ReviewDecision.CONFIRM, done["taxon"])
    undo = {**items[0], "supersedes": answer["decided"][done["burst_id"]]}
    body = {"decision": "undo", "bursts": [undo]}
    assert reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()["decided"]
    assert event_of(publisher).decision is ReviewDecision.UNDO


SHEEP = {"category": "animal", "taxon": "Ovis", "label": "sheep", "rank": "genus"}


def test_several_bursts_are_given_one_name_and_it_is_taken_back(
    reviewer: Reviewer, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    listed = reviewer.client.get(f"/browse.json?{IBEX}&reviewed=no").json()["bursts"][:3]
    items = [{"burst_id": one["burst_id"], "revision": one["revision"]} for one in listed]
    items[2]["revision"] += 1
    body = {"decision": "correct", "observation": SHEEP, "bursts": items}
    answer = reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()
    assert list(answer["decided"]) == [one["burst_id"] for one in listed[:2]]
    assert list(answer["refused"]) == [listed[2]["burst_id"]]
    events = [event for event in publisher.events if isinstance(event, ObservationReviewed)]
    assert {event.decision for event in events} == {ReviewDecision.CORRECT}
    for event in events:
        (seen,) = event.observations
        assert (seen.category, seen.taxon, seen.label, seen.rank) == (BurstCategory.ANIMAL, "Ovis", "sheep", "genus")
        assert (seen.count, seen.boxes) == (None, ())
        fold(writable_catalogue, event)
    assert reviewer.client.get(f"/bursts/{listed[0]['burst_id']}.json").json()["burst"]["taxon"] == "Ovis"
    undo = [{**item, "supersedes": answer["decided"][item["burst_id"]]} for item in items[:2]]
    body = {"decision": "undo", "bursts": undo}
    assert reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers).json()["refused"] == {}
    fold(writable_catalogue, event_of(publisher))
    page = reviewer.client.get(f"/bursts/{event_of(publisher).burst_id}.json").json()["burst"]
    assert (page["reviewed"], page["taxon"]) == (False, "Capra sibirica")


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "correct"},
        {"decision": "confirm", "observation": SHEEP},
        {"decision": "blank", "observation": SHEEP},
        {"decision": "correct", "observation": {"category": "blank", "label": "blank"}},
        {"decision": "correct", "observation": {"category": "dragon", "label": "dragon"}},
        {"decision": "correct", "observation": {**SHEEP, "label": ""}},
        {"decision": "unknown"},
    ],
)
def test_a_decision_on_several_that_makes_no_sense_is_refused(
    reviewer: Reviewer, publisher: FakePublisher, body: dict[str, Any]
) -> None:
    (burst, *_) = reviewer.client.get(f"/browse.json?{IBEX}&reviewed=no").json()["bursts"]
    body = {**body, "bursts": [{"burst_id": burst["burst_id"], "revision": burst["revision"]}]}
    answer = reviewer.client.post("/review/bulk.json", json=body, headers=reviewer.headers)
    assert answer.status_code == 422
    assert publisher.events == []


def test_of_decisions_at_the_same_moment_exactly_one_counts(
    services: Services, sign_in: SignIn, publisher: FakePublisher
) -> None:
    reviewers = [Reviewer(sign_in(Role.REVIEWER, name=f"reviewer {number}")) for number in range(6)]
    bursts = reviewers[0].client.get("/browse.json?category=animal&reviewed=no").json()["bursts"][:5]
    ready = threading.Barrier(len(reviewers))

    def decide(reviewer: Reviewer, burst: dict[str, Any]) -> int:
        body = {"burst_id": burst["burst_id"], "revision": burst["revision"], "decision": "blank"}
        ready.wait(30)
        return reviewer.client.post("/review/decisions.json", json=body, headers=reviewer.headers).status_code

    with ThreadPoolExecutor(len(reviewers)) as pool:
        for number, burst in enumerate(bursts, 1):
            statuses = sorted(pool.map(decide, reviewers, [burst] * len(reviewers)))
            assert statuses == [200, *[409] * (len(reviewers) - 1)]
            assert len(publisher.events) == number
