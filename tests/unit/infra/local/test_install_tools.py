"""Installation steps are atomic and idempotent, and report failures in one sentence."""

from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local import java
from uncia.infra.local.install import Step, install
from uncia.infra.local.install_tools import build_directory, install_system_package, is_complete, run


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNCIA_PARTS_DIR", str(tmp_path / "parts dir"))
    return tmp_path / "parts dir"


def test_a_part_is_complete_only_after_its_build_succeeded(parts: Path) -> None:
    with build_directory("kafka", "recipe 1") as folder:
        (folder / "jar").touch()
        assert not is_complete("kafka", "recipe 1")
    assert is_complete("kafka", "recipe 1")
    assert (parts / "kafka" / "jar").exists()


def test_a_failed_build_keeps_the_old_part_and_leaves_no_other_files(parts: Path) -> None:
    with build_directory("kafka", "recipe 1"):
        pass
    with pytest.raises(RuntimeError), build_directory("kafka", "recipe 2"):
        raise RuntimeError
    assert is_complete("kafka", "recipe 1")
    assert [path.name for path in parts.iterdir()] == ["kafka"]


def test_a_part_from_another_recipe_is_replaced(parts: Path) -> None:
    for recipe in ("recipe 1", "recipe 2"):
        with build_directory("kafka", recipe) as folder:
            (folder / recipe).touch()
    assert not is_complete("kafka", "recipe 1")
    assert not (parts / "kafka" / "recipe 1").exists()


def test_only_incomplete_steps_run(capsys: pytest.CaptureFixture[str]) -> None:
    done: set[str] = {"old"}

    def step(name: str) -> Step:
        return Step(name, "", lambda: name in done, lambda: done.add(name))

    install((step("old"), step("new")))
    install((step("old"), step("new")))
    assert capsys.readouterr().out.count("installing") == 1
    assert done == {"old", "new"}


def test_the_output_of_a_failed_command_is_in_the_error() -> None:
    with pytest.raises(StackError, match=r"it broke\. Its output ends with:\nno network"):
        run(["sh", "-c", "echo no network; exit 3"], "it broke")


def test_a_missing_command_is_named_in_the_error() -> None:
    with pytest.raises(StackError, match=r"it broke: .*no-such-tool"):
        run(["no-such-tool"], "it broke")


def test_system_packages_are_installed_by_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    with pytest.raises(StackError, match="do this by hand"):
        install_system_package("some-package", otherwise="do this by hand")


def fake_java(folder: Path, version: str) -> Path:
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.touch()
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\n', encoding="utf-8")
    return binary


@pytest.mark.parametrize(("written", "major"), [("17.0.15", 17), ("1.8.0_392", 8), ("21", 21)])
def test_the_java_version_is_read_without_starting_java(tmp_path: Path, written: str, major: int) -> None:
    assert java.major_version(fake_java(tmp_path / "jdk", written)) == major


def test_a_java_that_is_too_old_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = fake_java(tmp_path / "old", "11.0.2"), fake_java(tmp_path / "new", "21.0.1")
    monkeypatch.setattr(java, "_candidates", lambda: [old, new])
    assert java.find_java() == new


def test_without_a_suitable_java_the_error_has_the_versions_found_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "_candidates", lambda: [fake_java(tmp_path / "old", "11.0.2")])
    with pytest.raises(StackError, match=r"apt-get install openjdk-17.*is version 11"):
        java.find_java()


def test_a_file_that_is_not_java_has_no_version(tmp_path: Path) -> None:
    assert java.major_version(tmp_path / "bin" / "java") is None
