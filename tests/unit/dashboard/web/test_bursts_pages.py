"""Live, Browse and Burst as pages and as JSON: filters, rights, hostile names, pictures that are gone."""

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, make_url, select

from tests.unit.dashboard.web.conftest import FakePictures, FakePublisher, SignIn, form_token
from tests.unit.dashboard.web.test_review import fold
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.tables import crops, explanation_requests, explanations
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.file_cache import FileCache
from uncia.dashboard.web.pictures import PictureService
from uncia.dashboard.web.services import Services
from uncia.events import ExplanationRequested, ObservationReviewed, ReviewDecision
from uncia.storage.object_store import ObjectContent, ObjectStore


def first_burst(client: TestClient, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/browse.json?{query}").json()["bursts"][0]
    return found


def test_each_page_of_bursts_has_a_twin_with_the_same_bursts(sign_in: SignIn) -> None:
    viewer = sign_in()
    burst = first_burst(viewer)
    for address in ("/", "/browse", burst["href"]):
        page, twin = viewer.get(address), viewer.get("/index.json" if address == "/" else f"{address}.json")
        assert page.status_code == twin.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        shown = twin.json().get("bursts") or [twin.json()["burst"]]
        assert shown
        assert all(one["burst_id"] in page.text for one in shown)
        assert viewer.get(address, headers={"accept": "application/json"}).json() == twin.json()


def test_filters_of_the_address_cut_the_list_and_are_set_in_the_form(sign_in: SignIn) -> None:
    viewer = sign_in()
    query = "category=animal&station=ridge&from=20:00&to=06:00&order=oldest&since=2026-05-02&reviewed=&taxon=&after="
    bursts = viewer.get(f"/browse.json?{query}").json()["bursts"]
    assert bursts
    for one in bursts:
        assert (one["category"], one["station"]) == ("animal", "ridge")
        hour = int(one["started_at"][11:13])
        assert hour >= 20 or hour < 6
    assert [one["started_at"] for one in bursts] == sorted(one["started_at"] for one in bursts)
    page = viewer.get(f"/browse?{query}").text
    assert re.search(r'name="category" value="animal" id="[^"]+" checked', page)
    assert 'name="from" id="f-from" value="20:00"' in page


def test_counts_of_the_choices_are_those_of_the_lists(sign_in: SignIn) -> None:
    viewer = sign_in()
    facets = viewer.get("/browse.json").json()["facets"]
    for category, count in facets["category"].items():
        assert viewer.get(f"/browse.json?category={category}").json()["facets"]["total"] == count


def test_a_list_goes_on_without_gap_or_repetition(sign_in: SignIn) -> None:
    viewer = sign_in()
    seen: list[str] = []
    query, pages = "", 0
    while True:
        page = viewer.get(f"/browse.json?after={query}").json()
        seen += [one["burst_id"] for one in page["bursts"]]
        pages += 1
        if page["after"] is None:
            break
        query = page["after"]
    assert pages > 2
    assert len(seen) == len(set(seen)) == viewer.get("/browse.json").json()["facets"]["total"]


def test_what_htmx_asks_for_is_a_part_and_the_next_page_cards_only(sign_in: SignIn) -> None:
    viewer = sign_in()
    part = viewer.get("/browse", headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert 'id="browse"' in part
    after = viewer.get("/browse.json").json()["after"]
    more = viewer.get(f"/browse?after={after}", headers={"hx-request": "true"}).text
    assert "filters" not in more
    assert more.count("<article") == 48


@pytest.mark.parametrize("query", ["station=nowhere", "taxon=Nothing%20such", "since=2099-01-01", "flag=none"])
def test_a_filter_that_matches_nothing_says_so_and_how_to_go_on(sign_in: SignIn, query: str) -> None:
    page = sign_in().get(f"/browse?{query}")
    assert page.status_code == 200
    assert "No burst matches these filters." in page.text
    assert "Clear all filters" in page.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=yesterday", 422),
        ("from=25:00", 422),
        ("confidence_min=2", 422),
        ("confidence_min=nan", 422),
        ("order=random", 422),
        ("after=bm90IGEgY3Vyc29y", 409),
        ("station=%00", 200),
        ("unknown=1", 200),
    ],
)
def test_an_address_that_makes_no_sense_is_answered_in_a_sentence(sign_in: SignIn, query: str, status: int) -> None:
    viewer = sign_in()
    page = viewer.get(f"/browse?{query}")
    assert page.status_code == status
    assert "Traceback" not in page.text
    assert viewer.get(f"/browse.json?{query}").status_code == status


