"""The wheel, and real installations of the base and of each extra alone. Takes minutes and needs the package index.

`models` is not installed here: torch alone is gigabytes. `tests/unit/test_extras.py` checks its imports with all other
distributions hidden, as it does for every extra.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.installation import EXTRAS, IMPORT_ALL, promised
from tests.paths import ROOT

pytestmark = pytest.mark.timeout(1800)

INSTALLED = ("", *(extra for extra in EXTRAS if extra != "models"))


def run(*command: str | Path, cwd: Path) -> str:
    completed = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("uncia-*.whl")
    return built


def test_the_wheel_has_one_top_level_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"uncia"}


def test_the_wheel_has_every_module_and_data_file_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len(set(names)) == len(names)
    tracked = run("git", "ls-files", "uncia", *_folders(), cwd=ROOT).splitlines()
    expected = {name if name.startswith("uncia/") else f"uncia/{name}" for name in tracked}
    expected -= {f"uncia/{folder}" for folder in _folders()}  # the links themselves
    assert expected <= set(names)
    assert "uncia/py.typed" in names
    for suffix in (".csv", ".j2", ".xml"):
        assert any(name.endswith(suffix) for name in names)


@pytest.mark.parametrize("extra", INSTALLED, ids=[extra or "base" for extra in INSTALLED])
def test_a_new_environment_imports_every_promised_module(extra: str, wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    requirement = f"{wheel}[{extra}]" if extra else str(wheel)
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, requirement, cwd=tmp_path)
    run(python, "-c", IMPORT_ALL, "", *promised(extra), cwd=tmp_path)
    assert run(tmp_path / "venv" / "bin" / "uncia", "--version", cwd=tmp_path).strip()


def _folders() -> list[str]:
    return [path.name for path in (ROOT / "uncia").iterdir() if path.is_symlink()]
