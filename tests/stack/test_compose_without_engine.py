"""Services of `docker-compose.yml`, run as the file says by a runner of the tests: see `confined.py`.

Unlike in `test_container_files.py` nothing differs from the file: paths, ports, names, users, file systems.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.confined import Machine, missing_right
from tests.unit.infra.docker.compose_file import services
from tests.waiting import wait_until
from uncia.settings import Settings

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="starts processes of its own"
    ),
    pytest.mark.skipif(bool(missing_right()), reason=missing_right()),
]

WORKERS = ("intake", "bursts", "crops", "clocks", "reconcile", "catalogue")
"""The services of ours that need no Triton."""


SERVERS = ("kafka", "seaweedfs")

UPLOAD = """
import sys
from uncia.settings import read_settings
from uncia.storage.object_store import ObjectStore
settings = read_settings()
ObjectStore(settings).client.put_object(Bucket=settings.bucket, Key=sys.argv[1], Body=b"no photograph")
"""
ANNOUNCED = """
import sys
from uncia.kafka.broker import read_topics
from uncia.settings import read_settings
from uncia.topics import UPLOAD_TOPICS
found = read_topics(read_settings(), UPLOAD_TOPICS, from_beginning=True, until_end=True)
sys.exit(not any(sys.argv[1].encode() in message.value for message in found))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """All services but Triton and those that need it, started in the order of the file."""
    folder = tmp_path_factory.mktemp("machine")
    models = Path(shutil.copytree(Settings().model_repository, folder / "models"))
    with Machine(folder, models).on() as machine:
        machine.run("keys")
        machine.start("kafka")
        # Kafka's tools, with which its health check lists the topics, are in its image only.
        wait_until(lambda: machine.succeeds("topics"), 90, "Kafka has users and topics")
        machine.start("seaweedfs")
        machine.wait_until_healthy("seaweedfs", 60)
        machine.run("buckets")
        for name in WORKERS:
            machine.start(name)
        yield machine


def variables(printed: str) -> list[str]:
    """The lines that `keys environment` prints, without the addresses: inside, those of the service hold."""
    lines = [line for line in printed.splitlines() if not line.startswith(("UNCIA_KAFKA=", "UNCIA_S3_ENDPOINT="))]
    return ["UNCIA_SECRETS_DIR=", *(line.replace("=uncia-ca.pem", "=/run/uncia/ca.pem") for line in lines)]


@pytest.mark.parametrize("name", WORKERS)
def test_a_service_of_ours_becomes_healthy_with_its_own_files(machine: Machine, name: str) -> None:
    machine.wait_until_healthy(name, 90)


@pytest.mark.parametrize("name", [*SERVERS, *WORKERS])
def test_a_process_has_no_privileges(machine: Machine, name: str) -> None:
    status = dict(line.split(":", 1) for line in machine.execute(name, "cat", "/proc/self/status").stdout.splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert not [kind for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh") if int(status[kind], 16)]
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("name", [*SERVERS, *WORKERS])
def test_a_service_writes_neither_to_its_image_nor_to_its_files(machine: Machine, name: str) -> None:
    assert machine.execute(name, "touch", "/tmp/x").returncode == 0
    for folder in ("/", "/etc", "/run/uncia"):
        assert "Read-only file system" in machine.execute(name, "touch", f"{folder}/x").stderr


@pytest.mark.parametrize("name", [*SERVERS, *WORKERS])
def test_a_service_has_no_keys_but_those_of_its_files(machine: Machine, name: str) -> None:
    assert machine.execute(name, "ls", "/keys").returncode
    environment = machine.execute(name, "env").stdout
    files = machine.volume(f"keys-{name}").glob("UNCIA_*_*KEY")
    secrets = [path.read_text(encoding="utf-8").strip() for path in files]
    assert not [secret for secret in secrets if secret in environment]


def test_a_gateway_whose_key_is_drawn_later_uploads_as_its_station_and_the_upload_is_announced(
    machine: Machine,
) -> None:
    gateway = variables(machine.run("keys", "environment", "gateway-ridge"))
    operator = variables(machine.run("keys", "environment"))
    machine.signal("seaweedfs", signal.SIGHUP)

    def run(program: str, key: str, who: list[str]) -> int:
        return machine.execute("intake", "env", *who, "python", "-c", program, key).returncode

    wait_until(lambda: run(UPLOAD, "ridge/north/a.jpg", gateway) == 0, 30, "the store knows the gateway")
    assert run(UPLOAD, "valley/south/a.jpg", gateway)
    wait_until(lambda: run(ANNOUNCED, "ridge/north/a.jpg", operator) == 0, 60, "intake announces the upload")


def test_all_services_that_need_no_triton_are_run_here() -> None:
    needing = {name for name, service in services().items() if "triton" in service.get("depends_on", {})}
    one_shots = {"keys", "topics", "buckets"}
    assert {*SERVERS, *WORKERS, *one_shots} == set(services()) - needing - {
        "triton",
        "triton-gpu",
        "models",
        "dashboard",
    }
