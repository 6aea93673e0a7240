"""A part that exits after every start is reported as a crash loop, not as running and ready."""

import json
import time
from pathlib import Path

import pytest

from uncia.infra.local.crash_loops import crash_loops, find_loops, last_error
from uncia.infra.local.part_health import PartStatus

NOW = time.mktime((2026, 11, 28, 12, 0, 0, 0, 0, -1))


def exited(ago_s: float, part: str = "bursts", how: str = "exit status 1; not expected") -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW - ago_s))
    return f"{at},123 WARN exited: {part} ({how})"


def test_several_exits_in_a_few_minutes_are_a_crash_loop() -> None:
    lines = [exited(300 - 45 * number) for number in range(7)]
    loop = find_loops(lines, NOW)["bursts"]
    assert (loop.restarts, loop.last_exit) == (7, "exit status 1")
    assert loop.describe() == "crash loop: 7 restarts in 5 min (exit status 1)"


@pytest.mark.parametrize(
    "lines",
    [
        [exited(20), exited(10)],
        [exited(5000), exited(4000), exited(3000)],
        [exited(590), exited(580), exited(570)],
        [exited(30, how="exit status 0; expected")] * 5,
        [exited(30, how="exit status 78; expected")] * 5,
        ["2026-11-28 11:59:50,123 WARN stopped: bursts (exit status 0)"] * 5,
        [exited(30), exited(20, "intake"), exited(10, "predict")],
        ["noise", ""],
    ],
    ids=[
        "two",
        "long ago",
        "recovered",
        "ended well",
        "stopped on purpose",
        "stopped by hand",
        "of three parts",
        "noise",
    ],
)
def test_fewer_older_or_expected_exits_are_no_crash_loop(lines: list[str]) -> None:
    assert find_loops(lines, NOW) == {}


def test_the_last_error_is_found_in_the_log_of_the_part(tmp_path: Path) -> None:
    (tmp_path / "supervisord.log").write_text("\n".join(exited(30 - number) for number in range(3)))
    log = [
        json.dumps({"event": "ready", "level": "info"}),
        json.dumps({"event": "stopping", "level": "error", "exception": "Traceback …\nPermanentError: too large"}),
        json.dumps({"event": "waiting", "level": "warning"}),
    ]
    (tmp_path / "bursts.log").write_text("\n".join(log))
    text = crash_loops(tmp_path, NOW)["bursts"].describe()
    assert text.endswith("last error: stopping: PermanentError: too large")


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("Traceback (most recent call last):\n  File x\nOverflowError: out of range\n", "OverflowError: out of range"),
        ("uncia: the topic is not there", "the topic is not there"),
        ("all is well\n[]\n7\n" + "[" * 5000, ""),
        ("", ""),
    ],
)
def test_the_last_error_is_found_in_every_log_format(log: str, error: str) -> None:
    assert last_error(log) == error


def test_a_ready_part_in_a_crash_loop_is_not_healthy() -> None:
    loop = find_loops([exited(30)] * 3, NOW)["bursts"]
    part = PartStatus("bursts", "running", 7, True, "partitions assigned").with_crash_loop(loop)
    assert not part.healthy
    assert part.ready
    assert (part.state, part.restarts) == ("crash-loop", 3)
    assert "crash loop: 3 restarts" in part.detail


def test_a_stack_without_logs_has_no_crash_loops(tmp_path: Path) -> None:
    assert crash_loops(tmp_path) == {}
