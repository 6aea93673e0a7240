"""The code and the packages that a run needs over there."""

import zipfile
from pathlib import Path

import pytest

from tests.paths import sources
from uncia.training.remote.environment import environment_spec, version_problems
from uncia.training.remote.wheel import write_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_every_module(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        modules = {name for name in archive.namelist() if name.endswith(".py")}
    assert len(modules) == len(sources())


def test_the_same_sources_give_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert write_wheel(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_names_the_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "uncia.commands.train:app" in archive.read(points).decode()


def test_the_environment_has_the_pinned_versions_of_what_training_imports() -> None:
    assert {"torch", "onnx", "numpy", "typer"} <= set(environment_spec().checked)


def test_no_package_of_the_environment_is_for_the_tests_or_the_dashboard() -> None:
    assert not {"pytest", "fastapi"} & set(environment_spec().checked)


def test_the_build_for_cpus_is_the_same_release() -> None:
    assert version_problems({"torch": "2.9.0"}, {"torch": "2.9.0+cpu"}) == []


def test_what_an_environment_lacks_is_named() -> None:
    problems = version_problems({"torch": "2.9.0", "onnx": "1.17"}, {"torch": "2.8.0", "onnx": None})
    assert problems == ["torch is 2.8.0, not 2.9.0", "onnx is missing"]
