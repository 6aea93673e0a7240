"""Numbers and Health: counts equal those of the lists, positions are as coarse as they must be, rights."""

import csv
import io
import re
from pathlib import Path

import pytest

from tests.unit.dashboard.web.conftest import SignIn
from uncia.dashboard.catalogue.number_rows import ConfusedPair
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.number_views import ConfusionMatrix, Table
from uncia.dashboard.web.pages.numbers import write_csv
from uncia.dashboard.web.services import Services


def test_counts_of_subjects_are_those_of_the_lists(sign_in: SignIn) -> None:
    viewer = sign_in()
    numbers = viewer.get("/numbers.json?interval=0").json()
    assert numbers["bursts"] == viewer.get("/browse.json").json()["facets"]["total"]
    for one in numbers["subjects"]:
        if one["category"] != "animal":
            continue
        listed = viewer.get("/browse.json", params={"taxon": one["subject"], "category": "animal"}).json()
        exact = sum(taxon["own"] for taxon in listed["facets"]["taxon"] if taxon["taxon"] == one["subject"])
        assert one["bursts"] == exact
        # Every burst counts with an interval of 0.
        assert one["independent"] == sum(one["hours"]) == exact
    assert [point["taxa"] for point in numbers["accumulation"]] == list(range(1, len(numbers["accumulation"]) + 1))


def test_a_longer_interval_leaves_fewer_independent_detections(sign_in: SignIn) -> None:
    viewer = sign_in()
    totals = [
        sum(one["independent"] for one in viewer.get(f"/numbers.json?interval={minutes}").json()["subjects"])
        for minutes in (0, 60, 60 * 24 * 30)
    ]
    assert totals[0] >= totals[1] > totals[2] > 0


def test_filters_and_rights_cut_the_numbers(sign_in: SignIn) -> None:
    viewer, all_of_it = sign_in(Role.VIEWER, ["ridge"]), sign_in(Role.ADMIN)
    own = viewer.get("/numbers.json").json()
    assert own["bursts"] == all_of_it.get("/numbers.json?station=ridge").json()["bursts"]
    assert {one["station"] for one in own["effort"]} == {"ridge"}
    assert {one["station"] for one in own["positions"]} <= {"ridge"}
    assert "pass/cam" not in viewer.get("/numbers").text
    assert "pass/cam" not in viewer.get("/numbers/effort.csv").text


def test_only_operators_see_exact_positions(sign_in: SignIn) -> None:
    exact = {one["camera"]: one for one in sign_in(Role.OPERATOR).get("/numbers.json").json()["positions"]}
    coarse = {one["camera"]: one for one in sign_in(Role.REVIEWER).get("/numbers.json").json()["positions"]}
    assert len(exact) == 12
    # A quarter is withheld for its deployment, and three more cameras because they saw a snow leopard.
    assert len(coarse) == 6
    leopards = sign_in(Role.ADMIN).get("/browse.json", params={"taxon": "Panthera uncia"}).json()["bursts"]
    saw = {burst["camera"] for burst in leopards}
    assert saw and not saw & set(coarse)
    assert all(one["uncertainty_m"] >= 10 for one in coarse.values())


@pytest.mark.parametrize("table", list(Table))
def test_each_table_downloads_as_csv(sign_in: SignIn, table: str) -> None:
    response = sign_in().get(f"/numbers/{table}.csv?category=animal")
    assert response.status_code == 200
    assert response.headers["content-disposition"] == f'attachment; filename="uncia-{table}.csv"'
    columns, *rows = csv.reader(io.StringIO(response.text))
    assert rows
    assert all(len(row) == len(columns) for row in rows)


def test_a_cell_is_never_a_formula() -> None:
    text = write_csv(["a"], [["=1+1"], ["+x"], ["-x"], ["@x"], [" =x"], ["fine"], [-5], [None]])
    cells = [row[0] if row else "" for row in csv.reader(io.StringIO(text))][1:]
    assert cells == ["'=1+1", "'+x", "'-x", "'@x", "' =x", "fine", "-5", ""]


def test_health_lists_every_camera_with_its_clock_and_silence(sign_in: SignIn) -> None:
    cameras = sign_in().get("/health.json").json()["cameras"]
    assert len(cameras) == 12
    # All photographs of the fixture are old.
    assert all(one["silent"] for one in cameras)
    assert {one["clock"] for one in cameras} == {"ok", "suspicious"}
    assert cameras[0]["clock"] == "suspicious"
    own = sign_in(Role.VIEWER, ["ridge"], name="ridge").get("/health.json").json()["cameras"]
    assert {one["station"] for one in own} == {"ridge"}


@pytest.mark.parametrize("filters", ["", "&since=2026-05-10&until=2026-06-10", "&category=animal"])
def test_each_cell_of_the_confusion_opens_exactly_its_bursts(sign_in: SignIn, filters: str) -> None:
    viewer = sign_in()
    pairs = {
        (one["model"], one["human"]): one["count"] for one in viewer.get(f"/numbers.json?{filters}").json()["confusion"]
    }
    html = viewer.get(f"/numbers?{filters}").text
    cells = re.findall(r'<a href="(/browse[?][^"]+)">([0-9]+)</a></td>', html[html.index('id="table-confusion"') :])
    cells = [(address.replace("&amp;", "&"), int(count)) for address, count in cells if "called=" in address]
    assert sorted(count for _, count in cells) == sorted(pairs.values())
    for address, count in cells:
        found = viewer.get(address, headers={"accept": "application/json"}).json()
        assert found["facets"]["total"] == len(found["bursts"]) == count


