"""`uncia audit report`."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from tests.unit.dashboard.catalogue.catalogue_data import newest_burst, sqlite_catalogue
from tests.unit.dashboard.verdict_audit.test_queries import animal, review
from tests.unit.dashboard.web.alert_data import fold_events
from tests.unit.dashboard.web.test_audit import drift_of
from uncia.commands import verdict_audit as command
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.verdict_audit.queries import VerdictAudit, first_month
from uncia.dashboard.verdict_audit.sample import AuditSample
from uncia.events import ReviewDecision
from uncia.settings import Settings

ALL = AuditSample("1", 1, 1, 0.95)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue in which ten blanks were reviewed, one of which is an animal."""
    folder = tmp_path_factory.mktemp("catalogue")
    engine = sqlite_catalogue(folder, 120)
    for number, burst in enumerate(VerdictAudit(engine, ALL).queue(BurstFilter(categories=("blank",)), 10)):
        decision, seen = (ReviewDecision.CORRECT, (animal(),)) if number == 0 else (ReviewDecision.BLANK, ())
        fold_events(engine, review(newest_burst(burst), decision, *seen))
    fold_events(engine, drift_of("ridge/cam-1"))
    engine.dispose()
    return folder / "catalogue.sqlite"


@pytest.fixture(autouse=True)
def _settings(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Settings(catalogue_url=SecretStr(f"sqlite:///{catalogue}"), audit_share_blank=1, audit_share_confident=1)
    monkeypatch.setattr(command, "settings", lambda: config)
    monkeypatch.setattr(command, "first_month", lambda *_: date(2026, 1, 1))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command.app, ["report", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def as_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json", *arguments))
    return found


def test_the_report_has_rates_with_intervals() -> None:
    output = run()
    assert re.search(r"10\.0 % \(0\.\d to \d+\.\d\)", output)
    assert "too few reviews, below 10" in output
    assert "ridge/cam-1: scores have drifted <since> yesterday (alert of the rule 'camera silent'" in output
    assert "bursts of the sample are not reviewed yet" in output


def test_the_json_has_all_cells() -> None:
    found = as_json()
    assert found["total"]["blank"]["decided"] == 10
    assert found["total"]["blank"]["error"]["value"] == 0.1
    assert [cell["month"] for cell in found["months"]] == ["2026-05", "2026-06"]
    assert sum(cell["blank"]["sampled"] for cell in found["cells"]) == found["total"]["blank"]["sampled"]
    assert [one["camera"] for one in found["drifted"]] == ["ridge/cam-1"]


def test_a_smaller_share_has_a_part_of_the_sample() -> None:
    whole, part = as_json(), as_json("--share-blank", "0.5", "--share-confident", "0")
    assert 0 < part["total"]["blank"]["sampled"] < whole["total"]["blank"]["sampled"]
    assert part["total"]["confident"]["sampled"] == 0


def test_one_camera_is_reported_alone() -> None:
    camera = as_json()["cells"][0]["camera"]
    found = as_json("--camera", camera)
    assert {cell["camera"] for cell in found["cells"]} == {camera}
    assert "no burst in the last 12 months" in run("--camera", "nowhere/cam")


@pytest.mark.parametrize(
    "today, months, first",
    [
        (date(2026, 11, 30), 1, date(2026, 11, 1)),
        (date(2026, 11, 30), 12, date(2025, 12, 1)),
        (date(2026, 1, 31), 3, date(2025, 11, 1)),
        (date(2026, 12, 1), 12, date(2026, 1, 1)),
    ],
)
def test_the_present_month_is_the_last(today: date, months: int, first: date) -> None:
    assert first_month(today, months) == first
