"""A failed run stores its reason; a run that never began is removed."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.producers.replay import runner
from uncia.producers.replay.description import Replay, ReplayPlan, find_replay, replays_folder
from uncia.producers.replay.planning import PreparedReplay
from uncia.producers.replay.removal import RemovedReplay
from uncia.producers.replay.replay_model import ModelNotServed
from uncia.producers.replay.runner import _check_topic_ids, _Run, run_replay
from uncia.settings import Settings

LIVE = Settings(_env_file=None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("UNCIA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of removed replays. Only their folders are removed: there is no Kafka here."""
    names: list[str] = []

    def remove(replay: Replay, live: Settings) -> RemovedReplay:
        names.append(replay.name)
        replay.remove()
        return RemovedReplay(0, [], [], None, "")

    monkeypatch.setattr(runner, "remove_replay", remove)
    return names


def prepared(*, new: bool) -> PreparedReplay:
    replay = Replay.create("trial", ReplayPlan(), {})
    if not new:
        replay.save()
    return PreparedReplay(replay, new, {})


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch, *, workers_started: bool, answered: int = 0) -> None:
    def to_completion(self: Any) -> None:
        if self._prepared.is_new:
            self._replay.save()
        self._workers_started, self._answered = workers_started, answered
        raise error

    monkeypatch.setattr(_Run, "to_completion", to_completion)


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/replays/trial")


@pytest.mark.parametrize(
    "error",
    [SettingsError("no such model"), ModelNotServed("Triton cannot load it"), DependencyDown("Kafka is away"), FULL],
)
def test_a_refused_start_leaves_no_folder(
    error: Exception, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    fail_with(error, monkeypatch, workers_started=False)
    with pytest.raises(UnciaError):
        run_replay(prepared(new=True), LIVE, lambda *_: None)
    assert removed == ["trial"]
    assert find_replay("trial") is None
    assert not replays_folder().exists()


def test_settings_that_a_worker_refuses_are_a_refused_start_too(
    monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    fail_with(SettingsError("the worker bursts does not start"), monkeypatch, workers_started=True)
    with pytest.raises(SettingsError):
        run_replay(prepared(new=True), LIVE, lambda *_: None)
    assert removed == ["trial"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnciaError("the worker bursts ended 5 times in a row"), "the worker bursts ended 5 times in a row"),
        (SettingsError("the model is gone"), "the model is gone"),
        (FULL, "the replay cannot continue: No space left on device (/data/replays/trial)"),
        (ValueError("a bug"), "ValueError: a bug"),
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_a_run_that_had_begun_stores_its_reason(
    error: Exception, reason: str, new: bool, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    fail_with(error, monkeypatch, workers_started=True, answered=7)
    with pytest.raises(ValueError if isinstance(error, ValueError) else UnciaError):
        run_replay(prepared(new=new), LIVE, lambda *_: None)
    assert removed == []
    stored = find_replay("trial")
    assert stored is not None
    assert stored.reason == reason


def test_a_resumed_run_that_is_refused_is_not_removed(monkeypatch: pytest.MonkeyPatch, removed: list[str]) -> None:
    fail_with(ModelNotServed("Triton cannot load it"), monkeypatch, workers_started=False)
    with pytest.raises(ModelNotServed):
        run_replay(prepared(new=False), LIVE, lambda *_: None)
    assert removed == []
    stored = find_replay("trial")
    assert stored is not None
    assert stored.reason == "Triton cannot load it"


def test_a_topic_that_was_deleted_or_recreated_is_named() -> None:
    _check_topic_ids({"a": "1"}, {"a": "1", "b": "2"}, "trial")
    with pytest.raises(UnciaError, match="the topic b was deleted: run `uncia replay drop trial`"):
        _check_topic_ids({"a": "1", "b": "2"}, {"a": "1"}, "trial")
    with pytest.raises(UnciaError, match="the topic b was deleted and created again"):
        _check_topic_ids({"b": "2"}, {"b": "3"}, "trial")


def test_a_run_fails_after_three_refusals_by_triton_but_not_while_triton_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = _Run(prepared(new=False), LIVE, lambda *_: None)
    errors: list[Exception] = [ModelNotServed("broken"), DependencyDown("silent"), *[ModelNotServed("broken")] * 3]

    def serve() -> None:
        raise errors.pop(0)

    monkeypatch.setattr(run, "_serve_model", serve)
    tries = 0
    for expected in (1, 0, 1, 2):
        tries = run._serve_again(tries)
        assert tries == expected
    with pytest.raises(ModelNotServed, match="broken"):
        run._serve_again(tries)
