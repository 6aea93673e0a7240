"""Every program in examples/ runs as it is, against the stack."""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.stack.containers import ContainerStack
from tests.stack.photographs import photograph
from tests.waiting import SCALE
from uncia.events import BurstResolved, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.settings import Settings

EXAMPLES = ROOT / "examples"
LIMIT_S = 120

Run = Callable[..., str]


@pytest.fixture
def environment(stack: Stack | ContainerStack, settings: Settings) -> dict[str, str]:
    """The environment variables that examples/README.md asks for."""
    repository = {"UNCIA_MODEL_REPOSITORY": str(settings.model_repository.resolve())}
    return {**os.environ, **repository, **stack.environment(), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def subscriber_environment(stack: Stack | ContainerStack, environment: dict[str, str]) -> dict[str, str]:
    """The environment of another person's program, which has a key of its own and none of the operator's."""
    if isinstance(stack, ContainerStack):
        return environment
    command = [sys.executable, "-m", "uncia", "keys", "issue", "subscriber", "example", "--json"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SCALE * LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    without_keys = {name: value for name, value in environment.items() if not name.startswith("UNCIA_")}
    return {**without_keys, **json.loads(done.stdout)}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run an example to its end in an empty folder; returns its output."""

    def run(name: str, *arguments: str) -> str:
        line = [sys.executable, str(EXAMPLES / name), *arguments]
        done = subprocess.run(
            line, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SCALE * LIMIT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def photograph_file(tmp_path: Path) -> Path:
    """A photograph in a file."""
    path = tmp_path / "photograph.jpg"
    path.write_bytes(photograph(73_000))
    return path


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[Callable[[str], str]]:
    """A subscriber in the background. Yields a function that waits for a line that contains a text."""
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: queue.Queue[str] = queue.Queue()
    output = process.stdout
    assert output is not None

    def read() -> None:
        for line in output:
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()

    def wait_for(text: str) -> str:
        seen: list[str] = []
        while True:
            try:
                seen.append(lines.get(timeout=SCALE * LIMIT_S))
            except queue.Empty:
                raise AssertionError(f"{command[-1]} printed nothing about {text}: {''.join(seen)}") from None
            if text in seen[-1]:
                return seen[-1]

    try:
        yield wait_for
    finally:
        process.terminate()
        process.wait(SCALE * 20)
        reader.join(SCALE * 20)
        output.close()


def test_an_upload_by_the_example_is_predicted(
    run: Run, photograph_file: Path, predicted: Callable[..., ImagePredicted], station: str
) -> None:
    key = run("upload.py", str(photograph_file), station, "north-slope").strip()

    assert key == f"{station}/north-slope/photograph.jpg"
    assert predicted(key).prediction is not None


def test_the_example_client_gets_the_scores_that_the_stream_publishes(
    run: Run,
    photograph_file: Path,
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    station: str,
) -> None:
    rows = [line.split("\t") for line in run("classify.py", str(photograph_file)).splitlines()]
    upload(f"{station}/cam/x.jpg", photograph_file.read_bytes())
    prediction = predicted(f"{station}/cam/x.jpg").prediction

    assert prediction is not None
    assert [label for _, label in rows] == [entry.label for entry in prediction.top[:3]]
    assert [float(score) for score, _ in rows] == pytest.approx([entry.score for entry in prediction.top[:3]], abs=1e-4)


def test_the_python_subscriber_prints_the_verdict(
    subscriber_environment: dict[str, str],
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    station: str,
    tmp_path: Path,
) -> None:
    with running([sys.executable, str(EXAMPLES / "subscriber.py")], subscriber_environment, tmp_path) as wait_for:
        upload(f"{station}/cam/x.jpg", photograph(73_001))
        assert wait_for(f"{station}/cam").split("\t")[2:] == row_of(settled(f"{station}/cam")[0])


def row_of(burst: BurstResolved) -> list[str]:
    """The last two columns of a burst's first line: its taxon and its status."""
    assert burst.verdict is not None
    return [burst.verdict.taxon, "provisional\n"]


@pytest.fixture
def node_folder(tmp_path: Path) -> Path:
    """The JavaScript example with its packages installed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = tmp_path / "subscriber-js"
    shutil.copytree(EXAMPLES / "subscriber-js", folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SCALE * LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_javascript_subscriber_prints_the_verdict(
    subscriber_environment: dict[str, str],
    node_folder: Path,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    station: str,
) -> None:
    with running(["node", "subscriber.mjs"], subscriber_environment, node_folder) as wait_for:
        upload(f"{station}/cam/x.jpg", photograph(73_002))
        assert wait_for(f"{station}/cam").split("\t")[2:] == row_of(settled(f"{station}/cam")[0])
