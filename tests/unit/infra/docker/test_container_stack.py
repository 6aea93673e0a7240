"""The container stack without a Docker engine: its error messages and generated values."""

import importlib.util
import stat
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from typer.testing import CliRunner

from tests.paths import ROOT
from tests.unit.infra.docker.compose_file import services, variables
from uncia.errors import StackError
from uncia.infra.docker.keys import app
from uncia.infra.local.credentials import read_keys


@pytest.fixture(scope="module")
def containers() -> ModuleType:
    pytest.importorskip("testcontainers")
    spec = importlib.util.spec_from_file_location("containers_stack", ROOT / "tests" / "stack" / "containers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/missing.sock")


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_the_error_names_the_cause_and_the_remedy(containers: ModuleType) -> None:
    with pytest.raises(StackError) as caught:
        containers.require_engine()
    assert "needs a Docker engine, and none answers" in str(caught.value)
    assert "unset UNCIA_TEST_STACK" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_up_writes_nothing(containers: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(StackError):
        containers.ContainerStack(tmp_path / "stack").up()
    assert not (tmp_path / "stack").exists()


def test_stopping_a_stack_that_was_never_started_is_no_error(containers: ModuleType, tmp_path: Path) -> None:
    containers.ContainerStack(tmp_path / "stack").down()


def test_a_stack_that_was_never_started_has_no_environment(containers: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no stack"):
        containers.ContainerStack(tmp_path / "stack").environment()


def test_every_variable_of_the_compose_file_is_generated(containers: ModuleType, tmp_path: Path) -> None:
    stack = containers.ContainerStack(tmp_path / "stack")
    stack._write({})
    assert set(variables()) <= set(stack._values())
    assert stat.S_IMODE((stack.folder / "compose.env").stat().st_mode) == 0o600


def test_all_ports_differ(containers: ModuleType) -> None:
    values = containers._generate()
    ports = [value for name, value in values.items() if name.endswith("_PORT")]
    assert len(set(ports)) == len(ports) == 5


def test_two_stacks_are_two_projects(containers: ModuleType, tmp_path: Path) -> None:
    names = set()
    for folder in ("a", "b"):
        stack = containers.ContainerStack(tmp_path / folder)
        stack._write({})
        names.add(yaml.safe_load((stack.folder / "override.yml").read_text())["name"])
    assert len(names) == 2


def test_a_second_start_keeps_the_ports_and_applies_new_variables(containers: ModuleType, tmp_path: Path) -> None:
    stack = containers.ContainerStack(tmp_path / "stack")
    stack._write({})
    before = stack._values()
    stack._write({"UNCIA_BURST_GAP_S": "3"})
    assert stack._values() == before
    override = yaml.safe_load((stack.folder / "override.yml").read_text())
    assert override["services"]["bursts"]["environment"] == {"UNCIA_BURST_GAP_S": "3"}


def test_the_tests_reach_triton_through_ports_of_their_own(containers: ModuleType, tmp_path: Path) -> None:
    stack = containers.ContainerStack(tmp_path / "stack")
    stack._write({})
    override = yaml.safe_load((stack.folder / "override.yml").read_text())
    http, grpc = override["services"]["triton"]["ports"]
    assert http == f"127.0.0.1:{stack._values()['TRITON_HTTP_PORT']}:8000"
    assert grpc == f"127.0.0.1:{stack._values()['TRITON_GRPC_PORT']}:8001"


def test_the_settings_have_the_keys_that_the_service_keys_prints(
    containers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, volumes, stack = CliRunner(), tmp_path / "volumes", containers.ContainerStack(tmp_path / "a stack")
    stack._write({})
    ports = {name: stack._values()[name] for name in ("KAFKA_PORT", "S3_PORT")}

    def run_keys(*arguments: str) -> str:
        result = runner.invoke(app, [*arguments, "--folder", str(volumes)], env=ports, catch_exceptions=False)
        return result.output

    run_keys("draw")
    monkeypatch.setattr(stack, "_run_keys", run_keys)
    stack._fetch_keys()
    found, keys = stack.settings(), read_keys(volumes / "own")
    assert keys is not None
    assert found.s3_endpoint == f"http://127.0.0.1:{ports['S3_PORT']}"
    assert found.kafka == f"127.0.0.1:{ports['KAFKA_PORT']}"
    assert found.kafka_username == "operator"
    assert found.kafka_cafile == stack.folder / "ca.pem"
    assert found.s3_access_key == keys.credentials["operator"].access_key
    assert stack.admin_settings().s3_access_key == keys.credentials["store-admin"].access_key


def test_every_part_is_a_service_of_the_compose_file(containers: ModuleType) -> None:
    optional = {"triton-gpu", "alerts", "deliver", "redact", "identify", "thin-links", "listen", "harvest"}
    assert set(containers.PARTS) | set(containers.ONE_SHOTS) | optional == set(services())


def test_an_unknown_part_is_rejected_by_name(containers: ModuleType) -> None:
    with pytest.raises(StackError, match="no such part: kafca"):
        containers._check_name("kafca")
