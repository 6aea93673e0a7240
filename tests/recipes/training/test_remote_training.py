"""`uncia train … --on ssh://…` over a real OpenSSH server of this machine: packages, kills, broken links, bad hosts."""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.paths import ROOT
from tests.recipes.training.synthetic_data import make_samples
from tests.ssh_server import SshServer, ssh_server
from tests.waiting import wait_until
from uncia.infra.local.install_ssh_server import missing
from uncia.training.remote.client import AgentClient, AgentRefusal
from uncia.training.remote.transports.ssh import SshTransport

pytestmark = [pytest.mark.skipif(bool(missing()), reason=missing()), pytest.mark.timeout(1800)]

_LIMIT_S = 120
_LONG = ("--epochs", "12", "--patience", "12")
"""Long enough to be killed after its first checkpoint."""
_SHORT = ("--epochs", "1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders in a folder whose name has to be quoted."""
    folder = tmp_path_factory.mktemp("photographs") / 'it\'s "my" $data'
    make_samples(folder)
    return folder


class Machine:
    """The other machine, which is this one by ssh, and the commands that train there; one folder each."""

    def __init__(self, server: SshServer, data: Path, folder: Path) -> None:
        self.server = server
        self.data = data
        self.root = folder / "over there"
        self.here = folder / "over here"
        self.here.mkdir()
        self.out = self.here / "my 'model'"

    def arguments(self, *options: str, config: Path | None = None, environment: str = sys.prefix) -> list[str]:
        on = f"{self.server.address}{self.root}"
        remote = ["--on", on, "--ssh-config", str(config or self.server.config), "--environment", environment]
        size = ["--width", "32", "--height", "24"]
        return ["train", "small", str(self.data), "--out", str(self.out), *size, *remote, *options]

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "uncia", *arguments]
        return subprocess.Popen(
            command, cwd=self.here, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self, process: "subprocess.Popen[str]", status: int = 0) -> str:
        output, _ = process.communicate()
        assert process.returncode == status, output
        return output

    def train(self, *options: str, status: int = 0, **choices: Any) -> str:
        return self.finish(self.start(*self.arguments(*options, **choices)), status)

    @property
    def run_folder(self) -> Path | None:
        """The run's folder over there."""
        return next(iter((self.root / "runs").glob("*/")), None)

    def has_checkpoint(self) -> bool:
        return any((self.root / "runs").glob("*/out/.*.training/*.pt"))

    def started(self, *options: str) -> "subprocess.Popen[str]":
        """A command whose run has written a checkpoint over there and goes on."""
        process = self.start(*self.arguments(*_LONG, *options))
        self.wait(process, self.has_checkpoint, "the run writes a checkpoint")
        return process

    def wait(self, process: "subprocess.Popen[str]", condition: Callable[[], bool], what: str) -> None:
        def either() -> bool:
            return condition() or process.poll() is not None

        wait_until(either, _LIMIT_S, what)
        assert process.poll() is None, process.communicate()[0]

    def remote_process(self, name: str) -> psutil.Process:
        """The process of a pid file over there: supervisor, or process."""
        assert self.run_folder is not None
        return psutil.Process(json.loads((self.run_folder / name).read_text())["pid"])

    @property
    def has_package(self) -> bool:
        return (self.out / "model.onnx").is_file()


@contextmanager
def other_machine(server: SshServer, data: Path, folder: Path) -> Iterator[Machine]:
    made = Machine(server, data, folder)
    yield made
    for path in (made.root / "runs").glob("*/*"):
        if path.name in ("supervisor", "process"):
            # It has ended, or is a zombie that nobody collects in a container without an init.
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(json.loads(path.read_text())["pid"])
                if str(made.root) in " ".join(process.cmdline()):
                    process.kill()


@pytest.fixture
def machine(server: SshServer, data: Path, tmp_path: Path) -> Iterator[Machine]:
    with other_machine(server, data, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def finished(
    server: SshServer, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Machine, dict[str, Any]]]:
    """A machine where a run has ended, and what the command printed about it."""
    with other_machine(server, data, tmp_path_factory.mktemp("finished")) as made:
        yield made, json.loads(made.train(*_SHORT, "--json").splitlines()[-1])


