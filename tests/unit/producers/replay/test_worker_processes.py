"""The worker processes of a replay are restarted when they exit, until they make no progress any more."""

import time
from pathlib import Path

import pytest

from tests.waiting import SCALE
from uncia.child_processes import Mark
from uncia.errors import SettingsError, UnciaError
from uncia.producers.replay import worker_processes
from uncia.producers.replay.worker_processes import MARK_VARIABLE, MAX_EXITS_WITHOUT_PROGRESS, WorkerProcesses

MARK = Mark(MARK_VARIABLE, "unit test")


def bursts_worker(folder: Path, **variables: str) -> WorkerProcesses:
    return WorkerProcesses(folder, variables, MARK, ("bursts",))


def run_until_error(workers: WorkerProcesses) -> None:
    deadline = time.monotonic() + SCALE * 50
    with workers:
        while time.monotonic() < deadline:
            workers.restart_exited()
            time.sleep(0.01)
    raise AssertionError("no error within 50 s")


def test_a_worker_that_exits_repeatedly_ends_the_run_with_its_last_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes, "_RESTART_DELAY_S", 0)
    (tmp_path / "sitecustomize.py").write_text("import os, sys; print('no memory', file=sys.stderr); os._exit(3)")
    workers = bursts_worker(tmp_path, PYTHONPATH=str(tmp_path))
    with pytest.raises(UnciaError, match=f"ended {MAX_EXITS_WITHOUT_PROGRESS} times in a row.*status 3: no memory"):
        run_until_error(workers)
    assert workers.restarts == MAX_EXITS_WITHOUT_PROGRESS - 1


def test_progress_resets_the_count_of_exits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes, "_RESTART_DELAY_S", 0)
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    workers = bursts_worker(tmp_path, PYTHONPATH=str(tmp_path))
    deadline = time.monotonic() + SCALE * 50
    with workers:
        while workers.restarts < 2 * MAX_EXITS_WITHOUT_PROGRESS and time.monotonic() < deadline:
            workers.record_progress({"bursts": workers.restarts})
            workers.restart_exited()
            time.sleep(0.01)
    assert workers.restarts == 2 * MAX_EXITS_WITHOUT_PROGRESS


def test_a_worker_that_refuses_its_settings_is_not_restarted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="UNCIA_PARTITIONS"):
        run_until_error(bursts_worker(tmp_path, UNCIA_PARTITIONS="many"))