def test_a_viewer_of_one_station_sees_no_other_by_page_or_by_api(sign_in: SignIn, client: TestClient) -> None:
    admin, viewer = sign_in(Role.ADMIN), sign_in(Role.VIEWER, ["ridge"])
    secret = first_burst(admin, "station=pass")
    own = first_burst(viewer)
    assert own["station"] == "ridge"
    for address in ("/index.json", "/browse.json", "/browse.json?station=pass", "/live/pipeline.json"):
        text = viewer.get(address).text
        assert "pass/cam" not in text
        assert secret["burst_id"] not in text
    assert "pass" not in viewer.get("/browse.json").json()["facets"]["station"]
    for address in (
        secret["href"],
        f"{secret['href']}.json",
        f"/live/hero/{secret['burst_id']}",
        secret["frames"][0]["thumb"],
        secret["frames"][0]["view"],
    ):
        assert admin.get(address).status_code in (200, 404)
        assert viewer.get(address).status_code == 404
    assert viewer.get(own["frames"][own["cover"]]["thumb"]).status_code == 200
    assert client.get(own["frames"][own["cover"]]["thumb"]).status_code == 303


def test_an_account_without_a_station_sees_nothing(sign_in: SignIn) -> None:
    viewer = sign_in(Role.VIEWER, [])
    assert viewer.get("/browse.json").json()["bursts"] == []
    assert viewer.get("/").status_code == 200


