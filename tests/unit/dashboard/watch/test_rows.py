"""A line of `uncia watch`: time, camera, verdict, score and status."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from uncia.commands import watch as command
from uncia.commands.watch import build_table, watch
from uncia.dashboard.watch.rows import render_line, to_row
from uncia.events import BurstResolved, BurstStatus, CloseReason, TaxonVerdict, Trigger
from uncia.kafka.broker import Message

LEOPARD = TaxonVerdict(
    taxon="Panthera uncia", label="snow leopard", group="animal", score=0.5, threshold=0.02, certain=True, focus=True
)
MARMOT = TaxonVerdict(taxon="Marmota", label="marmot", group="animal", score=0.4, certain=False)


def burst(**changes: Any) -> BurstResolved:
    values: dict[str, Any] = {
        "burst_id": "bst-1",
        "revision": 3,
        "status": BurstStatus.FINAL,
        "station": "ridge",
        "camera": "ridge/north",
        "trigger": Trigger.MOTION,
        "started_at": datetime(2026, 5, 1, 4, 5, 6),
        "ended_at": datetime(2026, 5, 1, 4, 5, 9),
        "verdict": LEOPARD,
        "rule": "log-odds/1",
        "settings": "set-1",
        "closed_by": CloseReason.SEQUENCE,
        "closed_at": datetime(2026, 5, 1, 4, 6, tzinfo=UTC),
    }
    return BurstResolved(**{**values, **changes})


def test_a_line_names_time_camera_verdict_score_and_state() -> None:
    line = render_line(burst(expected_frames=3))
    assert line == (
        "2026-05-01 04:05:06  ridge/north  0 of 3 frames  snow leopard  0.50  final (all frames arrived), revision 3"
    )


def test_a_line_counts_the_unreadable_frames() -> None:
    line = render_line(burst(unreadable=1, closed_by=CloseReason.IDLE))
    assert "  0 frames (1 unreadable)  " in line
    assert line.endswith("final (no more frames arrived), revision 3")


def test_an_uncertain_verdict_carries_a_question_mark() -> None:
    assert to_row(burst(verdict=MARMOT)).verdict == "marmot?"


def test_a_burst_without_a_readable_frame_says_so() -> None:
    assert to_row(burst(verdict=None, unreadable=1)).verdict == "nothing could be read"


def test_a_superseded_burst_names_its_successor() -> None:
    superseded = burst(status=BurstStatus.SUPERSEDED, superseded_by="bst-2")
    assert render_line(superseded).split("  ")[2] == "superseded by bst-2"


@pytest.mark.parametrize(
    ("change", "style"),
    [
        ({}, "bold bright_yellow"),
        ({"verdict": MARMOT}, "cyan"),
        ({"verdict": None, "status": BurstStatus.PROVISIONAL}, "dim"),
    ],
)
def test_each_kind_of_verdict_has_a_style(change: dict[str, Any], style: str) -> None:
    assert to_row(burst(**change)).style == style


def test_the_table_has_one_row_per_burst() -> None:
    assert build_table((burst(), burst(burst_id="bst-2"))).row_count == 2


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """The lines that `uncia watch` prints for three bursts: final, provisional, superseded."""
    bursts = [
        burst(),
        burst(burst_id="bst-2", status=BurstStatus.PROVISIONAL, closed_by=None, closed_at=None),
        burst(burst_id="bst-3", status=BurstStatus.SUPERSEDED, superseded_by="bst-1", verdict=None),
    ]
    messages = [Message("t", 0, offset, 0, None, event.to_bytes(), []) for offset, event in enumerate(bursts)]
    monkeypatch.setattr(command, "read_topics", lambda *_, **__: iter(messages))

    def run(**options: bool) -> list[str]:
        chosen = {"settled": False, "superseded": False, "as_json": False, **options}
        watch(from_beginning=True, until_end=True, camera="", **chosen)
        return capsys.readouterr().out.splitlines()

    return run


def test_superseded_ids_are_left_out_unless_requested(printed: Callable[..., list[str]]) -> None:
    assert len(printed()) == 2
    assert len(printed(settled=True)) == 1
    assert "superseded by bst-1" in printed(settled=True, superseded=True)[1]
    assert len(printed(superseded=True)) == 3


def test_scripts_that_keep_a_table_get_superseded_ids(printed: Callable[..., list[str]]) -> None:
    assert len(printed(as_json=True)) == 3
    assert len(printed(as_json=True, settled=True)) == 1
    assert len(printed(as_json=True, settled=True, superseded=True)) == 2
