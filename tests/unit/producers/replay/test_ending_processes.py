"""Processes of a replay: found by their mark, and given up when they cannot get on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from uncia.errors import SettingsError, UnciaError
from uncia.producers.replay import workers
from uncia.producers.replay.workers import MARK, MOST_DEATHS, Workers, end_left_behind, left_behind


def test_only_processes_with_the_mark_are_ended() -> None:
    sleep = [sys.executable, "-c", "import sys, time; print(flush=True); time.sleep(60)"]
    with (
        subprocess.Popen(sleep, env={**os.environ, MARK: "ours"}, stdout=subprocess.PIPE) as marked,
        subprocess.Popen(sleep, env={**os.environ, MARK: "theirs"}, stdout=subprocess.PIPE) as other,
    ):
        try:
            for process in (marked, other):
                assert process.stdout is not None
                process.stdout.readline()
            assert left_behind("ours") == [marked.pid]
            assert end_left_behind("ours") == 1
            assert marked.wait(10) != 0
            assert other.poll() is None
        finally:
            marked.kill()
            other.kill()


def run_until_it_gives_up(running: Workers) -> None:
    deadline = time.monotonic() + 50
    with running:
        while time.monotonic() < deadline:
            running.look_after()
            time.sleep(0.01)
    raise AssertionError("it goes on for ever")


def test_a_worker_that_dies_again_and_again_ends_the_run_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_AGAIN_S", 0)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys; print('the roof is gone', file=sys.stderr); os._exit(3)"
    )
    running = Workers(tmp_path, {"PYTHONPATH": str(tmp_path)}, "mark", ("bursts",))
    with pytest.raises(UnciaError, match=f"ended {MOST_DEATHS} times in a row.*status 3: the roof is gone"):
        run_until_it_gives_up(running)
    assert running.restarts == MOST_DEATHS - 1


def test_a_worker_that_gets_on_in_between_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_AGAIN_S", 0)
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    running = Workers(tmp_path, {"PYTHONPATH": str(tmp_path)}, "mark", ("bursts",))
    deadline = time.monotonic() + 50
    with running:
        while running.restarts < 2 * MOST_DEATHS and time.monotonic() < deadline:
            running.note_done({"bursts": running.restarts})
            running.look_after()
            time.sleep(0.01)
    assert running.restarts == 2 * MOST_DEATHS


def test_a_worker_that_refuses_its_settings_is_not_started_again(tmp_path: Path) -> None:
    running = Workers(tmp_path, {"UNCIA_PARTITIONS": "many"}, "mark", ("bursts",))
    with pytest.raises(SettingsError, match="UNCIA_PARTITIONS"):
        run_until_it_gives_up(running)