def test_hostile_names_are_text(sign_in: SignIn, catalogue: Catalogue) -> None:
    viewer = sign_in()
    page = viewer.get("/browse?station=north%20%3Cslope%3E").text
    assert "north &lt;slope&gt;/cam-" in page
    assert "<slope>" not in page
    assert '"><script>' not in viewer.get("/browse?taxon=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    escape = viewer.get("/browse?flag=%1b%5b31mred")
    assert "\x1b" not in escape.text


def test_a_picture_that_is_gone_is_answered_with_the_reason(sign_in: SignIn, pictures: FakePictures) -> None:
    viewer = sign_in()
    frame = first_burst(viewer, "category=animal")["frames"][0]
    picture = viewer.get(frame["thumb"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "private, max-age=3600"
    pictures.gone.add(frame["image_id"])
    gone = viewer.get(frame["thumb"], headers={"accept": "application/json"})
    assert gone.status_code == 404
    assert gone.json()["detail"] == "no longer stored"
    assert viewer.get("/pictures/img-unknown/thumb.jpg").status_code == 404
    assert viewer.get(frame["thumb"].replace("thumb", "enormous")).status_code == 422


def test_crops_are_served_with_the_rights_of_the_caller_and_withdrawn_ones_not(
    sign_in: SignIn, writable_catalogue: Engine
) -> None:
    viewer, elsewhere = sign_in(), sign_in(Role.VIEWER, ["nowhere"], name="elsewhere")
    with writable_catalogue.begin() as connection:
        rows = connection.execute(select(crops.c.crop_id, crops.c.withdrawn)).all()
    assert {row.withdrawn for row in rows} == {None, "person-in-burst"}
    for row in rows:
        address = f"/pictures/crops/{row.crop_id}.jpg"
        assert viewer.get(address).status_code == (200 if row.withdrawn is None else 404)
        assert elsewhere.get(address).status_code == 404
    assert viewer.get("/pictures/explanations/exp-none.png").status_code == 404


def test_the_page_of_a_burst_leads_to_its_neighbours_within_the_filters(sign_in: SignIn) -> None:
    viewer = sign_in()
    bursts = viewer.get("/browse.json?camera=ridge/cam-1&category=animal&order=oldest").json()["bursts"]
    middle = viewer.get(f"{bursts[1]['href']}.json?camera=ridge/cam-1&category=animal").json()
    assert middle["before"]["burst_id"] == bursts[0]["burst_id"]
    assert middle["after"]["burst_id"] == bursts[2]["burst_id"]
    page = viewer.get(f"{bursts[1]['href']}?camera=ridge/cam-1&category=animal").text
    assert f"{bursts[2]['href']}?category=animal&amp;camera=ridge%2Fcam-1" in page


def test_an_explanation_is_requested_by_reviewers_only(sign_in: SignIn, publisher: FakePublisher) -> None:
    viewer, reviewer = sign_in(), sign_in(Role.REVIEWER)
    burst = first_burst(reviewer, "category=animal")
    frame = next(one for one in burst["frames"] if not one["rejected"])
    address = f"{burst['href']}/frames/{frame['image_id']}/explain"
    token = form_token(reviewer.get(burst["href"]).text)
    assert viewer.post(address, headers={"x-form-token": "x"}).status_code == 403
    assert reviewer.post(address, data={"form_token": token}).status_code == 303
    (event,) = publisher.events
    assert isinstance(event, ExplanationRequested)
    assert (event.image_id, event.camera) == (frame["image_id"], burst["camera"])
    assert reviewer.post(f"{burst['href']}/frames/img-x/explain", data={"form_token": token}).status_code == 404


def png() -> bytes:
    """A picture as `explain` stores it, without metadata."""
    stored = io.BytesIO()
    Image.new("RGB", (8, 6), "teal").save(stored, "PNG")
    return stored.getvalue()


class StoredObject(ObjectStore):
    """One object of the store, under any key."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(
        self, bucket: str, key: str, *, max_bytes: int, etag: str = "", size: int = 0, version_id: str | None = None
    ) -> ObjectContent:
        return ObjectContent(self.data, "etag")


@pytest.mark.parametrize(("data", "status"), [(png(), 200), (b"<svg/>", 404), (png()[:40], 404)])
def test_a_heat_map_is_served_as_png_and_nothing_else(
    services: Services, sign_in: SignIn, writable_catalogue: Engine, tmp_path: Path, data: bytes, status: int
) -> None:
    cache = FileCache(tmp_path / "cache", max_bytes=1_000_000)
    services.pictures = PictureService(StoredObject(data), cache, max_bytes=1_000_000, max_pixels=1_000_000)
    with writable_catalogue.begin() as connection:
        name = connection.execute(select(explanations.c.explanation_id)).scalars().first()
    answer = sign_in().get(f"/pictures/explanations/{name}.png")
    assert answer.status_code == status
    if status == 200:
        assert (answer.headers["content-type"], answer.content) == ("image/png", data)


def test_only_the_list_of_explanations_is_sent_to_a_poll_and_only_pending_ones_poll(
    sign_in: SignIn, writable_catalogue: Engine
) -> None:
    viewer = sign_in()
    with writable_catalogue.begin() as connection:
        done = set(connection.execute(select(explanations.c.image_id)).scalars())
        requested = set(connection.execute(select(explanation_requests.c.image_id)).scalars())
    for wanted, polls in ((requested - done, True), (done, False)):
        found = (one for one in viewer.get("/browse.json").json()["bursts"])
        burst = next(one for one in found if wanted & {frame["image_id"] for frame in one["frames"]})
        part = viewer.get(burst["href"], headers={"hx-request": "true"}).text
        assert part.lstrip().startswith('<div id="explanation-list"')
        assert "<html" not in part
        assert (f'hx-get="{burst["href"]}"' in part) == polls


def test_a_favourite_is_marked_by_reviewers_and_the_mark_is_removed_again(
    sign_in: SignIn, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    viewer, reviewer = sign_in(), sign_in(Role.REVIEWER)
    burst = first_burst(reviewer, "category=animal&reviewed=no")
    address, headers = f"{burst['href']}/favourite.json", {"x-form-token": form_token(reviewer.get(burst["href"]).text)}

    def send(favourite: bool, status: int = 200, client: TestClient = reviewer, **more: Any) -> Any:
        body = {"favourite": favourite, "revision": burst["revision"], **more}
        response = client.post(address, json=body, headers=headers)
        assert response.status_code == status, response.text
        for event in publisher.events:
            assert isinstance(event, ObservationReviewed)
            fold(writable_catalogue, event)
        return response.json()

    def shown() -> tuple[list[str], bool, list[str]]:
        detail = viewer.get(f"{burst['href']}.json").json()
        listed = viewer.get("/browse.json?flag=favourite").json()["bursts"]
        return detail["burst"]["marks"], detail["burst"]["reviewed"], [one["burst_id"] for one in listed]

    send(True, 403, viewer)
    send(True, 422, marks=["other"])
    assert publisher.events == []
    assert send(True) == {"marks": ["favourite"]}
    marks, reviewed, listed = shown()
    assert (marks, reviewed) == (["favourite"], False)
    assert burst["burst_id"] in listed
    assert f'id="burst-{burst["burst_id"]}"' in viewer.get("/browse?flag=favourite").text
    assert 'class="star"' in viewer.get("/browse?flag=favourite").text
    assert send(False) == {"marks": []}
    marks, reviewed, listed = shown()
    assert (marks, reviewed) == ([], False)
    assert burst["burst_id"] not in listed
    sent = [event for event in publisher.events if isinstance(event, ObservationReviewed)]
    assert [(event.decision, event.marks) for event in sent] == [
        (ReviewDecision.MARK, ("favourite",)),
        (ReviewDecision.MARK, ()),
    ]


def test_removing_the_favourite_leaves_other_marks_and_a_colleagues_review(
    sign_in: SignIn, publisher: FakePublisher, writable_catalogue: Engine
) -> None:
    reviewer = sign_in(Role.REVIEWER)
    burst = first_burst(reviewer, "category=animal&reviewed=no")
    review = ObservationReviewed(
        review_id="rev-aigul",
        burst_id=burst["burst_id"],
        station=burst["station"],
        camera=burst["camera"],
        reviewer="aigul",
        decision=ReviewDecision.BLANK,
        marks=("favourite", "look again"),
        reviewed_at=datetime.now(UTC) - timedelta(minutes=1),
    )
    fold(writable_catalogue, review)
    headers = {"x-form-token": form_token(reviewer.get(burst["href"]).text)}
    body = {"favourite": False, "revision": burst["revision"]}
    answer = reviewer.post(f"{burst['href']}/favourite.json", json=body, headers=headers)
    assert answer.json() == {"marks": ["look again"]}
    (mark,) = publisher.events
    assert isinstance(mark, ObservationReviewed)
    fold(writable_catalogue, mark)
    found = reviewer.get(f"{burst['href']}.json").json()["burst"]
    assert (found["marks"], found["category"], found["reviewer"]) == (["look again"], "blank", "aigul")


def test_views_are_saved_for_the_account_alone(sign_in: SignIn) -> None:
    one, other = sign_in(name="one"), sign_in(name="other")
    token = form_token(one.get("/browse").text)
    query = "category=animal&from=20%3A00"
    saved = one.post("/views", data={"name": "nights", "query": f"{query}&after=xyz", "form_token": token})
    assert saved.status_code == 303
    views = one.get("/browse.json").json()["views"]
    assert [(view["name"], view["query"]) for view in views] == [("nights", query)]
    assert other.get("/browse.json").json()["views"] == []
    stranger = form_token(other.get("/browse").text)
    other.post(f"/views/{views[0]['id']}/delete", data={"form_token": stranger})
    assert one.get("/browse.json").json()["views"] == views
    one.post(f"/views/{views[0]['id']}/delete", data={"form_token": token})
    assert one.get("/browse.json").json()["views"] == []


def test_without_a_catalogue_a_page_says_what_is_missing(services: Services, sign_in: SignIn, tmp_path: Path) -> None:
    viewer = sign_in()
    services.catalogue = Catalogue(open_database(make_url(f"sqlite:///{tmp_path}/none.sqlite"), read_only=True))
    page = viewer.get("/browse")
    assert page.status_code == 503
    assert "database of the catalogue" in page.text
    assert "SELECT" not in page.text
    assert viewer.get("/browse.json").status_code == 503
