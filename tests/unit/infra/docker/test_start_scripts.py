"""The scripts with which the containers of Triton and Kafka start, as plain processes."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.waiting import SCALE
from uncia.infra.docker.container_files import Addresses, write_container_files
from uncia.serving.triton_access import restriction_options
from uncia.settings import Settings

FOLDER = ROOT / "infra" / "docker"

JAVA = """\
#!/bin/sh
# Stands in for Java: appends its arguments to a file; with FAIL, the storage tool fails.
printf '%s ' "$@" >> "$CALLS"
echo >> "$CALLS"
case "$*" in *StorageTool*) exit "${FAIL:-0}" ;; esac
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_container_files(tmp_path / "files", tmp_path / "own", Addresses(), Settings(_env_file=None))
    return tmp_path / "files"


def start_kafka(files: Path, data: Path, **variables: str) -> tuple[int, list[str]]:
    """Run the script with a stand-in for Java. Returns its status and the calls of Java."""
    programs, calls = files.parent / "bin", files.parent / "calls"
    programs.mkdir(exist_ok=True)
    (programs / "java").write_text(JAVA, encoding="utf-8")
    (programs / "java").chmod(0o755)
    calls.write_text("")
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls), **variables}
    command = ["sh", str(files / "kafka" / "start.sh"), str(files / "kafka"), str(data)]
    completed = subprocess.run(command, env=environment, check=False, timeout=SCALE * 30)
    return completed.returncode, calls.read_text().splitlines()


def test_triton_starts_with_its_own_options_and_those_of_the_file(files: Path) -> None:
    script, options = files / "triton" / "start.sh", files / "triton" / "restrictions"
    command = ["sh", str(script), str(options), "printf", "%s\\n", "--model-repository=/a b"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SCALE * 20).stdout
    first, *restrictions = printed.splitlines()
    assert first == "--model-repository=/a b"
    key = (files / "triton" / "UNCIA_TRITON_INFERENCE_KEY").read_text().strip()
    inference = [restriction_options(name, key, "")[0] for name in ("grpc-restricted-protocol", "http-restricted-api")]
    assert restrictions[0::2] == inference
    assert len(restrictions) == 4


def test_triton_does_not_start_without_its_options(files: Path) -> None:
    (files / "triton" / "restrictions").unlink()
    command = ["sh", str(files / "triton" / "start.sh"), str(files / "triton" / "restrictions"), "echo", "started"]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SCALE * 20)
    assert completed.returncode and "started" not in completed.stdout


def test_kafka_formats_its_storage_at_the_first_start_only(files: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    status, first = start_kafka(files, data)
    assert status == 0
    assert ["StorageTool" in call for call in first] == [True, False]
    assert (files / "kafka" / "cluster-id").read_text().strip() in first[0]
    (data / "log" / "message").touch()
    _, second = start_kafka(files, data)
    assert ["StorageTool" in call for call in second] == [False]
    assert "kafka.Kafka" in second[0]
    assert (data / "log" / "message").exists()


def test_an_interrupted_format_is_repeated(files: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    status, calls = start_kafka(files, data, FAIL="1")
    assert status and len(calls) == 1
    (data / "log" / "half a format").touch()
    status, calls = start_kafka(files, data)
    assert status == 0 and len(calls) == 2
    assert not (data / "log" / "half a format").exists()
