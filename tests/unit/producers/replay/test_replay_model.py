"""A replay has Triton load its own classifier or detector, and never touches a live one."""

from pathlib import Path
from typing import ClassVar

import pytest

from tests.agents.doubles import servers
from uncia.producers.replay.replay_model import ModelNotServed, ensure_served
from uncia.serving import triton_client
from uncia.serving.model_health import ModelHealth, ProbeResult
from uncia.settings import Settings


class Control:
    """Serves the models of `loaded`; loads any other."""

    loaded: ClassVar[set[str]]
    reloaded: ClassVar[list[str]]

    def __init__(self, settings: Settings) -> None:
        """As `ModelControl` is made."""

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def probe(self, model: str) -> ProbeResult:
        healthy = model in self.loaded
        return ProbeResult(ModelHealth.HEALTHY if healthy else ModelHealth.NOT_LOADED, f"{model} is not loaded")

    def reload(self, model: str) -> None:
        self.reloaded.append(model)
        self.loaded.add(model)


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> type[Control]:
    class Fresh(Control):
        loaded: ClassVar[set[str]] = set()
        reloaded: ClassVar[list[str]] = []

    monkeypatch.setattr(triton_client, "ModelControl", Fresh)
    return Fresh


@pytest.fixture
def live(tmp_path: Path) -> Settings:
    with servers(tmp_path) as (addresses, _, _):
        return Settings(_env_file=None, **addresses)


def serve(replay: Settings, live: Settings) -> list[str]:
    """The notes before something is loaded."""
    noted: list[str] = []
    ensure_served(replay, live, lambda: noted.append("loading"))
    return noted


def test_the_live_models_are_only_checked(live: Settings, control: type[Control]) -> None:
    control.loaded |= {live.model, live.detector}
    assert serve(live, live) == []
    assert control.reloaded == []


def test_a_detector_of_the_replay_alone_is_loaded_after_a_note(live: Settings, control: type[Control]) -> None:
    control.loaded.add(live.model)
    other = live.model_copy(update={"detector": "another"})
    # For the replay it is another one's: that of the live system has the name of the installed one.
    assert serve(live, other) == ["loading"]
    assert control.reloaded == [live.detector]


def test_a_version_of_the_live_detector_that_is_not_served_is_refused(live: Settings, control: type[Control]) -> None:
    control.loaded.add(live.model)
    pinned = live.model_copy(update={"detector_version": "1"})
    with pytest.raises(ModelNotServed, match=f"uncia models serve {live.detector}@1"):
        serve(pinned, live)
    assert control.reloaded == []