def test_precision_and_recall_are_by_row_and_column() -> None:
    pairs = [ConfusedPair("fox", "fox", 6), ConfusedPair("fox", "blank", 2), ConfusedPair("wolf", "fox", 4)]
    matrix = ConfusionMatrix(pairs)
    assert (matrix.models, matrix.humans) == (["fox", "wolf"], ["fox", "blank"])
    assert (matrix.precision("fox"), matrix.precision("wolf"), matrix.precision("bear")) == (0.75, 0, None)
    assert (matrix.recall("fox"), matrix.recall("blank"), matrix.recall("bear")) == (0.6, 0, None)


def test_the_map_shows_the_measure_of_the_bursts_that_the_filters_allow(sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    for measure, filters in (("bursts", ""), ("independent", "taxon=Aves"), ("nights", ""), ("taxa", "station=ridge")):
        page = operator.get(f"/numbers.json?interval=0&measure={measure}&{filters}").json()
        by_camera = {one["camera"]: one[measure] for one in page["effort"]}
        shown = {camera: one["value"] for one in page["places"] for camera in one["cameras"]}
        assert shown == by_camera
    rate = operator.get("/numbers.json?measure=rate").json()
    own = {one["camera"]: one for one in rate["effort"]}
    for place in rate["places"]:
        (camera,) = place["cameras"]
        assert place["value"] == pytest.approx(own[camera]["per_100_nights"], abs=0.005)


def test_the_sum_over_cameras_is_that_of_the_page(sign_in: SignIn) -> None:
    page = sign_in().get("/numbers.json?interval=0").json()
    assert sum(one["bursts"] for one in page["effort"]) == page["bursts"]
    assert sum(one["nights"] for one in page["effort"]) == page["nights"]
    assert sum(one["blank"] for one in page["effort"]) / page["bursts"] == page["blank_share"]
    animals = [one for one in page["subjects"] if one["category"] == "animal"]
    assert sum(one["independent"] for one in page["effort"]) == sum(one["independent"] for one in animals)
    rarefaction = page["rarefaction"]
    assert rarefaction[-1]["taxa"] == len(page["accumulation"]) <= page["expected_taxa"]


def test_coarse_positions_that_coincide_are_one_place(sign_in: SignIn) -> None:
    viewer = sign_in()
    page = viewer.get("/numbers.json?measure=bursts").json()
    assert len(page["places"]) < len(page["positions"]) == 6
    assert page["withheld"] == 6
    own = {one["camera"]: one for one in page["effort"]}
    for place in page["places"]:
        assert place["value"] == sum(own[camera]["bursts"] for camera in place["cameras"])
    html = viewer.get("/numbers").text
    # The drawing is there without JavaScript; names of stations are escaped.
    assert 'id="plot-map"' in html
    assert "<slope>" not in html


def test_the_form_keeps_filters_and_each_can_be_removed(sign_in: SignIn) -> None:
    html = sign_in().get("/numbers?interval=45&category=animal&category=blank&from=20:00&station=ridge").text
    for field in (
        '<input type="hidden" name="category" value="animal">',
        '<input type="hidden" name="category" value="blank">',
        '<input type="hidden" name="from" value="20:00">',
        '<option value="45" selected>',
        'href="/numbers?interval=45&amp;measure=rate&amp;category=blank&amp;station=ridge&amp;from=20%3A00"',
    ):
        assert field in html


def test_a_filter_that_matches_nothing_is_a_page(sign_in: SignIn) -> None:
    viewer = sign_in()
    assert viewer.get("/numbers?taxon=Nessiteras").status_code == 200
    page = viewer.get("/numbers.json?camera=nowhere/cam").json()
    assert (page["bursts"], page["nights"], page["places"], page["blank_share"]) == (0, 0, [], None)
    assert viewer.get("/numbers?camera=nowhere/cam").status_code == 200
    assert viewer.get("/health?station=nowhere").status_code == 200


def test_tiles_come_from_the_folder_and_need_an_account(sign_in: SignIn, services: Services, tmp_path: Path) -> None:
    viewer = sign_in()
    assert viewer.get("/tiles/3/4/5").status_code == 404
    assert "data-tiles" not in viewer.get("/numbers").text
    folder = tmp_path / "tiles"
    (folder / "3" / "4").mkdir(parents=True)
    (folder / "3" / "4" / "5.png").write_bytes(b"a tile")
    services.settings = services.settings.model_copy(update={"dashboard_tiles": folder})
    found = viewer.get("/tiles/3/4/5")
    assert (found.content, found.headers["content-type"]) == (b"a tile", "image/png")
    assert 'data-tiles="/tiles/{z}/{x}/{y}"' in viewer.get("/numbers").text
    assert viewer.get("/tiles/3/4/6").status_code == 404
    assert viewer.get("/tiles/..%2f/4/5").status_code in (404, 422)
    assert viewer.get("/tiles/3/-1/5").status_code == 422
    viewer.cookies.clear()
    assert viewer.get("/tiles/3/4/5").status_code == 303


def test_the_page_of_a_burst_shows_a_position_only_to_those_who_may_know_it(sign_in: SignIn) -> None:
    viewer, operator = sign_in(), sign_in(Role.OPERATOR)
    shown = {one["camera"]: one for one in viewer.get("/numbers.json").json()["positions"]}
    for camera in ("ridge/cam-1", "pass/cam-1", "spring/cam-1"):
        (burst, *_) = viewer.get("/browse.json", params={"camera": camera}).json()["bursts"]
        position = viewer.get(f"{burst['href']}.json").json()["position"]
        assert (position and position["latitude"]) == (shown.get(camera) or {}).get("latitude")
        assert operator.get(f"{burst['href']}.json").json()["position"]["uncertainty_m"] == 10
