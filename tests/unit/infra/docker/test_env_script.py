"""infra/docker/env.sh writes the profile and the ports once, and no secret."""

import subprocess
from pathlib import Path

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import variables
from tests.waiting import SCALE

SCRIPT = ROOT / "infra" / "docker" / "env.sh"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=SCALE * 20
    )


def written(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_it_sets_every_variable_of_the_compose_file(tmp_path: Path) -> None:
    assert run(tmp_path).returncode == 0
    assert set(variables()) | {"COMPOSE_PROFILES"} == set(written(tmp_path))


def test_the_ports_are_those_that_the_compose_file_takes_without_it(tmp_path: Path) -> None:
    run(tmp_path)
    found = written(tmp_path)
    assert {name: found[name] for name in variables()} == {name: rest for name, (_, rest) in variables().items()}


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / ".env").read_text(encoding="utf-8")
    again = run(tmp_path)
    assert again.returncode == 1
    assert "is left unchanged" in again.stderr
    assert (tmp_path / ".env").read_text(encoding="utf-8") == before


def test_the_gpu_option_selects_the_gpu_profile(tmp_path: Path) -> None:
    run(tmp_path, "--gpu")
    assert written(tmp_path)["COMPOSE_PROFILES"] == "gpu"


def test_an_unknown_argument_writes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "--cuda").returncode == 2
    assert not (tmp_path / ".env").exists()
