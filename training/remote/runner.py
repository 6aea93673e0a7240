"""Brings one run from plan to package: copies, starts, follows, fetches; over broken links and killed processes."""

import base64
import contextlib
import json
import random
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Protocol

from uncia.backoff import Backoff
from uncia.storage.atomic_dir import remove_stale_staging, staging_directory
from uncia.training.remote.client import AgentClient, AgentRefusal, run_remote
from uncia.training.remote.delivery import put_in_place, verify
from uncia.training.remote.environment import version_problems
from uncia.training.remote.errors import LinkBroken, RemoteError
from uncia.training.remote.plan import links_of, objects_of, remote_arguments, to_local_paths
from uncia.training.remote.python_search import FoundPython, choose_python, search_command
from uncia.training.remote.records import RunRecord, RunStore
from uncia.training.remote.run_state import Action, RemoteStatus, next_action
from uncia.training.remote.transports.transport import Transport

__all__ = ["RemoteRun", "Reporter"]

_RUN_SPACE = 256 << 20
"""Bytes for the checkpoint, the package and the log of a run."""
_ENVIRONMENT_SPACE = 8 << 30
"""Bytes of an environment with PyTorch and the libraries of CUDA: 5.6 GB were measured, and pip's downloads."""
_BACKOFF = Backoff(first_s=1, max_s=60)
_GIVE_UP_S = 3600.0
"""Seconds without any answer after which a command ends; the run goes on over there."""
_SAVE_INTERVAL_S = 1.0
_STAGING = ".uncia-fetched-"


class Reporter(Protocol):
    """Shows what happens."""

    def progress(self, step: str, done: int, total: int) -> None:
        """The current step, with the number of finished units and the total."""

    def log(self, line: str) -> None:
        """A line of the run's standard error, or about the run."""

    def output(self, line: str) -> None:
        """A line of the run's standard output: its result."""


