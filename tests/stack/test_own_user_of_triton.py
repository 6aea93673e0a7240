"""Where the stack runs as root, Triton and its models are another user, who cannot read the stack's keys."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from uncia.infra.local import processes
from uncia.infra.local.own_user import user_number
from uncia.infra.local.security_checks import run_security_checks
from uncia.infra.local.stack import Stack

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
    ),
    pytest.mark.skipif(
        os.geteuid() != 0 or not (shutil.which("nsenter") and shutil.which("setpriv")),
        reason="only root can become another user, with the programs of util-linux",
    ),
]


@pytest.fixture
def triton(stack: Stack) -> list[int]:
    """The processes of Triton: the server, and one of each Python model."""
    identity = stack.require_identity()
    found = [process.pid for process in processes.of_stack(identity.stack_id) if process.part == "triton"]
    if {psutil.Process(pid).uids().effective for pid in found} == {0}:
        checks = {check.name: check for check in run_security_checks(stack)}
        assert not checks["triton: user"].ok
        pytest.skip("this system does not let Triton run as another user")
    return found


def status(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}


def test_triton_and_every_model_run_as_that_user_without_any_right_of_root(stack: Stack, triton: list[int]) -> None:
    user = str(user_number(stack.require_identity().stack_id))
    assert len(triton) > 1
    for pid in triton:
        found = status(pid)
        assert found["Uid"] == found["Gid"] == [user] * 4
        assert (found["Groups"], found["NoNewPrivs"]) == ([], ["1"])
        assert int(found["CapEff"][0], 16) == int(found["CapPrm"][0], 16) == 0


def test_that_user_can_read_no_key_neither_where_triton_is_nor_elsewhere(stack: Stack, triton: list[int]) -> None:
    user = str(user_number(stack.require_identity().stack_id))
    keys, environment = stack.folder / "keys" / "operator.json", stack.folder / "stack.env"
    worker = next(part.pid for part in stack.supervised() if part.name == "predict")
    secrets = [str(path) for path in (keys, environment, f"/proc/{worker}/environ")]
    assert all(Path(path).read_bytes() for path in secrets)
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    within = ["nsenter", f"--target={triton[0]}", "--mount"]
    for prefix in (become, [*within, *become]):
        for path in secrets:
            done = subprocess.run([*prefix, "cat", path], cwd="/", capture_output=True, text=True)
            assert (done.returncode != 0, done.stdout) == (True, ""), path


def test_the_environment_of_triton_has_no_setting_of_uncia(triton: list[int]) -> None:
    for pid in triton:
        names = {name for name in psutil.Process(pid).environ() if name.startswith(("UNCIA_", "AWS_"))}
        assert names == {processes.ID_MARK, processes.PART_MARK}


def test_the_doctor_names_the_user(stack: Stack, triton: list[int]) -> None:
    checks = {check.name: check for check in run_security_checks(stack)}
    assert checks["triton: user"].ok
    assert str(psutil.Process(triton[0]).uids().effective) in checks["triton: user"].detail
