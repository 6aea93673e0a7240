"""Numbers and Health: counts equal those of the lists, positions are as coarse as they must be, rights."""

import csv
import io

import pytest

from tests.unit.dashboard.web.conftest import SignIn
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.pages.numbers import write_csv


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
    # A quarter of the deployments is withheld, a quarter rounded to a tenth of a degree, one to a hundredth, one exact.
    assert len(coarse) == 9
    assert sum(round(one["latitude"], 1) == one["latitude"] for one in coarse.values()) >= 3
    assert all(one["uncertainty_m"] >= 10 for one in coarse.values())


@pytest.mark.parametrize("table", ["subjects", "hours", "days", "accumulation", "confusion", "effort"])
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


def test_a_cell_of_the_confusion_opens_its_bursts(sign_in: SignIn) -> None:
    viewer = sign_in()
    for pair in viewer.get("/numbers.json").json()["confusion"]:
        if pair["human"] == "blank":
            found = viewer.get("/browse.json", params={"reviewed": "yes", "model": pair["model"], "category": "blank"})
            assert found.json()["facets"]["total"] == len(found.json()["bursts"]) == pair["count"]


def test_the_page_of_a_burst_shows_a_position_only_to_those_who_may_know_it(sign_in: SignIn) -> None:
    viewer, operator = sign_in(), sign_in(Role.OPERATOR)
    shown = {one["camera"]: one for one in viewer.get("/numbers.json").json()["positions"]}
    for camera in ("ridge/cam-1", "pass/cam-1", "spring/cam-1"):
        (burst, *_) = viewer.get("/browse.json", params={"camera": camera}).json()["bursts"]
        position = viewer.get(f"{burst['href']}.json").json()["position"]
        assert (position and position["latitude"]) == (shown.get(camera) or {}).get("latitude")
        assert operator.get(f"{burst['href']}.json").json()["position"]["uncertainty_m"] == 10
