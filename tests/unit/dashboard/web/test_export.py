"""Exports by the browser: formats, filters, rights, the limit, and what fails."""

import csv
import inspect
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dashboard.exports.camtrap_profile import frictionless_errors
from tests.unit.dashboard.web.conftest import SignIn
from tests.waiting import wait_until
from uncia.commands.export import export
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.exports.formats import ExportFormat, ExportOptions
from uncia.dashboard.exports.output import ExportSummary
from uncia.dashboard.web import downloads as module
from uncia.dashboard.web.accounts.roles import Caller, Role
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.downloads import Download, DownloadRefused, Downloads
from uncia.dashboard.web.services import Services
from uncia.errors import UnciaError

ARCHIVES = {
    "camtrap-dp": {"datapackage.json", "deployments.csv", "media.csv", "observations.csv"},
    "timelapse": {"recognition.json", "timelapse.csv"},
    "csv": {f"{name}.csv" for name in ("bursts", "photographs", "boxes", "observations", "deployments")},
    "parquet": {f"{name}.parquet" for name in ("bursts", "photographs", "boxes", "observations", "deployments")},
}


def unpack(content: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def table(content: bytes, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(unpack(content).read(f"{name}.csv").decode())))


@pytest.mark.parametrize("kind", list(ExportFormat))
def test_each_format_of_the_page_is_a_complete_file_with_a_name(sign_in: SignIn, kind: ExportFormat) -> None:
    if kind is ExportFormat.PARQUET:
        pytest.importorskip("pyarrow")
    viewer = sign_in()
    links = {one["format"]: one for one in viewer.get("/export.json").json()["formats"]}
    response = viewer.get(links[kind.value]["href"])
    assert response.status_code == 200, response.text
    ending = "zip" if links[kind.value]["is_archive"] else "json"
    assert f'filename="uncia-{kind.value}-' in response.headers["content-disposition"]
    assert response.headers["content-disposition"].endswith(f'.{ending}"')
    if ending == "zip":
        assert set(unpack(response.content).namelist()) == ARCHIVES[kind.value]
    else:
        assert len(json.loads(response.content)["images"]) > 100


def test_a_downloaded_package_is_valid(sign_in: SignIn, tmp_path: Path) -> None:
    unpack(sign_in().get("/export/camtrap-dp?title=Ridge").content).extractall(tmp_path)
    assert frictionless_errors(tmp_path) == []
    assert json.loads((tmp_path / "datapackage.json").read_text())["title"] == "Ridge"


def test_the_export_has_the_bursts_of_the_list_with_the_same_query(sign_in: SignIn) -> None:
    viewer = sign_in()
    query = "category=animal&station=ridge&from=18:00&to=08:00&since=2026-05-02"
    shown = viewer.get(f"/browse.json?{query}").json()
    page = viewer.get(f"/export.json?{query}").json()
    bursts = table(viewer.get(f"/export/csv?{query}").content, "bursts")
    assert len(bursts) == page["bursts"] == shown["facets"]["total"] > 0
    assert {one["burst_id"] for one in shown["bursts"]} <= {one["burst_id"] for one in bursts}
    html = viewer.get(f"/export?{query}").text
    assert 'name="from" value="18:00"' in html
    (link,) = re.findall(r'href="(/export[^"]*)"', viewer.get(f"/browse?{query}").text)
    assert viewer.get(link.replace("&amp;", "&").replace("/export", "/export.json")).json()["bursts"] == len(bursts)


def test_a_viewer_of_one_station_exports_no_other(sign_in: SignIn) -> None:
    viewer = sign_in(Role.VIEWER, ["ridge"])
    for kind in ("csv", "camtrap-dp", "timelapse"):
        archive = unpack(viewer.get(f"/export/{kind}?station=pass&station=ridge").content)
        for name in archive.namelist():
            assert b"pass" not in archive.read(name), (kind, name)
    for kind in ("megadetector", "coco"):
        assert "pass/" not in viewer.get(f"/export/{kind}").text
    nobody = sign_in(Role.VIEWER, [], name="nobody")
    assert table(nobody.get("/export/csv").content, "bursts") == []
    assert "classification_categories" not in nobody.get("/export/megadetector").json()


def test_positions_are_exact_only_for_who_may_and_asks(sign_in: SignIn) -> None:
    viewer, operator = sign_in(), sign_in(Role.OPERATOR)
    assert viewer.get("/export/csv?exact=true").status_code == 403
    assert 'name="exact"' not in viewer.get("/export").text
    assert 'name="exact"' in operator.get("/export").text
    rounded = table(viewer.get("/export/csv").content, "deployments")
    assert table(operator.get("/export/csv").content, "deployments") == rounded
    exact = table(operator.get("/export/csv?exact=true").content, "deployments")
    assert [one["latitude"] for one in exact] != [one["latitude"] for one in rounded]


