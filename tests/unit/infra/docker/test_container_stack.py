"""What the containers' stack does before any container: it says what is missing, and draws its values."""

import importlib.util
import stat
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.unit.infra.docker.compose_file import ROOT, services, variables
from uncia.errors import StackError


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
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_one_sentence_says_so_and_the_way_out(containers: ModuleType) -> None:
    with pytest.raises(StackError) as caught:
        containers.require_engine()
    assert "needs a Docker engine and none answers" in str(caught.value)
    assert "unset UNCIA_TEST_STACK" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_up_writes_nothing(containers: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(StackError):
        containers.ContainerStack(tmp_path / "stack").up()
    assert not (tmp_path / "stack").exists()


def test_a_stack_that_was_never_up_comes_down_quietly(containers: ModuleType, tmp_path: Path) -> None:
    containers.ContainerStack(tmp_path / "stack").down()


def test_a_stack_that_was_never_up_has_no_environment(containers: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no stack"):
        containers.ContainerStack(tmp_path / "stack").environment()


def test_it_draws_every_variable_that_the_compose_file_asks_for(containers: ModuleType, tmp_path: Path) -> None:
    stack = containers.ContainerStack(tmp_path / "stack")
    stack._write({})
    assert set(variables()) <= set(stack._drawn())
    assert stat.S_IMODE((stack.folder / "compose.env").stat().st_mode) == 0o600


def test_its_ports_are_all_different(containers: ModuleType) -> None:
    drawn = containers._draw()
    ports = [value for name, value in drawn.items() if name.endswith("_PORT")]
    assert len(set(ports)) == len(ports) == 4


def test_two_stacks_are_two_projects(containers: ModuleType, tmp_path: Path) -> None:
    names = set()
    for folder in ("a", "b"):
        stack = containers.ContainerStack(tmp_path / folder)
        stack._write({})
        names.add(yaml.safe_load((stack.folder / "override.yml").read_text())["name"])
    assert len(names) == 2


def test_a_second_up_keeps_credentials_and_takes_new_variables(containers: ModuleType, tmp_path: Path) -> None:
    stack = containers.ContainerStack(tmp_path / "stack")
    stack._write({})
    before = stack.environment()
    stack._write({"UNCIA_BURST_GAP_S": "3"})
    assert stack.environment() == before
    override = yaml.safe_load((stack.folder / "override.yml").read_text())
    assert override["services"]["bursts"]["environment"] == {"UNCIA_BURST_GAP_S": "3"}


def test_it_points_others_at_the_published_ports(containers: ModuleType, tmp_path: Path) -> None:
    stack = containers.ContainerStack(tmp_path / "stack")
    stack._write({})
    assert stack.settings().s3_endpoint == f"http://127.0.0.1:{stack._drawn()['S3_PORT']}"
    assert stack.settings().kafka == f"127.0.0.1:{stack._drawn()['KAFKA_PORT']}"


def test_every_part_is_a_service_of_the_compose_file(containers: ModuleType) -> None:
    assert set(containers.PARTS) | set(containers.ONE_SHOTS) | {"triton-gpu"} == set(services())


def test_an_unknown_part_is_refused_by_name(containers: ModuleType) -> None:
    with pytest.raises(StackError, match="no such part: kafca"):
        containers._known("kafca")
