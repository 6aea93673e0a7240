"""Operations: what is shown to whom, what each action changes, who did it, and what is refused."""

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete
from structlog.testing import capture_logs

from tests.unit.dashboard.web.conftest import SignIn, form_token
from tests.unit.dashboard.web.operations_data import LETTER, Letters, OneReplay, Versions, stand_ins
from uncia.dashboard.catalogue.tables import explanations
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.services import Services
from uncia.kafka.stream_status import Lag, StreamStatus

ADDRESSES = ("/operations", "/operations/dead-letters/0:17", "/operations/replays/trial")
ACTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/operations/dead-letters", {"action": "drop", "letter": "0:17"}),
    ("/operations/models", {"model": "species_classifier", "version": "3", "live": "2"}),
    ("/operations/replays/trial/promote", {"fingerprint": "seen"}),
    ("/operations/replays/trial/drop", {}),
)


@pytest.fixture
def letters(services: Services) -> Letters:
    services.operations = stand_ins()
    assert isinstance(services.operations.dead_letters, Letters)
    return services.operations.dead_letters


@pytest.fixture
def replay(letters: Letters, services: Services) -> OneReplay:
    assert isinstance(services.operations.replays, OneReplay)
    return services.operations.replays


@pytest.fixture
def versions(letters: Letters, services: Services) -> Versions:
    assert isinstance(services.operations.models, Versions)
    return services.operations.models


def token(client: TestClient) -> str:
    return form_token(client.get("/operations").text)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_others_see_no_operations(letters: Letters, sign_in: SignIn, role: Role) -> None:
    client = sign_in(role)
    html = client.get("/account").text
    assert 'href="/operations"' not in html
    for address in ADDRESSES:
        assert client.get(address).status_code == client.get(f"{address}.json").status_code == 403
    for address, form in ACTIONS:
        assert client.post(address, data={**form, "form_token": form_token(html)}).status_code == 403
    assert letters.settled == []


