"""The page of alert rules: who may open it, what each button does, and what is refused."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.unit.dashboard.web.conftest import SignIn, form_token
from uncia.commands.dashboard_alert_rules import FileAlertRules
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.operations import Operations, PastAlert, RulePreview
from uncia.dashboard.web.services import Services
from uncia.settings import Settings

RULES = "rules:\n  - name: leopard\n    taxon: Panthera uncia\n"


class Rules(FileAlertRules):
    """A real file, and a preview without topics."""

    def preview(self, text: str, days: int) -> RulePreview:
        at = datetime(2026, 5, 1, 21, 36, tzinfo=UTC)
        found = PastAlert("leopard", "ridge", "ridge/north", "<b>snow leopard</b>", at, "bst-1")
        return RulePreview(days, {"leopard": 14}, [found], 14)


@pytest.fixture
def path(services: Services, tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    services.operations = Operations(rules=Rules(Settings(_env_file=None, alert_rules=path)))
    return path


def sent(client: TestClient, action: str, text: str, **more: str) -> dict[str, str]:
    fingerprint = client.get("/alerts/rules.json").json()["fingerprint"]
    token = form_token(client.get("/account").text)
    return {"form_token": token, "action": action, "text": text, "fingerprint": fingerprint, **more}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RANGER, Role.REVIEWER])
def test_others_neither_see_nor_change_the_rules(sign_in: SignIn, path: Path, role: Role) -> None:
    client = sign_in(role)
    assert 'href="/alerts/rules"' not in client.get("/alerts").text
    assert client.get("/alerts/rules").status_code == 403
    token = form_token(client.get("/account").text)
    values = {"form_token": token, "action": "save", "text": "rules: []"}
    assert client.post("/alerts/rules", data=values).status_code == 403
    assert path.read_text() == RULES


def test_an_operator_of_some_stations_does_not_change_the_rules_of_all(sign_in: SignIn, path: Path) -> None:
    client = sign_in(Role.OPERATOR, ["ridge"])
    assert client.get("/alerts/rules").status_code == 403
    token = form_token(client.get("/account").text)
    assert (
        client.post("/alerts/rules", data={"form_token": token, "action": "save", "text": "rules: []"}).status_code
        == 403
    )
    assert path.read_text() == RULES


def test_a_mistake_is_shown_with_its_place_and_the_text_stays(sign_in: SignIn, path: Path) -> None:
    operator = sign_in(Role.OPERATOR)
    wrong = RULES + "    severity: urgent </textarea>\n"
    for action in ("check", "preview", "save"):
        answer = operator.post("/alerts/rules", data=sent(operator, action, wrong))
        assert answer.status_code == 422
        assert "line 4, column 15:" in answer.text
        assert "urgent &lt;/textarea&gt;" in answer.text
    assert path.read_text() == RULES


def test_a_preview_changes_nothing(sign_in: SignIn, path: Path) -> None:
    operator = sign_in(Role.OPERATOR)
    html = operator.post("/alerts/rules", data=sent(operator, "preview", RULES, days="7")).text
    assert "In the last 7 days these rules would have raised 14 alerts" in html
    assert "&lt;b&gt;snow leopard" in html
    assert 'href="/bursts/bst-1"' in html
    assert path.read_text() == RULES


def test_saving_replaces_the_file_and_is_in_the_audit_log(sign_in: SignIn, path: Path, services: Services) -> None:
    operator = sign_in(Role.OPERATOR, name="ada")
    new = RULES + "    severity: critical\n"
    # As browsers send the lines of a text area.
    answer = operator.post("/alerts/rules", data=sent(operator, "save", new.replace("\n", "\r\n")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts/rules?saved=true")
    assert path.read_bytes() == new.encode()
    assert path.with_name("rules.yaml.1").read_text() == RULES
    records = [json.loads(line) for line in services.audit._path.read_text().splitlines()]
    (saved,) = [one for one in records if one["action"] == "alert_rules_saved"]
    assert (saved["who"], saved["what"]) == ("ada", str(path))
    assert saved["before"] != saved["after"]


def test_a_file_that_changed_meanwhile_is_not_overwritten(sign_in: SignIn, path: Path) -> None:
    operator = sign_in(Role.OPERATOR)
    values = sent(operator, "save", RULES + "# mine\n")
    path.write_text(RULES + "# theirs\n")
    answer = operator.post("/alerts/rules", data=values)
    assert answer.status_code == 409
    assert "changed since the page was shown" in answer.text
    assert "# mine" in answer.text, "the text is not lost"
    assert path.read_text() == RULES + "# theirs\n"
    assert operator.post("/alerts/rules", data={**values, "form_token": "guess"}).status_code == 403


def test_without_a_file_the_page_says_so(sign_in: SignIn) -> None:
    operator = sign_in(Role.OPERATOR)
    html = operator.get("/alerts/rules").text
    assert "there is no file of alert rules" in html
    assert "<textarea" not in html