class RemoteRun:
    """One run on another machine. Every step can be repeated, so that any process here or there may be killed."""

    def __init__(
        self,
        record: RunRecord,
        store: RunStore,
        transport: Transport,
        reporter: Reporter,
        *,
        backoff: Backoff = _BACKOFF,
        give_up_s: float = _GIVE_UP_S,
    ) -> None:
        self._record = record
        self._plan = record.plan
        self._store = store
        self._transport = transport
        self._reporter = reporter
        self._backoff = backoff
        self._give_up_s = give_up_s
        self._python: FoundPython | None = None
        self._root = ""
        self._described = False
        self._last_contact: float | None = None
        self._failures = 0
        self._saved_at = 0.0

    def run(self, *, retry_failed: bool = False) -> Path:
        """Bring the run to its end and return the path of the package.

        `retry_failed`: a run that ended with an error over there is started again. Raises `RemoteError`.
        """
        while True:
            try:
                self._advance(retry_failed)
                return Path(self._plan.out)
            except LinkBroken as error:
                self._wait_for_link(error)
            except AgentRefusal as refusal:
                raise self._explain(refusal) from refusal

    def cancel(self) -> None:
        """End the run over there and delete its folder. Raises `RemoteError`."""
        try:
            client = self._connect()
            client.call("stop")
            client.call("remove")
        except AgentRefusal as refusal:
            raise self._explain(refusal) from refusal
        self._transport.release()
        self._set_phase("cancelled")

    def _advance(self, retry_failed: bool) -> None:
        """Do what the state of the run over there asks for, until its package is here."""
        while True:
            client = self._connect()
            status = RemoteStatus(**client.call("status"))
            action = next_action(status, restarts=self._record.restarts, retry_failed=retry_failed)
            if action in (Action.GIVE_UP, Action.FAIL):
                self._follow(client)
                self._set_phase("failed")
                raise self._failure(status, action)
            if action is Action.FETCH:
                self._follow(client)
                self._fetch(client)
                return
            if action is Action.FOLLOW:
                self._set_phase("running")
                self._follow(client)
                continue
            retry_failed = False
            if action is Action.RESTART:
                self._record.restarts += 1
                self._reporter.log(f"the training process on {self._where} was killed: starting it again")
            elif status.state in ("absent", "prepared"):
                self._record.restarts, self._record.offsets = 0, {}
            self._copy_and_start(client)
            self._set_phase("running")

    @property
    def _where(self) -> str:
        return self._record.target

    def _connect(self) -> AgentClient:
        """A client of the agent; the Python that runs it is looked for once."""
        self._transport.open()
        if self._python is None:
            output = run_remote(self._transport, search_command(self._record.environment))
            self._python = choose_python(output, self._record.environment, self._where)
        digest = self._plan.environment.digest(self._python.version)
        client = AgentClient(self._transport, self._python.path, self._root or self._transport.root, self._plan.id)
        found = client.call("probe", environment=digest)
        if self._last_contact is None:
            self._contact()
        self._root = str(found["root"])
        self._free, self._environment_exists = int(found["free"]), bool(found["environment_exists"])
        if not self._described:
            gpus = ", ".join(map(str, found["gpus"])) or "no GPU"
            self._reporter.log(
                f"{self._where}: Python {found['python']}, {found['cpus']} cores, {gpus}, {_bytes(self._free)} free"
            )
            self._described = True
        return client

    def _contact(self) -> None:
        """Note that the run advanced. A connection alone does not count: the step after it may fail each time."""
        self._last_contact, self._failures = time.monotonic(), 0

    def _wait_for_link(self, error: LinkBroken) -> None:
        """Wait before the next attempt. Raises `RemoteError` where there was no contact yet, or none for too long."""
        if self._last_contact is None:
            raise error
        if time.monotonic() - self._last_contact > self._give_up_s:
            raise RemoteError(
                f"{error}. No answer for {self._give_up_s / 60:.0f} minutes: `uncia train attach {self._plan.id}` "
                "takes the run up again; what was started there goes on"
            ) from error
        self._failures += 1
        delay = self._backoff.delay_s(self._failures, random.Random())
        self._reporter.log(f"the link to {self._where} broke ({error}): trying again in {delay:.0f} s")
        time.sleep(delay)

    # Copying and starting

    def _copy_and_start(self, client: AgentClient) -> None:
        objects = {**objects_of(self._plan), self._plan.code: self._wheel()}
        sizes = {sha256: size for sha256, (_, size) in objects.items()}
        missing = client.call("missing", objects=list(sizes.items()))["missing"]
        self._check_space(sum(sizes[sha256] for sha256 in missing))
        if missing:
            total = sum(sizes[sha256] for sha256 in missing)
            self._reporter.log(f"copying {len(missing):,} of {len(objects):,} files ({_bytes(total)}) to {self._where}")
            self._send(client, {sha256: objects[sha256] for sha256 in missing}, total)
        python = self._environment(client)
        client.call("prepare", code=self._plan.code, inputs=links_of(self._plan))
        self._contact()
        command = [python, "-m", "uncia", *remote_arguments(self._plan, self._root)]
        # Before what the environment has: the code is always that of here.
        variables = {"PYTHONPATH": f"{self._root}/code/{self._plan.code}", "PYTHONUNBUFFERED": "1"}
        client.call("start", argv=command, variables=variables)

    def _wheel(self) -> tuple[Path, int]:
        folder = self._store.folder_of(self._plan.id)
        wheel = next(folder.glob("*.whl"), None)
        if wheel is None:
            raise RemoteError(f"{folder} has no wheel any more: give the command of the run again")
        return wheel, wheel.stat().st_size

    def _check_space(self, missing: int) -> None:
        """Raise `RemoteError` where the disk over there cannot hold what is missing."""
        needed = missing + _RUN_SPACE
        if self._record.environment is None and not self._environment_exists:
            needed += _ENVIRONMENT_SPACE
        if needed > self._free:
            raise RemoteError(
                f"{self._where} has too little disk: {_bytes(needed)} are needed in {self._root}, {_bytes(self._free)} "
                "are free. Nothing was copied; another folder can be named: ssh://user@host/folder"
            )

    def _send(self, client: AgentClient, objects: dict[str, tuple[Path, int]], total: int) -> None:
        """Send the files as a tar archive whose names are their hashes."""
        step, unit = f"copying the data to {self._where} (kB)", 1000
        counted = _Counter(lambda done: self._reporter.progress(step, done // unit, total // unit))

        def write(stdin: IO[bytes]) -> None:
            with tarfile.open(fileobj=stdin, mode="w|") as archive:
                for sha256, (path, size) in objects.items():
                    _add(archive, sha256, path, size, counted)

        client.call("receive", write)
        self._contact()

    def _environment(self, client: AgentClient) -> str:
        """The Python of the environment over there: the one that was named, checked, or one that is created once."""
        spec = self._plan.environment
        assert self._python is not None
        if self._record.environment is not None:
            found = client.call("versions", python=self._python.path, names=list(spec.checked))
            if problems := version_problems(spec.checked, found["versions"]):
                raise RemoteError(
                    f"the environment {self._record.environment} on {self._where} does not fit: {', '.join(problems)}. "
                    "Without --environment one is created"
                )
            return str(found["python"])
        step = f"installing packages on {self._where}; the first time takes minutes"
        events = client.stream(
            "environment",
            environment=spec.digest(self._python.version),
            requirements=spec.requirements,
            constraints=spec.constraints,
        )
        result: dict[str, Any] = {}
        for number, event in enumerate(events):
            self._contact()
            result = event.get("result", {})
            if "installing" in event:
                self._reporter.progress(step, number, 0)
                self._store.append_log(self._plan.id, f"{event['installing']}\n")
        return str(result["python"])

    # Following

    def _follow(self, client: AgentClient) -> None:
        """Show what the run writes until it ends."""
        try:
            for event in client.stream("follow", offsets=self._record.offsets):
                self._contact()
                if "file" in event:
                    self._show(str(event["file"]), str(event["text"]))
                    self._record.offsets[str(event["file"])] = int(event["offset"])
                    self._save_sometimes()
                elif "plot" in event:
                    self._save_plot(str(event["plot"]), base64.b64decode(event["content"]))
        finally:
            self._store.save(self._record)

    def _show(self, name: str, text: str) -> None:
        if name == "progress":
            for line in text.splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    event = json.loads(line)
                    self._reporter.progress(str(event["step"]), int(event["done"]), int(event["total"]))
            return
        text = to_local_paths(text, self._plan, self._root)
        self._store.append_log(self._plan.id, text)
        show = self._reporter.output if name == "stdout" else self._reporter.log
        for line in text.splitlines():
            show(line)

    def _save_plot(self, name: str, content: bytes) -> None:
        """Write a plot of the run where a run here would have written it."""
        out = Path(self._plan.out)
        folder = out.parent / f".{out.name}.training"
        folder.mkdir(parents=True, exist_ok=True)
        # The folder may hold the checkpoint of a run here.
        if name == Path(name).name and Path(name).suffix in (".svg", ".png"):
            (folder / name).write_bytes(content)

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved_at > _SAVE_INTERVAL_S:
            self._store.save(self._record)
            self._saved_at = time.monotonic()

    # The end

    def _fetch(self, client: AgentClient) -> None:
        """Bring the package here, verify it, put it in place, and delete the run over there."""
        out = Path(self._plan.out)
        prefix = f"{_STAGING}{self._plan.id}-"
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            remove_stale_staging(out.parent, prefix)
            with staging_directory(out.parent, prefix) as staging:
                folder = staging / "made"
                folder.mkdir()
                stated = client.fetch(
                    folder, lambda done, total: self._reporter.progress("fetching the package", done, total)
                )
                put_in_place(verify(folder, stated, out), out, staging)
        except OSError as error:
            raise RemoteError(
                f"the package cannot be written to {out.parent} ({error.strerror}): it is still on {self._where}; "
                f"`uncia train attach {self._plan.id}` fetches it"
            ) from error
        self._set_phase("fetched")
        self._wheel()[0].unlink()
        _remove_plots(out)
        # The package is here: what cannot be deleted now is no reason to fail.
        with contextlib.suppress(RemoteError):
            client.call("remove")
            self._transport.release()

    def _set_phase(self, phase: Any) -> None:
        self._record.phase = phase
        self._store.save(self._record)

    def _failure(self, status: RemoteStatus, action: Action) -> RemoteError:
        if action is Action.GIVE_UP:
            return RemoteError(
                f"the training process on {self._where} was killed {self._record.restarts + 1} times; does it have too "
                "little memory? Repeat the command to continue from the last checkpoint"
            )
        return RemoteError(f"the run on {self._where} ended with status {status.code}; what it wrote is above")

    def _explain(self, refusal: AgentRefusal) -> RemoteError:
        """A sentence for an error of the agent."""
        again = "what was copied stays there, and the same command continues"
        sentences = {
            "disk-full": f"the disk of {self._where} is full ({self._root}): free some space there; {again}",
            "changed": f"a file changed while it was copied to {self._where}: repeat the command",
            "cut-off": f"the copy to {self._where} was cut off: {again}",
            "no-venv": f"Python on {self._where} cannot create environments ({refusal}): install its package "
            "python3-venv, or name an --environment",
            "pip": f"the packages cannot be installed on {self._where}: {refusal}. The log is in "
            f"{self._store.folder_of(self._plan.id)}; --environment names an environment that exists",
            "no-environment": f"the environment on {self._where} does not start: {refusal}",
        }
        return RemoteError(sentences.get(refusal.kind, f"{self._where}: {refusal}"))


class _Counter:
    """Counts the bytes that were sent."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._report(self._done)


class _CountedFile:
    """A file whose reads are counted."""

    def __init__(self, file: IO[bytes], counter: _Counter) -> None:
        self._file = file
        self._counter = counter

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._counter.add(len(data))
        return data


def _add(archive: tarfile.TarFile, sha256: str, path: Path, size: int, counter: _Counter) -> None:
    """Add a file under its hash. Raises `RemoteError` where it is not what it was."""
    member = tarfile.TarInfo(sha256)
    member.size = size
    try:
        with path.open("rb") as file:
            archive.addfile(member, _CountedFile(file, counter))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RemoteError(f"{path} changed or disappeared while it was copied ({error}): repeat the command") from error


def _remove_plots(out: Path) -> None:
    """Delete the plots of the training, whose final form is in the package's card."""
    folder = out.parent / f".{out.name}.training"
    paths: Iterable[Path] = (*folder.glob("*.svg"), *folder.glob("*.png"))
    for path in paths:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _bytes(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
