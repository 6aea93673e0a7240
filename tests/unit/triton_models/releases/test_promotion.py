"""Promotion has Triton load a version, runs its self-test there, and only then moves the pointer."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.packages import write_package
from uncia.errors import DependencyDown, SettingsError
from uncia.serving.model_versions import VersionState, installed_versions, read_version_state, state_stamp
from uncia.serving.triton_client import ModelHealth, ProbeResult
from uncia.triton_models.packages.validation import ModelRefused
from uncia.triton_models.releases import promotion
from uncia.triton_models.releases.installation import install


@dataclass
class Control:
    """A stand-in for Triton that serves the versions in its configuration at the last load."""

    repository: Path
    ill: set[str] = field(default_factory=set)
    unloadable: set[str] = field(default_factory=set)
    served: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    def reload_version(self, model: str, version: str) -> None:
        self.dead.discard(version)
        self.load(model)

    def load(self, model: str, *, timeout_s: float = 60) -> None:
        config = (self.repository / model / "config.pbtxt").read_text()
        versions = config.partition("versions: [ ")[2].partition(" ]")[0].split(", ")
        if bad := self.unloadable & set(versions):
            raise DependencyDown(f"{model} refuses: version {bad} cannot be loaded")
        self.served = versions
        self.loads.append(",".join(versions))

    def probe(self, model: str, version: str = "") -> ProbeResult:
        if version not in self.served:
            return ProbeResult(ModelHealth.NOT_LOADED, "not served")
        if version in self.dead:
            return ProbeResult(ModelHealth.DEAD, "its process died")
        return (
            ProbeResult(ModelHealth.WRONG, "answers wrongly")
            if version in self.ill
            else ProbeResult(ModelHealth.HEALTHY, "fine")
        )


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    """`tiny` with three versions, of which 1 is live and served."""
    for number in (1, 2, 3):
        write_package(tmp_path / f"package{number}", seed=number, classes=3 + number)
        install(tmp_path / f"package{number}", tmp_path / "repository")
    control = Control(tmp_path / "repository")
    control.load("tiny")
    control.loads.clear()
    yield control


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records how long a promotion waited for workers; no test waits."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def promote(control: Control, version: str) -> VersionState:
    return promotion.promote(control, control.repository, "tiny", version)  # type: ignore[arg-type]


def version_state(control: Control) -> VersionState:
    return read_version_state(control.repository / "tiny")


def test_the_new_version_is_loaded_before_it_becomes_live(control: Control) -> None:
    promote(control, "2")

    assert control.loads == ["1,2"]
    assert (version_state(control).live, version_state(control).previous) == ("2", "1")


def test_rolling_back_moves_the_pointer_and_loads_nothing(control: Control) -> None:
    promote(control, "2")
    promotion.roll_back(control, control.repository, "tiny")  # type: ignore[arg-type]

    assert control.loads == ["1,2"]
    assert (version_state(control).live, version_state(control).previous) == ("1", "2")


def test_the_version_before_the_previous_one_goes_when_the_workers_have_moved(
    control: Control, patience: list[float]
) -> None:
    promote(control, "2")
    promote(control, "3")

    assert control.loads == ["1,2", "2,3"]
    assert 0 < patience[0] <= promotion.WORKERS_SWITCH_S


def test_rolling_back_to_a_version_whose_process_died_revives_it_first(control: Control) -> None:
    promote(control, "2")
    control.dead = {"1"}
    promotion.roll_back(control, control.repository, "tiny")  # type: ignore[arg-type]

    assert control.probe("tiny", "1").healthy
    assert (version_state(control).live, version_state(control).previous) == ("1", "2")


@pytest.mark.parametrize("trouble", ["ill", "unloadable"])
def test_a_version_that_does_not_answer_on_triton_is_refused_and_the_live_one_stays(
    control: Control, trouble: str
) -> None:
    getattr(control, trouble).add("2")
    before = state_stamp(control.repository / "tiny")

    with pytest.raises(ModelRefused, match=r"tiny@2 was not promoted, and 1 stays live"):
        promote(control, "2")
    assert state_stamp(control.repository / "tiny") == before
    assert control.served == ["1"]


def test_promoting_the_live_version_loads_it_where_triton_lost_it(control: Control) -> None:
    control.served = []
    promote(control, "1")

    assert control.served == ["1"]
    assert version_state(control).previous is None


def test_promoting_the_live_version_leaves_the_previous_one_loaded(control: Control) -> None:
    promote(control, "2")
    control.dead = {"2"}
    promote(control, "2")

    assert control.served == ["1", "2"]


def test_versions_of_other_sizes_share_one_configuration(control: Control) -> None:
    promote(control, "2")
    config = (control.repository / "tiny" / "config.pbtxt").read_text()

    assert '"WHOLE" data_type: TYPE_FP32 dims: [ -1 ]' in config
    assert '"FRAME" data_type: TYPE_UINT8 dims: [ 64, 96, 3 ]' in config


def test_an_additional_version_is_served_until_stopped(control: Control) -> None:
    changes: tuple[Callable[..., VersionState], ...] = (promotion.start_serving, promotion.stop_serving)
    for change in changes:
        change(control, control.repository, "tiny", "3")

    assert control.loads == ["1,3", "1"]
    assert version_state(control).live == "1"


def test_an_additional_version_has_low_priority_until_it_becomes_live(control: Control) -> None:
    def behind() -> list[str]:
        config = (control.repository / "tiny" / "config.pbtxt").read_text()
        return config.partition('key: "beside" value: { string_value: "')[2].partition('"')[0].split(",")

    promotion.start_serving(control, control.repository, "tiny", "3")  # type: ignore[arg-type]
    assert behind() == ["3"]
    promote(control, "3")
    assert behind() == [""]
    assert control.loads == ["1,3", "1,3"], "its process is another one then"


@pytest.mark.parametrize(("version", "why"), [("2", "is live"), ("3", "as a shadow")])
def test_a_served_version_is_not_removed(control: Control, version: str, why: str) -> None:
    promote(control, "2")
    promotion.start_serving(control, control.repository, "tiny", "3")  # type: ignore[arg-type]

    with pytest.raises(ModelRefused, match=why):
        promotion.remove_version(control, control.repository, "tiny", version)  # type: ignore[arg-type]
    assert version in installed_versions(control.repository / "tiny")


def test_removing_the_previous_version_unloads_it_and_leaves_nothing_to_roll_back_to(control: Control) -> None:
    promote(control, "2")
    promotion.remove_version(control, control.repository, "tiny", "1")  # type: ignore[arg-type]

    assert control.served == ["2"]
    assert installed_versions(control.repository / "tiny") == ("2", "3")
    with pytest.raises(SettingsError, match="there is no previous version of tiny before 2"):
        promotion.roll_back(control, control.repository, "tiny")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["tiny", "tiny@", "tiny@9", "other@1"])
def test_what_is_not_installed_is_named(control: Control, text: str) -> None:
    with pytest.raises(SettingsError):
        promotion.parse_version_name(text, control.repository)
