"""A whole harvest against a server on loopback, and what it does with bad data, duplicates and interruptions."""

import csv
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.processors.delivery.http_receiver import Answer, Receiver
from tests.unit.training.harvest.public_sources import (
    as_json,
    as_picture,
    commons_page,
    gbif_medium,
    gbif_page,
    inaturalist_page,
    inaturalist_photo,
    openverse_page,
    picture,
    serving,
)
from uncia.polite_http.client import FetchStopped
from uncia.training.datasets.reading import read_dataset
from uncia.training.harvest import HarvestError, running
from uncia.training.harvest.query import HarvestPlan, TargetTaxon, plan_queries
from uncia.training.harvest.running import HarvestResult, run_harvest
from uncia.training.harvest.store import HarvestStore, harvest_file

LEOPARD = TargetTaxon("Panthera uncia", "snow leopard", ("Uncia uncia",), ("ounce",), 5219426)
BY = "http://creativecommons.org/licenses/by/4.0/"


@pytest.fixture(autouse=True)
def without_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server on loopback is ours: an interval of seconds would test the clock."""
    build = running.build_limiter

    def fast(sources: dict[str, Any]) -> Any:
        limiter = build(sources)
        limiter._intervals["127.0.0.1"] = 0.0
        return limiter

    monkeypatch.setattr(running, "build_limiter", fast)
    monkeypatch.setattr("uncia.polite_http.client._ATTEMPTS", 1)


def plan_of(server: Receiver | None, *sources: str, **changes: Any) -> HarvestPlan:
    plan = HarvestPlan((LEOPARD,), sources, 20, 0, licences=("cc0", "cc-by", "cc-by-sa"), contact="ada@example.org")
    if server is not None:
        plan = replace(plan, endpoints={source: f"{server.url}/{source}" for source in sources})
    return replace(plan, **changes)


def planned(folder: Path, plan: HarvestPlan) -> Path:
    folder.mkdir(exist_ok=True)
    store = HarvestStore(harvest_file(folder), create=True)
    store.write_plan(plan, plan_queries(plan))
    store.close()
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "pictures.csv").open() as file:
        return list(csv.DictReader(file))


def reasons(result: HarvestResult) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in result.report["pictures"] if row["reason"]}


def harvest_inaturalist(
    folder: Path, respond: Callable[[str, Receiver], Answer], *urls: str, **photo: Any
) -> HarvestResult:
    """A harvest of photographs at these paths, which `respond` answers."""
    servers: list[Receiver] = []

    def answer(path: str, query: dict[str, str]) -> Answer | None:
        if path == "/inaturalist/observations":
            photos = [inaturalist_photo(n, servers[0].url + url, **photo) for n, url in enumerate(urls, 1)]
            return as_json(inaturalist_page(*photos))
        return None if path == "/robots.txt" else respond(path, servers[0])

    with serving(answer) as server:
        servers.append(server)
        return run_harvest(planned(folder, plan_of(server, "inaturalist")), None)


def test_a_harvest_ends_as_a_dataset_with_the_provenance_of_each_picture(tmp_path: Path) -> None:
    result = harvest_inaturalist(tmp_path, lambda path, _: as_picture(picture(1)), "/p/square.jpg")
    (row,) = rows_of(tmp_path)
    assert result.complete
    assert (row["label"], row["taxon"], row["group"]) == ("snow leopard", "Panthera uncia", "animal")
    assert (row["author"], row["licence"], row["source"], row["source id"]) == ("Ada", "CC BY", "inaturalist", "1")
    assert row["page"] == "https://www.inaturalist.org/observations/1"
    assert (tmp_path / row["path"]).read_bytes() == picture(1)
    (sample,) = read_dataset(tmp_path).samples
    assert (sample.label, sample.weight, sample.burst) == ("snow leopard", 1.0, "inaturalist-ada/inaturalist-1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (as_picture(picture(1)[:400]), "image-truncated"),
        (Answer(200, {"Content-Type": "image/jpeg"}, b"<html>not a picture</html>"), "image-unknown-kind"),
        (Answer(200, {}, b""), "image-empty"),
        (as_picture(picture(1, (20, 20))), "image-too-small"),
        (Answer(404), "http-404"),
        (Answer(200, {"Content-Length": str(10**9)}, b"x"), "too-large"),
        (Answer(302, {"Location": "http://10.0.0.1/x.jpg"}), "address-forbidden"),
    ],
    ids=["cut-off", "html", "empty", "icon", "gone", "gigabyte", "private-address"],
)
def test_a_picture_that_cannot_be_used_is_left_out_with_the_reason(tmp_path: Path, answer: Answer, reason: str) -> None:
    result = harvest_inaturalist(tmp_path, lambda *_: answer, "/p/square.jpg")
    assert reasons(result) == {reason: 1}
    assert rows_of(tmp_path) == []


@pytest.mark.parametrize(
    ("licence", "reason"),
    [(None, "licence-missing"), ("all rights reserved", "licence-unknown"), ("cc-by-nc", "licence-not-accepted")],
)
def test_a_picture_without_an_accepted_licence_is_counted_and_never_fetched(
    tmp_path: Path, licence: str | None, reason: str
) -> None:
    fetched: list[str] = []

    def respond(path: str, server: Receiver) -> Answer:
        fetched.append(path)
        return as_picture(picture(1))

    result = harvest_inaturalist(tmp_path, respond, "/p/square.jpg", licence=licence)
    assert reasons(result) == {reason: 1}
    assert fetched == []


def test_robots_keep_a_picture_out(tmp_path: Path) -> None:
    servers: list[Receiver] = []

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        if path == "/robots.txt":
            return Answer(200, {}, b"User-agent: *\nDisallow: /p/")
        return as_json(inaturalist_page(inaturalist_photo(1, f"{servers[0].url}/p/square.jpg")))

    with serving(respond) as server:
        servers.append(server)
        result = run_harvest(planned(tmp_path, plan_of(server, "inaturalist")), None)
    assert reasons(result) == {"robots": 1}


def test_one_photograph_of_two_sources_is_in_the_dataset_once(tmp_path: Path) -> None:
    servers: list[Receiver] = []
    whole, other = picture(1, (320, 240)), picture(1, (320, 240), "PNG")

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        url = servers[0].url
        media = [gbif_medium(f"{url}/{name}.jpg", BY) for name in ("b", "a/large", "c")]
        answers = {
            "/inaturalist/observations": as_json(inaturalist_page(inaturalist_photo(1, f"{url}/a/square.jpg"))),
            "/gbif/occurrence/search": as_json(gbif_page(*media)),
            "/a/large.jpg": as_picture(whole),
            "/b.jpg": as_picture(other),
            "/c.jpg": as_picture(whole),
        }
        return answers.get(path)

    with serving(respond) as server:
        servers.append(server)
        result = run_harvest(planned(tmp_path, plan_of(server, "inaturalist", "gbif")), None)
    assert reasons(result) == {"same-photograph": 1, "same-address": 1, "same-bytes": 1}
    assert [row["source"] for row in rows_of(tmp_path)] == ["inaturalist"]


def test_negatives_come_from_habitats_and_random_words_and_never_name_the_target(tmp_path: Path) -> None:
    servers: list[Receiver] = []

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        url = servers[0].url
        if path == "/wikimedia-commons":
            if "alpine meadow" in query["gsrsearch"]:
                return as_json(commons_page(f"{url}/meadow.jpg"))
            return as_json(commons_page(f"{url}/leopard.jpg"))
        if path == "/openverse/images/":
            named = "Uncia uncia" in query["q"] or "Panthera" in query["q"]
            piano = openverse_page(f"{url}/piano.jpg", title="An ounce on a piano" if "piano" in query["q"] else "Alps")
            return as_json({"results": [], "page_count": 0} if named else piano)
        return None if path == "/robots.txt" else as_picture(picture(len(path)))

    plan = plan_of(None, "wikimedia-commons", "openverse", negatives=8, habitats=("alpine meadow",), words=("piano",))
    with serving(respond) as server:
        servers.append(server)
        endpoints = {"wikimedia-commons": f"{server.url}/wikimedia-commons", "openverse": f"{server.url}/openverse"}
        result = run_harvest(planned(tmp_path, replace(plan, endpoints=endpoints)), None)
    purposes = {(row["label"], row["purpose"], row["group"]) for row in rows_of(tmp_path)}
    assert ("blank", "habitat", "nothing") in purposes
    assert reasons(result)["names-target"] == 1


def test_a_run_after_a_kill_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    servers: list[Receiver] = []

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        if path == "/gbif/occurrence/search":
            if query["offset"] == "300" and fail:
                return Answer(503)
            number = int(query["offset"]) // 300
            medium = gbif_medium(f"{servers[0].url}/{number}.jpg", BY)
            return as_json(gbif_page(medium, key=number, end=number == 2))
        return None if path == "/robots.txt" else as_picture(picture(int(path[1])))

    with serving(respond) as server:
        servers.append(server)
        fail = True
        first = run_harvest(planned(tmp_path, plan_of(server, "gbif")), None)
        assert not first.complete
        assert first.pictures == 1
        asked = len(server.requests)
        fail = False
        second = run_harvest(tmp_path, None)
        later = [request.path for request in server.requests[asked:]]
    assert second.complete
    assert second.pictures == 3
    assert not any("offset=0" in path or path == "/0.jpg" for path in later)


def test_a_source_that_fails_does_not_hold_up_another(tmp_path: Path) -> None:
    servers: list[Receiver] = []

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        if path == "/inaturalist/observations":
            return Answer(200, {"Content-Type": "text/html"}, b"<html>maintenance</html>")
        if path == "/gbif/occurrence/search":
            return as_json(gbif_page(gbif_medium(f"{servers[0].url}/1.jpg", BY)))
        return None if path == "/robots.txt" else as_picture(picture(1))

    with serving(respond) as server:
        servers.append(server)
        result = run_harvest(planned(tmp_path, plan_of(server, "inaturalist", "gbif")), None)
    assert list(result.search.unavailable) == ["inaturalist"]
    assert result.pictures == 1


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / ".part-abc").write_bytes(b"half")
    harvest_inaturalist(tmp_path, lambda *_: as_picture(picture(1)), "/p/square.jpg")
    assert list((tmp_path / "pictures").glob(".part-*")) == []


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with serving(lambda *_: None) as server:
        planned(tmp_path, plan_of(server, "inaturalist"))
        with pytest.raises(FetchStopped):
            run_harvest(tmp_path, None, stop=stop)
    assert sqlite3.connect(harvest_file(tmp_path)).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_daily_limit_of_a_source_is_kept_over_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uncia.training.harvest.sources.gbif.Gbif.daily_requests", 1)

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        return as_json(gbif_page(end=False, key=int(query["offset"]))) if path.startswith("/gbif") else None

    with serving(respond) as server:
        planned(tmp_path, plan_of(server, "gbif"))
        run_harvest(tmp_path, None)
        result = run_harvest(tmp_path, None)
        assert len(server.requests) == 1
    assert "continue tomorrow" in result.search.unavailable["gbif"]


def test_markup_in_a_record_is_text_on_the_page_of_credits(tmp_path: Path) -> None:
    servers: list[Receiver] = []
    nasty = "File:<script>alert(1)</script>.jpg"

    def respond(path: str, query: dict[str, str]) -> Answer | None:
        if path == "/wikimedia-commons":
            document = commons_page(f"{servers[0].url}/1.jpg", title=nasty, artist="=HYPERLINK(1)")
            document["query"]["pages"][0]["imageinfo"][0]["descriptionurl"] = "javascript:alert(2)"
            return as_json(document)
        return None if path == "/robots.txt" else as_picture(picture(1))

    with serving(respond) as server:
        servers.append(server)
        run_harvest(planned(tmp_path, plan_of(server, "wikimedia-commons")), None)
    page = (tmp_path / "credits.html").read_text()
    assert "<script>" not in page and "javascript:" not in page
    assert "CC BY-SA 3.0" in page
    assert rows_of(tmp_path)[0]["author"] == "'=HYPERLINK(1)"


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    planned(tmp_path, plan_of(None, "inaturalist"))
    with running.open_harvest(tmp_path), pytest.raises(HarvestError, match="another process"):
        run_harvest(tmp_path, None)


def test_the_plan_of_a_folder_is_not_replaced(tmp_path: Path) -> None:
    planned(tmp_path, plan_of(None, "inaturalist"))
    with pytest.raises(HarvestError, match="already"):
        planned(tmp_path, plan_of(None, "gbif"))


def test_doubtful_pictures_stay_with_a_smaller_weight_until_a_person_decides(tmp_path: Path) -> None:
    """24 pictures of two labels; the features of picture 0 are those of the other label."""
    photographs = tmp_path / "photographs"
    for number in range(24):
        label = "snow leopard" if number < 12 else "blank"
        path = photographs / label / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    order = {picture(number): number for number in range(24)}

    def embed(paths: Any, progress: Any = None) -> Any:
        numbers = [order[path.read_bytes()] for path in paths]
        side = np.array([1.0 if number in range(1, 12) else -1.0 for number in numbers])
        noise = np.random.default_rng(1).normal(0, 0.05, (len(numbers), 4))
        return list(paths), np.column_stack([side, -side, np.ones(len(side)), noise]).astype(np.float32)

    plan = plan_of(
        None,
        "local",
        negatives=12,
        habitats=("meadow",),
        local=str(photographs),
        local_licence="own",
        local_author="Ada",
    )
    folder = planned(tmp_path / "harvest", plan)
    result = run_harvest(folder, embed)
    doubtful = [row for row in rows_of(folder) if float(row["sample weight"]) < 0.5]
    assert result.pictures == 24
    (wrong,) = doubtful
    assert (folder / wrong["path"]).read_bytes() == picture(0)
    assert min(sample.weight for sample in read_dataset(folder).samples) < 0.5
    review = (folder / "review.csv").read_text().splitlines()
    identity = review[1].split(",")[0]
    (folder / "review.csv").write_text(f"{review[0]}\n{identity},blank,snow leopard,,,,\n")
    run_harvest(folder, embed)
    changed = next(row for row in rows_of(folder) if row["path"] == wrong["path"])
    assert (changed["label"], changed["sample weight"]) == ("blank", "1")


def test_the_report_counts_every_picture_that_was_refused(tmp_path: Path) -> None:
    harvest_inaturalist(tmp_path, lambda *_: as_picture(picture(1)), "/p/square.jpg", licence=None)
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["count"] for row in report["pictures"] if row["reason"] == "licence-missing"] == [1]