def test_a_token_downloads_and_nobody_does_without_signing_in(services: Services, sign_in: SignIn, client: Any) -> None:
    account = services.accounts.create("program", None, Role.VIEWER, None)
    secret = services.accounts.create_token(account.id, "test")
    assert client.get("/export/csv").status_code == 303
    found = client.get("/export/megadetector", headers={"authorization": f"Bearer {secret}"})
    assert found.json()["info"]["format_version"] == "1.6"


@pytest.mark.parametrize("address", ["/export/xlsx", "/export/csv?since=never", "/export/csv?box_score=nan"])
def test_what_makes_no_sense_is_refused(sign_in: SignIn, address: str) -> None:
    assert sign_in().get(address).status_code == 422


def test_a_package_without_a_deployment_is_answered_by_a_sentence(sign_in: SignIn) -> None:
    response = sign_in(Role.VIEWER, []).get("/export/camtrap-dp")
    assert response.status_code == 409
    assert "uncia deployments load" in response.text


CALLERS = [Caller(number, f"account {number}", Role.VIEWER) for number in range(5)]


@pytest.fixture
def start(services: Services, tmp_path: Path) -> Iterator[Callable[[int], Download]]:
    """Starts an export of an account; two may run at once."""
    downloads, opened = Downloads(services.downloads._engine, tmp_path / "exports", at_once=2), list[Download]()

    def begin(number: int) -> Download:
        opened.append(downloads.start(CALLERS[number], ExportFormat.CSV, BurstFilter(), ExportOptions()))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


def wait_until_removed(folder: Path) -> None:
    for _ in range(600):
        if not any(folder.iterdir()):
            return
        threading.Event().wait(0.01)
    raise AssertionError(list(folder.iterdir()))


def test_a_bounded_number_of_exports_run_at_once_and_one_of_an_account(
    start: Callable[[int], Download], tmp_path: Path
) -> None:
    first = start(0)
    with pytest.raises(DownloadRefused):
        start(0)
    second = start(1)
    with pytest.raises(DownloadRefused):
        start(2)
    assert b"".join(first.content()).startswith(b"PK")
    for one in (first, second):
        one.close()
    wait_until_removed(tmp_path / "exports")
    start(0)


def test_an_account_begins_the_next_export_as_soon_as_one_was_sent(start: Callable[[int], Download]) -> None:
    for _ in range(20):
        with start(0) as download:
            assert b"".join(download.content())


def test_an_export_whose_browser_is_gone_stops_and_leaves_nothing(
    start: Callable[[int], Download], tmp_path: Path
) -> None:
    download = start(0)
    next(download.content())
    download.close()
    wait_until_removed(tmp_path / "exports")


def test_an_export_that_fails_in_its_middle_never_looks_complete(
    start: Callable[[int], Download], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_engine: object, _kind: object, folder: Path, *_: object, **__: object) -> None:
        (folder / "photographs.csv").write_bytes(b"x" * 1000)
        begun.wait(20)
        raise UnciaError("the database is gone")

    begun = threading.Event()
    monkeypatch.setattr(module, "write_export", fail)
    download = start(0)
    content = download.content()
    begun.set()
    with pytest.raises(UnciaError, match="gone"):
        b"".join(content)


def test_an_export_that_failed_before_its_file_was_opened_says_why(
    start: Callable[[int], Download], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders: list[Path] = []
    begun = threading.Event()

    def fail(_engine: object, _kind: object, folder: Path, *_: object, **__: object) -> None:
        (folder / "photographs.csv").write_bytes(b"x" * 1000)
        folders.append(folder)
        begun.wait(20)
        raise UnciaError("the database is gone")

    monkeypatch.setattr(module, "write_export", fail)
    content = start(0).content()
    begun.set()
    wait_until(lambda: folders and not folders[0].exists(), 5)
    with pytest.raises(UnciaError, match="gone"):
        b"".join(content)


def test_a_file_is_sent_while_it_is_written(start: Callable[[int], Download], monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def write(_engine: object, _kind: object, folder: Path, *_: object, **__: object) -> Any:
        with (folder / "photographs.csv").open("wb", buffering=0) as file:
            file.write(bytes(range(256)) * 80_000)
            go_on.wait(20)
            file.write(b"the end")
        return ExportSummary()

    monkeypatch.setattr(module, "write_export", write)
    content = start(0).content()
    begin = next(content)
    assert begin.startswith(b"PK")
    go_on.set()
    archive = unpack(begin + b"".join(content))
    assert archive.read("photographs.csv").endswith(b"the end")


def test_the_command_has_every_filter_of_the_page() -> None:
    fields = {name.removesuffix("_from").removesuffix("_to") for name in BurstQuery.model_fields}
    assert fields - {"order", "after"} <= set(inspect.signature(export).parameters)