def test_the_package_is_the_one_that_a_run_here_makes(finished: tuple[Machine, dict[str, Any]], tmp_path: Path) -> None:
    machine, there = finished
    size = ["--width", "32", "--height", "24", *_SHORT, "--json"]
    local = machine.start(
        "train", "small", str(machine.data), "--out", str(tmp_path / "local" / machine.out.name), *size
    )
    here = json.loads(machine.finish(local).splitlines()[-1])
    assert (there["onnx_sha256"], there["test"]) == (here["onnx_sha256"], here["test"])


def test_after_the_run_the_package_is_here_and_the_run_is_gone_over_there(
    finished: tuple[Machine, dict[str, Any]],
) -> None:
    machine, _ = finished
    assert machine.has_package and machine.run_folder is None


@pytest.mark.thorough
def test_data_that_are_there_are_not_copied_again(finished: tuple[Machine, dict[str, Any]]) -> None:
    machine, _ = finished
    assert "copying" not in machine.train(*_SHORT, "--seed", "1")


def test_a_process_that_is_killed_over_there_continues_from_its_checkpoint(machine: Machine) -> None:
    process = machine.started()
    # Both are looked up first: without its supervisor the process is ended, and another one started, at any moment.
    for one in [machine.remote_process(name) for name in ("supervisor", "process")]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    output = machine.finish(process)
    assert "was killed: starting it again" in output and machine.has_package


@pytest.mark.thorough
def test_the_plot_of_a_training_that_runs_is_here(machine: Machine) -> None:
    process = machine.started()
    plot = machine.here / f".{machine.out.name}.training" / "loss.svg"
    machine.wait(process, plot.is_file, "the plot arrives")
    process.send_signal(signal.SIGINT)
    machine.finish(process, status=130)
    assert plot.read_text().startswith("<svg")


@pytest.mark.thorough
def test_a_run_goes_on_when_the_command_here_is_killed_and_another_fetches_it(machine: Machine) -> None:
    process = machine.started()
    process.kill()
    process.communicate()
    assert machine.run_folder is not None
    machine.finish(machine.start("train", "attach", machine.run_folder.name))
    assert machine.has_package


@pytest.mark.thorough
def test_a_link_that_breaks_is_made_again(machine: Machine, tmp_path: Path) -> None:
    with ssh_server(tmp_path / "server") as server:
        machine.server = server
        process = machine.started()
        wait_until(server.break_connections, _LIMIT_S, "a connection to break")
        output = machine.finish(process)
    assert "broke" in output and machine.has_package


@pytest.mark.thorough
def test_ctrl_c_without_a_terminal_leaves_the_run(machine: Machine) -> None:
    process = machine.started()
    process.send_signal(signal.SIGINT)
    output = machine.finish(process, status=130)
    assert "is left running" in output and machine.remote_process("process").is_running()


@pytest.mark.thorough
def test_ctrl_c_on_a_terminal_ends_the_run_where_the_answer_is_no(machine: Machine) -> None:
    terminal, stdin = pty.openpty()
    process = machine.start(*machine.arguments(*_LONG), stdin=stdin)
    try:
        machine.wait(process, machine.has_checkpoint, "the run writes a checkpoint")
        process.send_signal(signal.SIGINT)
        os.write(terminal, b"n\n")
        machine.finish(process, status=130)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert machine.run_folder is None


def test_a_run_that_fails_shows_what_it_wrote_with_the_paths_of_here(machine: Machine) -> None:
    output = machine.train(*_SHORT, "--split-by", "nothing", status=1)
    assert "no split by 'nothing'" in output and "ended with status 1" in output


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"known_hosts": "no_hosts"}, "host key of 127.0.0.1 is not known"),
        ({"known_hosts": "wrong_hosts"}, "has another host key"),
        ({"key": "other_key"}, "accepted no key"),
    ],
    ids=["unknown host", "changed host key", "wrong key"],
)
def test_a_server_or_user_that_is_not_proven_is_refused(
    machine: Machine, choices: dict[str, str], sentence: str
) -> None:
    config = machine.server.write_client_config("other config", **choices)
    assert sentence in " ".join(machine.train(*_SHORT, config=config, status=1).split())


