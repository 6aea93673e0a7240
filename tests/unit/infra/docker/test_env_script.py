"""infra/docker/env.sh generates credentials once, readable by the owner only."""

import re
import stat
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


def test_the_file_is_readable_by_the_owner_only(tmp_path: Path) -> None:
    run(tmp_path)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_credentials_differ_between_runs(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    run(tmp_path / "a")
    run(tmp_path / "b")
    assert written(tmp_path / "a")["S3_SECRET_KEY"] != written(tmp_path / "b")["S3_SECRET_KEY"]


def test_secrets_are_long_and_the_cluster_id_is_what_kafka_accepts(tmp_path: Path) -> None:
    run(tmp_path)
    found = written(tmp_path)
    assert re.fullmatch(r"[A-Za-z0-9]{20}", found["S3_ACCESS_KEY"])
    assert re.fullmatch(r"[A-Za-z0-9]{40}", found["S3_SECRET_KEY"])
    # 16 bytes in 22 characters: the last one carries two bits.
    assert re.fullmatch(r"[A-Za-z0-9]{21}[AQgw]", found["KAFKA_CLUSTER_ID"])


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
