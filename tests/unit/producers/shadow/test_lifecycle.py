"""A shadow runs in a marked process that outlives the command which starts it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from uncia.errors import UnciaError
from uncia.producers.shadow import lifecycle
from uncia.producers.shadow.lifecycle import Shadow, all_shadows
from uncia.serving.shadows import SHADOW_WORKER
from uncia.settings import Settings


@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shadow]:
    """A shadow without Kafka; its processes are ended after the test."""
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    monkeypatch.setattr(lifecycle, "create_topics", lambda _: None)
    monkeypatch.setattr(Shadow, "_commit_ends_for_new_group", lambda _: None)
    shadow = Shadow("cats", "2", Settings(_env_file=None))
    yield shadow
    shadow.stop()


def runner(shadow: Shadow) -> list[str]:
    """A runner that is ready at once and then waits."""
    ready = shadow.folder / f"{SHADOW_WORKER}.ready"
    return [sys.executable, "-c", f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"]


# The runner outlives its `Popen` on purpose.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_shadow_is_started_once_and_stopped(shadow: Shadow) -> None:
    assert shadow.start(runner(shadow))
    assert not shadow.start(runner(shadow))
    assert all_shadows() == ["cats@2"]
    assert shadow.stop() == 1
    assert shadow.stop() == 0


def test_a_shadow_keeps_its_mark(shadow: Shadow) -> None:
    assert shadow.mark == shadow.mark
    assert Shadow("cats", "3", Settings(_env_file=None)).mark != shadow.mark


def test_a_runner_that_exits_is_an_error_that_names_its_log(shadow: Shadow) -> None:
    with pytest.raises(UnciaError, match=r"shadow\.log"):
        shadow.start([sys.executable, "-c", ""])


def test_stopping_a_shadow_that_was_never_started_creates_nothing(shadow: Shadow) -> None:
    assert shadow.stop() == 0
    assert not shadow.folder.exists()
