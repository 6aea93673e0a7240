"""`uncia alerts` on topics of plain values."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.processors.alerts.builders import burst, reviewed
from tests.unit.processors.alerts.test_moved import photograph
from uncia.commands import alerts as command
from uncia.commands import past_alerts
from uncia.errors import UnciaError
from uncia.events import BurstResolved, DeploymentChanged, ReviewDecision
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import DEPLOYMENT_CHANGED, IMAGE_PREDICTED, Topic

RULES = """
rules:
  - {name: leopard, taxon: Panthera uncia}
  - {name: wolf, taxon: Canis lupus}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[datetime, Any]]:
    """The events on the topic, with their times."""
    values: list[tuple[datetime, Any]] = []

    def read(*_: object, **__: object) -> list[Message]:
        return [
            Message("t", 0, at, round(1000 * time.timestamp()), b"k", event.to_bytes(), [])
            for at, (time, event) in enumerate(values)
        ]

    monkeypatch.setattr(command, "settings", Settings)
    monkeypatch.setattr(command, "read_topics", read)
    monkeypatch.setattr(past_alerts, "read_topics", read)
    return values


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def recent(event: BurstResolved) -> tuple[datetime, BurstResolved]:
    now = datetime.now(UTC)
    started = now.replace(tzinfo=None)
    return now, event.model_copy(update={"started_at": started, "ended_at": started})


def test_a_correct_file_is_confirmed(rules: Path) -> None:
    assert run("check", str(rules)).endswith("rules.yaml: 2 rules, no mistake\n")


def test_a_mistake_is_an_error(rules: Path) -> None:
    rules.write_text("rules:\n  - {name: a, category: dog}", encoding="utf-8")
    with pytest.raises(UnciaError, match="line 2, column 25: use one of animal, person"):
        run("check", str(rules))


def test_a_dry_run_counts_the_alerts_of_each_rule(rules: Path, published: list[tuple[datetime, Any]]) -> None:
    published.append(recent(burst()))
    output = run("test", str(rules))
    assert "leopard: this rule would have raised 1 alert in the last 30 days" in output
    assert "wolf: this rule would have raised no alert in the last 30 days" in output
    assert "snow leopard (Panthera uncia) at ridge/north" in output


def test_a_dry_run_leaves_out_what_is_older(rules: Path, published: list[tuple[datetime, Any]]) -> None:
    _, event = recent(burst())
    published.append((datetime.now(UTC) - timedelta(days=8), event))
    assert json.loads(run("test", str(rules), "--days", "7", "--json")) == []


def test_a_dry_run_includes_old_photographs_on_request(rules: Path, published: list[tuple[datetime, Any]]) -> None:
    published.append((datetime.now(UTC), burst()))
    assert json.loads(run("test", str(rules), "--json")) == []
    assert len(json.loads(run("test", str(rules), "--any-age", "--json"))) == 1


def test_what_was_withdrawn_is_no_alert_of_a_dry_run(rules: Path, published: list[tuple[datetime, Any]]) -> None:
    published.append(recent(burst()))
    published.append(recent(burst(revision=2, review=reviewed(ReviewDecision.BLANK))))
    assert json.loads(run("test", str(rules), "--json")) == []


def test_a_dry_run_counts_rare_sightings_alone(rules: Path, published: list[tuple[datetime, Any]]) -> None:
    rules.write_text("rules:\n  - {name: first cat, taxon: Felidae, rare: 30d}\n", encoding="utf-8")
    now = datetime.now(UTC)
    for name, days in (("b1", 8), ("b2", 4)):
        logged = now - timedelta(days=days)
        time = logged.replace(tzinfo=None)
        published.append((logged, burst(name).model_copy(update={"started_at": time, "ended_at": time})))
    output = run("test", str(rules))
    assert "first cat: this rule would have raised 1 alert in the last 30 days" in output
    assert "(rare there)" in output


def test_a_dry_run_counts_silences_that_ended(
    rules: Path, published: list[tuple[datetime, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules.write_text("rules:\n  - {name: silent, silent_for: 3d}\n", encoding="utf-8")
    now = datetime.now(UTC)
    placed = deployed()
    contacts = [now - timedelta(days=days) for days in (20, 12, 1)]

    def read(_: object, topics: tuple[Topic, ...], **__: object) -> list[Message]:
        if DEPLOYMENT_CHANGED not in topics:
            return []
        found = [Message(DEPLOYMENT_CHANGED.name, 0, 0, 0, placed.message_key, placed.to_bytes(), [])]
        times = [round(1000 * time.timestamp()) for time in contacts]
        return found + [Message("t", 0, at, time, b"ridge/north", b"-", []) for at, time in enumerate(times)]

    monkeypatch.setattr(command, "read_topics", read)
    monkeypatch.setattr(past_alerts, "read_topics", read)
    output = run("test", str(rules))
    # Silence counts from the beginning of the thirty days.
    assert "silent: this rule would have raised 3 alerts in the last 30 days" in output
    assert "heard again after a silence since" in output


def test_a_dry_run_learns_views_from_before_its_time(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules.write_text("rules:\n  - {name: moved, moved: true, cameras: ridge/*}\n", encoding="utf-8")
    now = datetime.now(UTC)
    messages = [
        Message(
            "t", 0, number, round(1000 * logged.timestamp()), b"ridge/north", photograph(place, number).to_bytes(), []
        )
        for number, place in enumerate([1] * 40 + [2] * 20)
        if (logged := now - timedelta(hours=3 * (60 - number)))
    ]
    broken = Message("t", 0, 60, round(1000 * now.timestamp()), b"ridge/north", b"-", [])
    other = Message("t", 0, 61, round(1000 * now.timestamp()), b"valley/north", b"-", [])

    def read(_: object, topics: tuple[Topic, ...], **__: object) -> list[Message]:
        return [*messages, broken, other] if IMAGE_PREDICTED in topics else []

    monkeypatch.setattr(past_alerts, "read_topics", read)
    output = run("test", str(rules), "--days", "2")
    assert "moved: this rule would have raised 1 alert in the last 2 days" in output
    assert "ridge/north shows another view" in output
    assert "skipped t 0:60" in output and "skipped t 0:61" not in output
    assert "no alert in the last 1 days" in run("test", str(rules), "--days", "1")


def deployed() -> DeploymentChanged:
    return DeploymentChanged(
        deployment_id="d1",
        camera="ridge/north",
        start=datetime(2020, 1, 1, tzinfo=UTC),
        utc_offset_minutes=0,
        latitude=1,
        longitude=1,
    )
