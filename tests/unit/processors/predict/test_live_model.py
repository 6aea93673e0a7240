"""Predict follows the live version; a pinned one stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packages import write_package
from tests.unit.processors.predict.detectors import install_detector
from uncia.errors import SettingsError
from uncia.processors.predict.live_model import CHECK_INTERVAL_S, LiveDetector, LiveModel
from uncia.serving.model_versions import read_version_state, write_version_state
from uncia.settings import Settings
from uncia.triton_models.releases.installation import install


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for seed in (1, 2):
        write_package(tmp_path / f"package{seed}", seed=seed)
        install(tmp_path / f"package{seed}", tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def move(repository: Path) -> Callable[[str], None]:
    folder = repository / "tiny"
    return lambda version: write_version_state(folder, read_version_state(folder).model_copy(update={"live": version}))


def live_model(repository: Path, clock: Clock, version: str = "") -> LiveModel:
    return LiveModel(Settings(model="tiny", model_repository=repository, model_version=version), clock)


def test_the_live_version_is_used_with_its_own_labels(repository: Path, move: Callable[[str], None]) -> None:
    clock = Clock()
    model = live_model(repository, clock)
    before = model.current().card
    move("2")
    clock.now = CHECK_INTERVAL_S
    after = model.current().card

    assert (before.version, before.labels.name) == ("1", "set1")
    assert (after.version, after.labels.name) == ("2", "set2")


def test_the_pointer_is_checked_at_most_twice_a_second(repository: Path, move: Callable[[str], None]) -> None:
    clock = Clock()
    model = live_model(repository, clock)
    move("2")
    clock.now = CHECK_INTERVAL_S - 0.01

    assert model.current().card.version == "1"


def test_a_pinned_version_stays(repository: Path, move: Callable[[str], None]) -> None:
    clock = Clock()
    model = live_model(repository, clock, "1")
    move("2")
    clock.now = 60

    assert model.current().card.version == "1"


def test_a_pointer_that_cannot_be_read_leaves_the_previous_version(repository: Path) -> None:
    clock = Clock()
    model = live_model(repository, clock)
    (repository / "tiny" / "live.json").write_text("half")
    clock.now = 60

    assert model.current().card.version == "1"


def test_a_repository_without_the_model_stops_the_worker_at_its_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="uncia models build"):
        live_model(tmp_path, Clock())


def live_detector(repository: Path, clock: Clock, version: str = "", detector: str = "animal_detector") -> LiveDetector:
    return LiveDetector(
        Settings(model="tiny", model_repository=repository, detector=detector, detector_version=version), clock
    )


def test_a_detector_that_is_installed_later_is_used_from_then_on(repository: Path) -> None:
    clock = Clock()
    detector = live_detector(repository, clock)
    assert detector.current() is None
    install_detector(repository)
    clock.now = CHECK_INTERVAL_S
    active = detector.current()
    assert active is not None
    assert active.card.name == "animal_detector@1"
    assert detector.current() is active


def test_the_live_version_of_the_detector_is_followed(repository: Path) -> None:
    clock = Clock()
    install_detector(repository)
    detector = live_detector(repository, clock)
    before = detector.current()
    install_detector(repository, "2")
    clock.now = CHECK_INTERVAL_S
    after = detector.current()
    assert before is not None and after is not None
    assert (before.card.version, after.card.version) == ("1", "2")


def test_a_pinned_detector_version_stays(repository: Path) -> None:
    clock = Clock()
    install_detector(repository)
    install_detector(repository, "2")
    detector = live_detector(repository, clock, "1")
    clock.now = 60
    active = detector.current()
    assert active is not None
    assert active.card.version == "1"


def test_an_empty_setting_switches_detection_off(repository: Path) -> None:
    install_detector(repository)
    assert live_detector(repository, Clock(), detector="").current() is None