def test_an_environment_without_the_packages_is_refused_with_their_names(machine: Machine, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    output = " ".join(machine.train(*_SHORT, environment=str(tmp_path / "bare"), status=1).split())
    assert "does not fit" in output and "torch is missing" in output


def test_an_old_python_is_named(server: SshServer, tmp_path: Path) -> None:
    old = next(filter(None, map(shutil.which, ("python3.10", "python3.9", "python3.8", "pypy3"))), None)
    if old is None:
        pytest.skip("no Python older than 3.11 is installed here (Debian 12: sudo apt-get install pypy3)")
    (tmp_path / "old" / "bin").mkdir(parents=True)
    (tmp_path / "old" / "bin" / "python").symlink_to(old)
    machine = Machine(server, tmp_path, tmp_path)
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox" / "a.jpg").touch()
    output = " ".join(machine.train(*_SHORT, environment=str(tmp_path / "old"), status=1).split())
    assert "needs Python 3.11, 3.12 or 3.13" in output


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system in memory."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_copied(machine: Machine) -> None:
    with mounted(machine.root, "size=8m"):
        output = " ".join(machine.train(*_SHORT, status=1).split())
        assert "too little disk" in output and not (machine.root / "objects").exists()


def test_a_disk_that_fills_while_data_are_copied_is_named(machine: Machine) -> None:
    # Bytes enough, and 12 files at most: the file system refuses the next one as full.
    with mounted(machine.root, "size=1g,nr_inodes=12"):
        output = " ".join(machine.train(*_SHORT, status=1).split())
    assert "is full" in output and "the same command continues" in output


def tiny_wheel(folder: Path) -> None:
    """A package `tiny`, which needs nothing, as a wheel."""
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 1\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentClient]:
    """A machine where pip has the wheel `tiny` and no network."""
    folder = tmp_path_factory.mktemp("builder")
    (folder / "wheels").mkdir()
    tiny_wheel(folder / "wheels")
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    with ssh_server(folder / "server", pip) as server:
        transport = SshTransport.parse(f"{server.address}{folder}/root", server.config)
        base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        yield AgentClient(transport, str(base), f"{folder}/root", "run")


def test_an_environment_is_created_with_the_pinned_packages(builder: AgentClient) -> None:
    built = builder.call("environment", environment="a", requirements=["tiny"], constraints=["tiny==1.0"])
    assert builder.call("versions", python=built["python"], names=["tiny"])["versions"] == {"tiny": "1.0"}


def test_an_environment_that_exists_is_used_again(builder: AgentClient) -> None:
    def is_created() -> bool:
        answer = builder.call("environment", environment="b", requirements=["tiny"], constraints=[])
        return bool(answer["created"])

    assert [is_created() for _ in range(2)] == [True, False]


def test_a_package_that_cannot_be_installed_is_named(builder: AgentClient) -> None:
    with pytest.raises(AgentRefusal, match="no-such-package"):
        builder.call("environment", environment="c", requirements=["no-such-package"], constraints=[])


def test_content_that_is_not_what_it_is_named_is_not_stored(builder: AgentClient, tmp_path: Path) -> None:
    import io
    import tarfile

    def write(stdin: Any) -> None:
        with tarfile.open(fileobj=stdin, mode="w|") as archive:
            member = tarfile.TarInfo(hashlib.sha256(b"what was planned").hexdigest())
            member.size = 5
            archive.addfile(member, io.BytesIO(b"other"))

    with pytest.raises(AgentRefusal) as refused:
        builder.call("receive", write)
    assert refused.value.kind == "changed"


@pytest.mark.thorough
def test_the_example_of_the_page_trains_a_model(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("the example uses the environment that `make setup` creates")
    command = [ROOT / "examples" / "train_over_ssh.sh", tmp_path / "a folder"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "a folder" / "model" / "card.html").is_file()
