"""The commands of ssh, container engines and kubectl, and the sentences for what they report."""

import json
import shlex
import stat
from pathlib import Path

import pytest

from uncia.training.remote.errors import LinkBroken, RemoteError
from uncia.training.remote.transports.container import ContainerTransport
from uncia.training.remote.transports.kubernetes import KubernetesTransport
from uncia.training.remote.transports.parse import open_transport
from uncia.training.remote.transports.ssh import SshTransport


@pytest.mark.parametrize(
    "target",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://user@-x",
        "ssh://-l@host",
        "ssh://host:port",
        "ssh://host:99999",
        "ssh://user:secret@host",
        "ssh://host?x",
        "host",
        "docker",
        "ssh:host",
    ],
)
def test_a_target_that_is_none_is_refused(target: str) -> None:
    with pytest.raises(RemoteError, match="--on"):
        open_transport(target, "run")


def test_a_target_names_user_port_and_folder() -> None:
    ssh = SshTransport.parse("ssh://ada@[fe80::1]:2222/srv/my%20runs")
    assert (ssh.user, ssh.host, ssh.port, ssh.root) == ("ada", "fe80::1", 2222, "/srv/my runs")


def test_an_alias_of_the_configuration_keeps_its_case() -> None:
    assert SshTransport.parse("ssh://GpuBox").host == "GpuBox"


def test_the_command_is_quoted_for_the_shell_over_there() -> None:
    argv = ["python", "-c", 'it\'s "quoted" $HOME; rm -rf x']
    assert shlex.split(SshTransport.parse("ssh://host").command(argv)[-1]) == argv


def test_ssh_checks_host_keys_and_forwards_nothing() -> None:
    command = SshTransport.parse("ssh://host").command(["true"])
    assert {"StrictHostKeyChecking=yes", "ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes"} <= set(command)


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        ("No ED25519 host key is known for host\nHost key verification failed.", "host key of host is not known"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", "another host key"),
        ("ada@host: Permission denied (publickey).", "accepted no key"),
        ("/x/config: line 1: Bad configuration option: foo", "cannot use its configuration"),
    ],
)
def test_what_another_attempt_does_not_change_is_no_broken_link(stderr: str, sentence: str) -> None:
    error = SshTransport.parse("ssh://ada@host").explain(255, stderr)
    assert sentence in str(error) and not isinstance(error, LinkBroken)


@pytest.mark.parametrize(
    "stderr",
    ["ssh: connect to host x port 22: Connection refused", "ssh: Could not resolve hostname x: unknown", ""],
)
def test_a_host_that_does_not_answer_is_a_broken_link(stderr: str) -> None:
    assert isinstance(SshTransport.parse("ssh://host").explain(255, stderr), LinkBroken)


def test_without_ssh_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RemoteError, match="openssh-client"):
        SshTransport.parse("ssh://host").open()


def record_calls(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of this name on the path, which notes its arguments and answers by the script."""
    program, calls = folder / name, folder / "calls"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{shlex.quote(str(calls))}\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return calls


ENGINE = """
case "$1 $2" in
"container inspect") echo "Error: No such container: x" >&2; exit 1 ;;
"info --format") echo '{"runc":{},"nvidia":{}}' ;;
esac
"""


def test_a_container_is_created_with_the_gpus_that_its_engine_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record_calls(tmp_path, "docker", ENGINE, monkeypatch)
    ContainerTransport.parse("container", "my-run").open()
    created = calls.read_text().splitlines()[-1]
    assert created.startswith("run --detach --init --name uncia-training-my-run") and "--gpus all" in created


def test_a_container_that_was_stopped_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_calls(tmp_path, "docker", 'case "$2" in inspect) echo false ;; esac', monkeypatch)
    ContainerTransport.parse("container", "my-run").open()
    assert calls.read_text().splitlines()[-1] == "container start uncia-training-my-run"


def test_a_container_has_the_image_that_was_named() -> None:
    arguments = ContainerTransport.parse("container://my/image:1", "my-run").create_arguments([])
    assert arguments[-3:] == ["my/image:1", "sleep", "infinity"]


def test_an_engine_that_does_not_run_is_said_to_be_so() -> None:
    transport = ContainerTransport.parse("container", "my-run")
    assert "engine does not run" in str(transport.explain(1, "Cannot connect to the Docker daemon at unix:///x."))


def test_without_an_engine_one_sentence_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RemoteError, match="neither docker nor podman"):
        ContainerTransport.parse("container", "my-run").open()


CLUSTER = """
case "$1 $2" in
"get job") exit 1 ;;
"get nodes") echo '{"items": [{"status": {"allocatable": {"nvidia.com/gpu": "2"}}}]}' ;;
"get pod") echo '{"items": [{"metadata": {"name": "pod-1"}, "status": {"phase": "Running"}}]}' ;;
"apply --filename") cat >"$(dirname "$0")/applied" ;;
esac
"""


def test_a_job_takes_a_gpu_of_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_calls(tmp_path, "kubectl", CLUSTER, monkeypatch)
    KubernetesTransport.parse("kubernetes", "my-run").open()
    job = json.loads((tmp_path / "applied").read_text())["items"][-1]
    resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources["limits"] == {"nvidia.com/gpu": 1}


def test_commands_run_in_the_pod_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_calls(tmp_path, "kubectl", CLUSTER, monkeypatch)
    transport = KubernetesTransport.parse("kubernetes://ml", "my-run")
    # With a namespace the arguments of this small script are shifted by two.
    transport.namespace = ""
    transport.open()
    transport.namespace = "ml"
    assert shlex.join(transport.command(["a b"])) == (
        "kubectl --namespace ml exec --stdin pod-1 --container training -- 'a b'"
    )


def test_a_cluster_that_forbids_it_is_no_broken_link() -> None:
    error = KubernetesTransport.parse("kubernetes", "r").explain(1, 'Error: jobs.batch is forbidden: User "x"')
    assert "does not allow" in str(error) and not isinstance(error, LinkBroken)
