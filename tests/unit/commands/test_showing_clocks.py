"""`uncia clocks` on a topic of plain values."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from uncia.commands import clocks as command
from uncia.commands.clocks import format_offset
from uncia.events import ClockEvidence, ClockJudged, ClockReason, ClockVerdict
from uncia.kafka.broker import Message
from uncia.settings import Settings


def clock_of(camera: str, verdict: ClockVerdict, text: str | None = None, **more: Any) -> ClockJudged:
    reason = ClockReason(code="ahead", weight=verdict, text=text or "", occasions=3, of=8)
    return ClockJudged(
        camera=camera,
        verdict=verdict,
        reasons=(reason,) if text else (),
        evidence=ClockEvidence(frames=9, occasions=8, arrival=8, order=8, sun=0),
        judged_at=datetime(2026, 5, 14, 12, tzinfo=UTC),
        **more,
    )


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """What stands on the topic."""
    values: list[bytes | None] = []
    monkeypatch.setattr(command, "settings", Settings)
    monkeypatch.setattr(
        command, "read_topics", lambda *_, **__: (Message("t", 0, at, 0, b"k", v, []) for at, v in enumerate(values))
    )
    return values


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(command.clocks)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_without_verdicts_it_says_so() -> None:
    assert run() == "no clock has been assessed yet\n"


def test_the_worst_clock_is_first_with_its_reason(published: list[bytes | None]) -> None:
    published += [
        clock_of("a/good", ClockVerdict.OK).to_bytes(),
        clock_of("b/bad", ClockVerdict.WRONG, "it is 1970", offset_s=-60.0).to_bytes(),
    ]
    rows = [line for line in run().splitlines() if "/" in line]
    assert "b/bad" in rows[0]
    assert "it is 1970 (3 of 8 triggers)" in rows[0]
    assert "-0:01:00" in rows[0]
    assert "consistent (not checked: sun)" in rows[1]


def test_the_last_message_counts_and_invalid_ones_are_skipped(published: list[bytes | None]) -> None:
    published += [
        clock_of("a/a", ClockVerdict.WRONG).to_bytes(),
        clock_of("a/a", ClockVerdict.OK).to_bytes(),
        b"{",
        None,
    ]
    assert [row["verdict"] for row in json.loads(run("--json"))] == ["ok"]


def test_filters_by_bad_clocks_and_by_camera(published: list[bytes | None]) -> None:
    published += [
        clock_of("a/a", ClockVerdict.SUSPICIOUS, "odd").to_bytes(),
        clock_of("a/b", ClockVerdict.OK).to_bytes(),
    ]
    assert [row["camera"] for row in json.loads(run("--json", "--bad"))] == ["a/a"]
    assert [row["camera"] for row in json.loads(run("--json", "--camera", "a/b"))] == ["a/b"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(20700.0, "+5:45:00"), (-8640000.0, "-100 days"), (61.4, "+0:01:01"), (-5.0, "-0:00:05")]
)
def test_offsets(seconds: float, words: str) -> None:
    assert format_offset(seconds) == words


def test_a_camera_or_a_station_is_shown_in_every_unicode_form(published: list[bytes | None]) -> None:
    published += [clock_of("ho\u0308he/n", ClockVerdict.OK).to_bytes(), clock_of("hut/n", ClockVerdict.OK).to_bytes()]
    assert "hut" not in run("--camera", "h\u00f6he/n")
    assert json.loads(run("--camera", "h\u00f6he", "--json"))[0]["camera"] == "ho\u0308he/n"
