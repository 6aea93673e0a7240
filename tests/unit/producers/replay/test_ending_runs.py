"""How a run ends that cannot go on: with its reason written down, or, where it never began, with nothing left."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.producers.replay import runner
from uncia.producers.replay.description import Plan, Replay, find, home
from uncia.producers.replay.model_check import NotServed
from uncia.producers.replay.planning import Described
from uncia.producers.replay.removal import Removed
from uncia.producers.replay.runner import _must_be_the_same, _Run, run
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
    """Removes the folder alone: there is no Kafka here."""
    names: list[str] = []

    def remove(replay: Replay, live: Settings) -> Removed:
        names.append(replay.name)
        replay.remove()
        return Removed(0, [], [], None, "")

    monkeypatch.setattr(runner, "remove", remove)
    return names


def described(*, new: bool) -> Described:
    replay = Replay.make("trial", Plan(), {})
    if not new:
        replay.save()
    return Described(replay, new, {})


def ends_with(error: Exception, monkeypatch: pytest.MonkeyPatch, *, working: bool, answered: int = 0) -> None:
    def to_its_end(self: Any) -> None:
        if self._what.new:
            self._replay.save()
        self._working, self._answered = working, answered
        raise error

    monkeypatch.setattr(_Run, "to_its_end", to_its_end)


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/replays/trial")


@pytest.mark.parametrize(
    "error", [SettingsError("no such model"), NotServed("Triton cannot load it"), DependencyDown("Kafka is away"), FULL]
)
def test_a_start_that_is_refused_leaves_no_folder(
    error: Exception, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    ends_with(error, monkeypatch, working=False)
    with pytest.raises(UnciaError):
        run(described(new=True), LIVE, lambda *_: None)
    assert removed == ["trial"]
    assert find("trial") is None
    assert not home().exists()


def test_settings_that_only_a_worker_can_refuse_are_a_refusal_too(
    monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    ends_with(SettingsError("the worker bursts does not start"), monkeypatch, working=True)
    with pytest.raises(SettingsError):
        run(described(new=True), LIVE, lambda *_: None)
    assert removed == ["trial"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnciaError("the worker bursts ended 5 times in a row"), "the worker bursts ended 5 times in a row"),
        (SettingsError("the model is gone"), "the model is gone"),
        (FULL, "the replay cannot go on: No space left on device (/data/replays/trial)"),
        (ValueError("a bug"), "ValueError: a bug"),
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_a_run_that_had_begun_keeps_its_reason(
    error: Exception, reason: str, new: bool, monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    ends_with(error, monkeypatch, working=True, answered=7)
    with pytest.raises(ValueError if isinstance(error, ValueError) else UnciaError):
        run(described(new=new), LIVE, lambda *_: None)
    assert removed == []
    kept = find("trial")
    assert kept is not None
    assert kept.reason == reason


def test_a_resumed_run_that_is_refused_is_not_taken_away(monkeypatch: pytest.MonkeyPatch, removed: list[str]) -> None:
    ends_with(NotServed("Triton cannot load it"), monkeypatch, working=False)
    with pytest.raises(NotServed):
        run(described(new=False), LIVE, lambda *_: None)
    assert removed == []
    kept = find("trial")
    assert kept is not None
    assert kept.reason == "Triton cannot load it"


def test_a_topic_that_was_deleted_or_made_anew_is_named() -> None:
    _must_be_the_same({"a": "1"}, {"a": "1", "b": "2"}, "trial")
    with pytest.raises(UnciaError, match="the topic b was deleted: `uncia replay drop trial`"):
        _must_be_the_same({"a": "1", "b": "2"}, {"a": "1"}, "trial")
    with pytest.raises(UnciaError, match="the topic b was deleted and made anew"):
        _must_be_the_same({"b": "2"}, {"b": "3"}, "trial")


def test_a_model_that_triton_cannot_serve_ends_the_run_after_three_tries_and_a_silent_triton_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = _Run(described(new=False), LIVE, lambda *_: None)
    errors: list[Exception] = [NotServed("broken"), DependencyDown("silent"), *[NotServed("broken")] * 3]

    def serve() -> None:
        raise errors.pop(0)

    monkeypatch.setattr(running, "_serve", serve)
    tries = 0
    for expected in (1, 0, 1, 2):
        tries = running._serve_again(tries)
        assert tries == expected
    with pytest.raises(NotServed, match="broken"):
        running._serve_again(tries)
