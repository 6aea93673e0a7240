"""Every program in examples/ runs as it is, against the stack."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.stack.containers import ContainerStack
from tests.stack.dashboard_client import SignIn
from tests.stack.photographs import photograph
from tests.stack.result_consumer import JUNK_HEADER
from tests.toolchains import java_compiler, librdkafka, node, npm_packages, system_programs
from tests.waiting import SCALE
from uncia.events import BurstResolved, ImagePredicted
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED

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
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A session of its own: a shell script has further processes, which end with it.
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    output = process.stdout
    assert output is not None

    def read() -> None:
        for line in output:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read)
    reader.start()

    def wait_for(text: str) -> str:
        seen: list[str] = []
        while True:
            try:
                line = lines.get(timeout=SCALE * LIMIT_S)
            except queue.Empty:
                line = None
            assert line is not None, f"{command[-1]} printed nothing about {text}: {''.join(seen)}"
            seen.append(line)
            if text in line:
                return line

    try:
        yield wait_for
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
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
def bursts_of_a_camera(admin_settings: Settings, station: str) -> Iterator[str]:
    """A camera whose bursts were revised, repeated and superseded. They are deleted after the test."""
    camera = f"{station}/rules"
    partition = partition_of(camera, admin_settings.partitions)
    producer = connect_producer(admin_settings, acks="all", max_in_flight_requests_per_connection=1)

    def send(burst_id: str, event: BurstResolved | None) -> None:
        producer.send(
            BURST_RESOLVED.full_name(admin_settings),
            key=f"{station}-{burst_id}".encode(),
            value=event and event.to_bytes(),
            headers=[(JUNK_HEADER, b"1")],
            partition=partition,
        ).get(600)

    def burst(burst_id: str, revision: int, status: str, **fields: object) -> None:
        event = {"burst_id": f"{station}-{burst_id}", "revision": revision, "status": status, "trigger": "motion"}
        times = {"started_at": "2026-05-14T21:36:00", "ended_at": "2026-05-14T21:36:09"}
        rules = {"rule": "log-odds/1", "settings": "set-1"}
        whole = {"station": station, "camera": camera, **event, **times, **rules, **fields}
        send(burst_id, BurstResolved.model_validate(whole))

    def verdict(taxon: str) -> dict[str, object]:
        return {"taxon": taxon, "label": taxon, "group": "animal", "score": 0.9, "certain": True}

    burst("a", 1, "provisional", verdict=verdict("Vulpes"))
    burst("a", 3, "final", verdict=verdict("Vulpes vulpes"))
    burst("a", 2, "provisional", verdict=verdict("Vulpes"))
    burst("a", 3, "final", verdict=verdict("Vulpes vulpes"))
    burst("b", 1, "final", verdict=verdict("Lynx lynx"))
    burst("a", 4, "superseded", superseded_by=f"{station}-b")
    burst("c", 1, "final", category="blank")
    burst("b", 2, "superseded", superseded_by=f"{station}-c")
    burst("a", 5, "superseded", superseded_by=f"{station}-b")
    burst("d", 1, "superseded")
    send("d", None)
    burst("e", 1, "final")
    yield camera
    for burst_id in "abce":
        send(burst_id, None)
    producer.close()


WHAT_COUNTS = [
    "Vulpes provisional",
    "Vulpes vulpes final",
    "Lynx lynx final",
    "Lynx lynx final",
    "blank final",
    "blank final",
    "blank final",
    "unreadable final",
]
"""The lines about these bursts: the highest revision, or the burst at the end of `superseded_by`."""


@pytest.fixture
def python_command() -> list[str]:
    return [sys.executable, str(EXAMPLES / "subscriber.py")]


@pytest.fixture
def javascript_command(tmp_path: Path) -> list[str]:
    folder = tmp_path / "subscriber-js"
    shutil.copytree(EXAMPLES / "subscriber-js", folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(npm_packages(folder / "package.json") / "node_modules")
    return [*map(str, node()), str(folder / "subscriber.mjs")]


@pytest.fixture
def java_command(tmp_path: Path) -> list[str]:
    # Kafka's own jars have the libraries of the example's pom.xml.
    libraries = sorted((parts_dir() / "kafka" / "libs").glob("*.jar"))
    if not libraries:
        pytest.skip("Kafka's jars are not installed: run `make setup`")
    compiler = java_compiler()
    compiler.compile(EXAMPLES / "subscriber-java" / "Subscriber.java", tmp_path / "classes", libraries)
    classpath = os.pathsep.join(map(str, (tmp_path / "classes", *libraries)))
    return [str(compiler.java), "-XX:TieredStopAtLevel=1", "-cp", classpath, "Subscriber"]


@pytest.fixture
def kcat_command() -> list[str]:
    system_programs("kcat", "jq")
    # Debian's librdkafka is too old for the SCRAM of Kafka 4, as the page on subscribing explains.
    return ["env", f"LD_LIBRARY_PATH={librdkafka()}", "bash", str(EXAMPLES / "subscriber-kcat.sh")]


@pytest.mark.parametrize("language", ["python", "javascript", "java", "kcat"])
def test_subscribers_print_what_counts(
    language: str,
    request: pytest.FixtureRequest,
    subscriber_environment: dict[str, str],
    bursts_of_a_camera: str,
    tmp_path: Path,
) -> None:
    command = request.getfixturevalue(f"{language}_command")
    assert printed(command, subscriber_environment, tmp_path, bursts_of_a_camera) == WHAT_COUNTS


def test_the_subscriber_of_the_dashboard_prints_what_counts(
    sign_in: SignIn, bursts_of_a_camera: str, station: str, tmp_path: Path
) -> None:
    viewer = sign_in("viewer", station)
    environment = {**os.environ, "UNCIA_DASHBOARD": viewer.address, "UNCIA_TOKEN": viewer.create_token()}
    command = [sys.executable, str(EXAMPLES / "dashboard_events.py")]
    assert printed(command, environment, tmp_path, bursts_of_a_camera) == WHAT_COUNTS


def printed(command: list[str], environment: dict[str, str], folder: Path, camera: str) -> list[str]:
    """The taxa and states that a subscriber prints of a camera, up to its last burst."""
    lines: list[str] = []
    with running(command, environment, folder) as wait_for:
        while not lines or not lines[-1].startswith("unreadable"):
            lines.append(" ".join(wait_for(f"\t{camera}\t").rstrip("\n").split("\t")[2:]))
    return lines
