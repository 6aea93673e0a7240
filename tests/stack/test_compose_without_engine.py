"""What a process of each service of `docker-compose.yml` can do: run as the file says by a runner, see `confined.py`.

No server is started; those are tested in `test_container_files.py`.
"""

import os
from collections.abc import Iterator

import pytest

from tests.stack.confined import Machine, missing_right
from tests.unit.infra.docker.compose_file import mounts, services
from uncia.infra.docker.container_files import SERVICES_WITH_SETTINGS
from uncia.settings import Settings

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="starts processes of its own"
    ),
    pytest.mark.skipif(bool(missing_right()), reason=missing_right()),
]

SERVICES = sorted(set(services()) - {"keys"})
OURS = sorted(set(SERVICES_WITH_SETTINGS) & set(services()))

SETTINGS = """
from uncia.settings import read_settings
found = read_settings()
print(found.kafka_username or "", found.s3_access_key or "", bool(found.triton_inference_key))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The volumes as the service `keys` leaves them."""
    folder = tmp_path_factory.mktemp("machine")
    with Machine(folder, Settings().model_repository.absolute()).on() as machine:
        machine.run("keys")
        yield machine


@pytest.mark.parametrize("name", SERVICES)
def test_a_process_has_no_privileges(machine: Machine, name: str) -> None:
    printed = machine.run_instead(name, "cat /proc/self/status")
    status = dict(line.split(":", 1) for line in printed.splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Groups"].split() == []
    assert not [kind for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh") if int(status[kind], 16)]
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_writes_to_its_data_and_to_memory_and_to_nothing_else(machine: Machine, name: str) -> None:
    def can_write(folder: str) -> bool:
        attempt = f'if touch "{folder}/probe" 2>/dev/null; then rm "{folder}/probe"; echo yes; fi'
        return machine.run_instead(name, attempt) == "yes\n"

    data = {path: writable for volume, (path, writable) in mounts(name).items() if volume != "models"}
    assert {path: can_write(path) for path in data} == data
    assert can_write("/tmp")
    assert not any(can_write(folder) for folder in ("/", "/etc", "/usr", "/opt"))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"topics"}))
def test_a_service_reads_its_own_files_and_finds_no_others(machine: Machine, name: str) -> None:
    volume = machine.volume(f"keys-{name.removesuffix('-gpu')}")
    files = machine.run_instead(name, "cd /run/uncia && cat * >/dev/null && ls")
    assert set(files.split()) == {path.name for path in volume.iterdir()}
    assert machine.run_instead(name, "ls -d /keys 2>/dev/null || true") == ""


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_service_are_complete_and_those_of_its_identity(machine: Machine, name: str) -> None:
    identity = SERVICES_WITH_SETTINGS[name]
    user, access_key, inference = machine.run_instead(name, f"python -c '{SETTINGS}'").rstrip("\n").split(" ")
    assert user == (identity.name if identity.uses_kafka else "")
    key = machine.volume(f"keys-{name}") / "UNCIA_S3_ACCESS_KEY"
    assert access_key == (key.read_text(encoding="utf-8").strip() if key.exists() else "")
    assert inference == str(bool(identity.triton))


def test_the_service_topics_signs_in_as_the_administrator(machine: Machine) -> None:
    program = "from uncia.settings import read_settings; print(read_settings().kafka_certfile)"
    assert machine.run_instead("topics", f"python -c '{program}'") == "/keys/own/keys/kafka-admin.pem\n"