def test_every_action_needs_the_token_of_the_form(letters: Letters, replay: OneReplay, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    for address, form in ACTIONS:
        assert operator.post(address, data=form).status_code == 403
        assert operator.post(address, data={**form, "form_token": "guess"}).status_code == 403
    assert not letters.settled
    assert not replay.actions


def test_every_form_asks_for_confirmation(letters: Letters, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    for address in ADDRESSES:
        html = operator.get(address).text
        forms = re.findall(r'<form method="post" action="/operations.*?</form>', html, re.DOTALL)
        assert forms, address
        assert all("data-confirm=" in form for form in forms)


def test_a_worker_without_a_process_is_named(sign_in: SignIn, services: Services) -> None:
    lag = (Lag("predict", "camera.image.uploaded.v1", 0), Lag("bursts", "camera.image.predicted.v1", 0))
    services.read_status = lambda: StreamStatus(lag=lag, stopped=("predict",))
    client = sign_in(Role.OPERATOR)
    stopped = {one["name"]: one["stopped"] for one in client.get("/operations.json").json()["workers"]}
    assert [name for name, one in stopped.items() if one] == ["predict"]
    assert client.get("/operations").text.count("not running") == 1
    assert client.get("/live/pipeline").text.count("not running") == 1


def test_an_account_limited_to_stations_sees_and_changes_nothing_that_concerns_others(
    letters: Letters, replay: OneReplay, services: Services, sign_in: SignIn, writable_catalogue: Engine
) -> None:
    services.read_status = lambda: StreamStatus(doubted_clocks={"ridge/cam-1": "wrong", "pass/cam-1": "wrong"})
    with writable_catalogue.begin() as connection:
        connection.execute(delete(explanations))
    everything = sign_in(Role.ADMIN).get("/operations.json").json()
    limited = sign_in(Role.OPERATOR, ["ridge"])
    page = limited.get("/operations.json").json()
    assert page["doubted_clocks"] == {"ridge/cam-1": "wrong"}
    assert page["dead_letters"] is page["replays"] is page["models"] is None
    assert "ridge/cam-1" in limited.get("/operations").text
    own, total = page["pending_explanations"], everything["pending_explanations"]
    assert own["total"] < total["total"]
    assert {one["camera"].rpartition("/")[0] for one in own["requests"]} <= {"ridge"}
    for address in ADDRESSES[1:]:
        assert limited.get(address).status_code == 403
    assert limited.get("/operations/replays/trial/page.html").status_code == 403
    for address, form in ACTIONS:
        assert limited.post(address, data={**form, "form_token": token_of_account(limited)}).status_code == 403
    assert not letters.settled
    assert not replay.actions


def token_of_account(client: TestClient) -> str:
    return form_token(client.get("/account").text)


def test_operators_settle_dead_letters(letters: Letters, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR, name="ada")
    page = operator.get("/operations")
    assert "&lt;b&gt;" in page.text
    assert "\x1b" not in page.text
    form = {"form_token": form_token(page.text), "action": "retry", "letter": "0:17"}
    with capture_logs() as logs:
        done = operator.post("/operations/dead-letters", data=form)
        dropped = operator.post("/operations/dead-letters", data={**form, "action": "drop"})
    assert done.status_code == 303
    assert "sent again" in operator.get(done.headers["location"]).text
    assert dropped.status_code == 409
    assert "it is gone" in dropped.text
    assert operator.post("/operations/dead-letters", data={**form, "letter": []}).status_code == 422
    assert letters.settled == [("retry", ["0:17"], "ada"), ("drop", ["0:17"], "ada")]
    assert [(one["account"], one["action"]) for one in logs] == [("ada", "retry"), ("ada", "drop")]


def test_a_dead_letter_is_shown_with_its_content(letters: Letters, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    html = operator.get("/operations/dead-letters/0:17").text
    assert "&lt;script&gt;" in html
    assert "<script>alert" not in html
    assert operator.get("/operations/dead-letters/0:17.json").json()["details"]["letter"]["id"] == LETTER.id
    assert operator.get("/operations/dead-letters/0:99").status_code == 404


def test_dead_letters_are_filtered_by_the_address(letters: Letters, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    assert len(operator.get("/operations.json?reason=schema-invalid").json()["dead_letters"]["letters"]) == 1
    assert operator.get("/operations.json?stage=bursts").json()["dead_letters"]["letters"] == []


def test_a_long_list_of_dead_letters_says_that_there_are_more(services: Services, sign_in: SignIn) -> None:
    services.operations.dead_letters = Letters(500)
    operator = sign_in(Role.OPERATOR)
    part = operator.get("/operations.json").json()["dead_letters"]
    assert (len(part["letters"]), part["more"]) == (200, True)
    assert "there are more" in operator.get("/operations").text


def test_a_replay_is_shown_with_both_verdicts_and_pictures_of_the_server(replay: OneReplay, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    assert 'href="/operations/replays/trial"' in operator.get("/operations").text
    page = operator.get("/operations/replays/trial.json").json()
    diff = page["diff"]
    assert (diff["to_promote"], diff["kinds"]["relabelled"]) == (2, 3)
    verdicts = [(change["live"][0]["verdict"], change["replay"][0]["verdict"]) for change in diff["changes"]]
    assert verdicts == [("goat", "cat?"), ("goat", "cat"), ("blank", "fox")]
    assert diff["changes"][1]["held"]
    html = operator.get("/operations/replays/trial").text
    assert '/pictures/img-a/thumb.jpg"' in html
    assert 'href="/bursts/bst-a"' in html
    assert "Not promoted" in html
    assert operator.get("/operations/replays/other").status_code == 404


def test_the_page_of_a_replay_to_pass_on_runs_no_script_and_loads_nothing(replay: OneReplay, sign_in: SignIn) -> None:
    replay.body["changes"] = []
    response = sign_in(Role.OPERATOR).get("/operations/replays/trial/page.html")
    assert "<h1>Replay trial</h1>" in response.text
    policy = response.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


def test_a_replay_without_a_diff_can_be_dropped_only(replay: OneReplay, sign_in: SignIn) -> None:
    replay.problem = "the replay trial has not begun"
    operator = sign_in(Role.OPERATOR)
    html = operator.get("/operations/replays/trial").text
    assert "has not begun" in html
    assert "/trial/promote" not in html
    response = operator.post("/operations/replays/trial/drop", data={"form_token": form_token(html)})
    assert response.headers["location"] == "/operations?done=dropped#replays"
    assert replay.actions == [("drop", "trial", "")]


def test_a_promotion_names_who_did_it_and_publishes_only_what_was_seen(replay: OneReplay, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR, name="ada")
    form = {"form_token": token(operator), "fingerprint": "seen"}
    with capture_logs() as logs:
        stale = operator.post("/operations/replays/trial/promote", data={**form, "fingerprint": "earlier"})
        done = operator.post("/operations/replays/trial/promote", data=form)
    assert stale.status_code == 409
    assert "the differences have changed" in stale.text
    assert done.status_code == 303
    assert replay.actions == [("promote", "trial", "ada")]
    assert [(one["event"], one["account"]) for one in logs] == [
        ("replay_not_promoted", "ada"),
        ("replay_promoted", "ada"),
    ]


def test_versions_are_promoted_and_rolled_back(versions: Versions, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR, name="ada")
    html = operator.get("/operations").text
    assert "Promote: species_classifier@3" in html
    assert "Roll back: species_classifier@1" in html
    form = {"form_token": form_token(html), "model": "species_classifier", "version": "3", "live": "2"}
    with capture_logs() as logs:
        assert operator.post("/operations/models", data=form).status_code == 303
        # A second click, or another operator with an old page.
        again = operator.post("/operations/models", data=form)
    assert again.status_code == 409
    assert "is live meanwhile" in again.text
    assert versions.live == "3"
    assert [(one["event"], one["account"], one["version"]) for one in logs] == [
        ("model_version_live", "ada", "3"),
        ("model_version_not_live", "ada", "3"),
    ]
    assert operator.post("/operations/models", data={**form, "version": "2", "live": "3"}).status_code == 303
    assert (versions.live, versions.previous) == ("2", "3")


def test_a_triton_that_is_down_does_not_hide_the_versions(versions: Versions, sign_in: SignIn) -> None:
    versions.problem = "Triton does not answer"
    html = sign_in(Role.OPERATOR).get("/operations").text
    assert "Triton does not answer" in html
    assert "species_classifier@3" in html


def test_pending_explanations_are_the_requests_without_a_result(
    services: Services, sign_in: SignIn, writable_catalogue: Engine
) -> None:
    admin = sign_in(Role.ADMIN)
    before = admin.get("/operations.json").json()["pending_explanations"]["total"]
    with writable_catalogue.begin() as connection:
        answered = connection.execute(delete(explanations)).rowcount
    pending = admin.get("/operations.json").json()["pending_explanations"]
    assert pending["total"] == before + answered > before
    requested = [one["requested_at"] for one in pending["requests"]]
    assert requested == sorted(requested)
    first = pending["requests"][0]
    assert admin.get(f"/bursts/{first['burst_id']}").status_code == 200
    assert f'href="/bursts/{first["burst_id"]}#explanations"' in admin.get("/operations").text


def test_the_page_works_without_the_catalogue(services: Services, sign_in: SignIn, writable_catalogue: Engine) -> None:
    with writable_catalogue.begin() as connection:
        explanations.drop(connection)
    page = sign_in(Role.OPERATOR).get("/operations.json")
    assert page.status_code == 200
    assert page.json()["pending_explanations"]["problem"]


def test_the_workers_are_loaded_again_without_the_rest(versions: Versions, sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    part = operator.get("/operations", headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert "predict" in part
    assert "species_classifier" not in part
