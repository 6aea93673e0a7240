"""`make dist`, and real installations of its wheel: the base and each extra alone. Takes minutes and needs the package
index.

`models` is not installed here: torch alone is gigabytes. `tests/unit/test_extras.py` checks its imports with all other
distributions hidden, as it does for every extra.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.installation import EXTRAS, IMPORT_ALL, promised
from tests.paths import ROOT
from uncia import __version__

pytestmark = pytest.mark.timeout(1800)

MAX_DOWNLOAD = 30 << 20
"""Bytes of the wheel and of all that the base needs: what a satellite link has to carry to a gateway."""

INSTALLED = ("", *(extra for extra in EXTRAS if extra != "models"))


def run(*command: str | Path, cwd: Path) -> str:
    completed = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by `make dist` from the sdist, which it builds and checks as well."""
    folder = tmp_path_factory.mktemp("dist")
    output = run("make", "dist", f"PY={sys.executable}", f"DIST={folder}", cwd=ROOT)
    assert output.count("PASSED") == 2  # twine, for both
    assert f"{folder.name}/uncia-{__version__}-py3-none-any.whl: OK" in output  # check-wheel-contents
    assert {path.name for path in folder.iterdir()} == {
        f"uncia-{__version__}-py3-none-any.whl",
        f"uncia-{__version__}.tar.gz",
    }
    return folder / f"uncia-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and all that the base needs, downloaded."""
    folder = tmp_path_factory.mktemp("packages")
    constraints = ROOT / "constraints.txt"
    pip = (sys.executable, "-m", "pip")
    run(*pip, "download", "--quiet", "--constraint", constraints, "--dest", folder, wheel, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def base(wheel: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the base, installed from these packages alone."""
    folder = tmp_path_factory.mktemp("base") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=packages)
    pip = (folder / "bin" / "python", "-m", "pip")
    run(*pip, "install", "--quiet", "--no-index", "--find-links", packages, wheel, cwd=packages)
    return folder


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


def test_the_base_is_a_small_download_without_numpy(packages: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in packages.iterdir()}
    assert sum(sizes.values()) < MAX_DOWNLOAD, sizes
    assert not [name for name in sizes if name.lower().startswith(("numpy", "pillow", "scipy", "torch", "faust"))]


def test_the_base_has_a_gateway_and_a_subscriber(base: Path, tmp_path: Path) -> None:
    uncia = base / "bin" / "uncia"
    assert run(uncia, "--version", cwd=tmp_path).strip() == __version__
    assert "memory card" in run(uncia, "gateway", "--help", cwd=tmp_path)
    assert "--videos" in run(uncia, "gateway", "card", "--help", cwd=tmp_path)
    assert "verdicts live" in run(uncia, "watch", "--help", cwd=tmp_path)
    (tmp_path / "card").mkdir()
    card = ("gateway", "card", "card", "--station", "ridge", "--camera", "c", "--spool", "spool")
    assert run(uncia, *card, cwd=tmp_path).strip() == "0 uploaded, 0 duplicates"
    events = (
        "from uncia.events import BurstResolved; from uncia.topics import BURST_RESOLVED; print(BURST_RESOLVED.name)"
    )
    assert run(base / "bin" / "python", "-c", events, cwd=tmp_path).strip() == "camera.burst.resolved.v1"
    # The example starts and finds no broker: all that it imports is there.
    subscriber = subprocess.run(
        [base / "bin" / "python", ROOT / "examples" / "subscriber.py"],
        env={**os.environ, "UNCIA_KAFKA": "127.0.0.1:9"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "kafka.errors.KafkaTimeoutError" in subscriber.stderr


@pytest.mark.parametrize(("command", "extra"), [("worker", "processors"), ("up", "local"), ("models", "models")])
def test_the_base_says_how_to_install_what_a_command_needs(
    base: Path, wheel: Path, tmp_path: Path, command: str, extra: str
) -> None:
    hint = f"pip install '{wheel.name}[{extra}]'"
    for arguments in (["--help"], [command, "--help"]):
        shown = run(base / "bin" / "uncia", *arguments, cwd=tmp_path)
        assert hint in " ".join(shown.replace("│", " ").split())
    refused = subprocess.run(
        [base / "bin" / "uncia", command, "anything"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert hint in refused.stderr
    # It is a requirement that pip understands, in the folder of the wheel.
    pip = (base / "bin" / "python", "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index")
    run(*pip, f"{wheel.name}[{extra}]", cwd=wheel.parent)


def test_an_archive_of_the_clone_can_be_installed(tmp_path: Path) -> None:
    """As docs/gateway.md says for a board without git."""
    run("git", "archive", "--prefix", "uncia/", "--output", tmp_path / "uncia.tar.gz", "HEAD", cwd=ROOT)
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "uncia.tar.gz", cwd=tmp_path)
    run(python, "-c", "import importlib.util as u; assert u.find_spec('uncia.producers.gateway.engine')", cwd=tmp_path)


@pytest.mark.parametrize(
    "extra",
    [pytest.param(extra, marks=[pytest.mark.thorough] if extra else [], id=extra or "base") for extra in INSTALLED],
)
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
