"""What runs on the other machine: one operation per call, on the standard library of Python 3.11 alone.

Its source is sent along with each call, so that it is always of the same version as the caller and nothing has to be
installed for it. Standard input holds one line of JSON, the request, then for `receive` a tar archive. Standard output
holds one JSON object per line; the last one has `result` or `error`. `fetch` writes a tar archive after its first line.

Folders below the root: `objects` (content by SHA-256), `code` and `environments` (by their hashes), `features` (the
cache of features), `runs`. All operations can be repeated at any point, and after a kill at any point.
"""

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

HEARTBEAT_S = 5.0
"""Seconds between two signs of life while a run is followed; the write fails where the caller is gone."""
POLL_S = 0.25
STOP_GRACE_S = 10.0
CHUNK = 1 << 20
FOLLOWED = ("stdout", "stderr", "progress")
PLOTS = (".svg", ".png")

Request = dict[str, Any]


class AgentError(Exception):
    """An operation failed; `kind` tells the caller which sentence fits."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def emit(value: dict[str, Any]) -> None:
    """Write one line of JSON to the caller."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def root_of(request: Request) -> Path:
    """The folder of all runs, which is created for its user alone. Raises `OSError`."""
    root = Path(request["root"]).expanduser().absolute()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def run_of(request: Request) -> Path:
    """The folder of the run."""
    return root_of(request) / "runs" / str(request["run"])


def object_path(root: Path, sha256: str) -> Path:
    """Where the content with this hash is stored."""
    return root / "objects" / sha256[:2] / sha256


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file, which the kernel releases when this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_whole(path: Path, value: Any) -> None:
    """Replace a JSON file at once: a kill leaves the old one."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


# What is there


def probe(request: Request) -> dict[str, Any]:
    """What this machine offers."""
    root = root_of(request)
    usage = shutil.disk_usage(root)
    return {
        "root": str(root),
        "python": sys.version.split()[0],
        "free": usage.free,
        "cpus": os.cpu_count() or 1,
        "gpus": gpus(),
        "environment_exists": (root / "environments" / str(request["environment"]) / "complete").exists(),
    }


def gpus() -> list[str]:
    """The names of NVIDIA's GPUs, from their driver's tool."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


# Content


def missing(request: Request) -> dict[str, Any]:
    """Which of the objects (hash, size in bytes) are not stored here."""
    root = root_of(request)
    absent = []
    for sha256, size in request["objects"]:
        try:
            stored = object_path(root, sha256).stat().st_size == size
        except OSError:
            stored = False
        if not stored:
            absent.append(sha256)
    return {"missing": absent}


def receive(request: Request) -> dict[str, Any]:
    """Store the members of the archive on standard input, each named by its hash, which is checked."""
    root = root_of(request)
    count = 0
    try:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    store(root, member.name, content)
                    count += 1
    except tarfile.TarError as error:
        raise AgentError("cut-off", f"the archive ended early: {error}") from error
    return {"received": count}


def store(root: Path, sha256: str, content: IO[bytes]) -> None:
    """Store one object. Read-only, because the files of all runs that use it are links to it."""
    path = object_path(root, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{sha256}.{os.getpid()}")
    hasher = hashlib.sha256()
    try:
        with draft.open("wb") as file:
            while chunk := content.read(CHUNK):
                hasher.update(chunk)
                file.write(chunk)
        if hasher.hexdigest() != sha256:
            raise AgentError("changed", sha256)
        draft.chmod(0o444)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`; a copy where the file system has no hard links, or no more of them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EXDEV):
            raise
        shutil.copyfile(source, target)


def prepare(request: Request) -> dict[str, Any]:
    """Link the inputs into the run's folder and unpack the code."""
    root, folder = root_of(request), run_of(request)
    code = root / "code" / str(request["code"])
    with locked(root / "code.lock"):
        if not code.exists():
            draft = code.with_name(f".{code.name}.{os.getpid()}")
            shutil.rmtree(draft, ignore_errors=True)
            with zipfile.ZipFile(object_path(root, str(request["code"]))) as wheel:
                wheel.extractall(draft)
            draft.replace(code)
    inputs = folder / "inputs"
    for name, sha256 in request["inputs"]:
        target = inputs / name
        if not target.resolve().is_relative_to(inputs.resolve()):
            raise AgentError("refused", f"{name} is outside the run's folder")
        link(object_path(root, sha256), target)
    (folder / "out").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "prepared", {"code": request["code"]})
    return {"folder": str(folder)}


# Environments


def environment(request: Request) -> dict[str, Any]:
    """Create the environment with this hash where there is none, by pip; lines of its output go to the caller."""
    root = root_of(request)
    place = root / "environments" / str(request["environment"])
    with locked(place.with_name(f"{place.name}.lock")):
        if (place / "complete").exists():
            return {"python": str(place / "bin" / "python"), "created": False}
        shutil.rmtree(place, ignore_errors=True)
        make(place, request, root)
        (place / "complete").touch()
    return {"python": str(place / "bin" / "python"), "created": True}


def make(place: Path, request: Request, root: Path) -> None:
    """Create an environment and install the requirements at the pinned versions."""
    done = subprocess.run([sys.executable, "-m", "venv", str(place)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AgentError("no-venv", last_line(done.stdout + done.stderr))
    requirements, constraints = place / "requirements.txt", place / "constraints.txt"
    requirements.write_text("".join(f"{line}\n" for line in request["requirements"]))
    constraints.write_text("".join(f"{line}\n" for line in request["constraints"]))
    command = [str(place / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar"]
    command += ["off", "--constraint", str(constraints), "--requirement", str(requirements)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    tail: list[str] = []
    try:
        for line in process.stdout:
            tail = [*tail[-20:], line.decode(errors="replace").rstrip()]
            emit({"installing": tail[-1]})
        status = process.wait()
    finally:
        process.kill()
    if status != 0:
        text = "\n".join(tail)
        if "No space left on device" in text or "Errno 28" in text:
            raise OSError(errno.ENOSPC, "No space left on device")
        errors = [line for line in tail if line.startswith("ERROR")]
        raise AgentError("pip", errors[-1] if errors else last_line(text))


def last_line(text: str) -> str:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


CHECK = """
import importlib.metadata, json, sys
versions = {}
for name in json.load(sys.stdin):
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        versions[name] = None
print(json.dumps(versions))
"""


def versions(request: Request) -> dict[str, Any]:
    """The versions of packages in an existing environment; None where one is missing."""
    python = str(Path(request["python"]).expanduser())
    try:
        done = subprocess.run([python, "-c", CHECK], input=json.dumps(request["names"]), capture_output=True, text=True)
    except OSError as error:
        raise AgentError("no-environment", f"{python}: {error.strerror}") from error
    if done.returncode != 0:
        raise AgentError("no-environment", f"{python}: {last_line(done.stderr)}")
    return {"python": python, "versions": json.loads(done.stdout)}


# The training process


def started_at(pid: int) -> str | None:
    """When a process started, in a form that no other process with this pid has; None where none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        # macOS has no /proc.
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
        return done.stdout.strip() or None
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended; nobody may collect it in a container without an init.
    return None if fields[0] in "ZX" else f"{boot()} {fields[19]}"


def boot() -> str:
    """What tells this boot of the machine from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def alive(process: Any) -> bool:
    """Whether the process of a pid file still runs."""
    return bool(process) and started_at(int(process["pid"])) == process["started"]


def record_process(path: Path, pid: int) -> None:
    """Write a pid file: pid and start time."""
    write_whole(path, {"pid": pid, "started": started_at(pid)})


def start(request: Request) -> dict[str, Any]:
    """Start the run detached, in a session of its own; nothing where it runs already."""
    folder = run_of(request)
    with locked(folder / "lock"):
        if alive(read_json(folder / "supervisor")):
            return state(folder)
        # Its supervisor was killed and it was not.
        end(read_json(folder / "process"))
        (folder / "exit").unlink(missing_ok=True)
        source = folder / "agent.py"
        source.write_text(SOURCE)
        write_whole(folder / "command", {"argv": request["argv"], "environment": request["variables"]})
        supervisor = subprocess.Popen(
            [sys.executable, str(source), "supervise", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
        )
        record_process(folder / "supervisor", supervisor.pid)
    return state(folder)


def supervise(folder: Path) -> None:
    """Run the command of a run and write its exit status; the detached process."""
    command = read_json(folder / "command")
    with (folder / "stdout").open("ab") as stdout, (folder / "stderr").open("ab") as stderr:
        try:
            process = subprocess.Popen(
                command["argv"],
                env={**os.environ, **command["environment"]},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
            )
        except OSError as error:
            stderr.write(f"{command['argv'][0]}: {error.strerror}\n".encode())
            write_whole(folder / "exit", {"code": 127})
            return
        record_process(folder / "process", process.pid)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    write_whole(folder / "exit", {"code": code})


def state(folder: Path) -> dict[str, Any]:
    """absent, prepared, running, died (neither running nor ended by itself), or exited with `code`."""
    supervisor = read_json(folder / "supervisor")
    if alive(supervisor):
        return {"state": "running"}
    if (ended := read_json(folder / "exit")) is not None:
        return {"state": "exited", "code": ended["code"]}
    if supervisor is not None:
        return {"state": "died"}
    return {"state": "prepared" if (folder / "prepared").exists() else "absent"}


def status(request: Request) -> dict[str, Any]:
    """The state of the run."""
    return state(run_of(request))


def follow(request: Request) -> dict[str, Any]:
    """Send what the run writes, from byte offsets on, until it ends; complete lines only while it runs."""
    folder = run_of(request)
    offsets = {name: int(request["offsets"].get(name, 0)) for name in FOLLOWED}
    plots: dict[str, float] = {}
    quiet_since = time.monotonic()
    while True:
        # Before the files are read: what a run wrote last is then read too.
        now = state(folder)
        over = now["state"] != "running"
        sent = [send_lines(folder, name, offsets, whole=over) for name in FOLLOWED]
        if any([*sent, send_plots(folder, plots)]):
            quiet_since = time.monotonic()
        if over:
            return now
        if time.monotonic() - quiet_since > HEARTBEAT_S:
            emit({})
            quiet_since = time.monotonic()
        time.sleep(POLL_S)


def send_lines(folder: Path, name: str, offsets: dict[str, int], *, whole: bool) -> bool:
    """Send what was added to a file, and advance its offset; True where there was something.

    Without `whole` the last line waits until it is complete.
    """
    sent = False
    try:
        with (folder / name).open("rb") as file:
            file.seek(offsets[name])
            while added := file.read(CHUNK):
                if not whole and len(added) < CHUNK:
                    added = added[: added.rfind(b"\n") + 1]
                    if not added:
                        break
                offsets[name] += len(added)
                emit({"file": name, "text": added.decode(errors="replace"), "offset": offsets[name]})
                file.seek(offsets[name])
                sent = True
    except FileNotFoundError:
        return False
    return sent


def send_plots(folder: Path, sent: dict[str, float]) -> bool:
    """Send the plots of the work folder that are new or have changed."""
    changed = False
    for path in sorted((folder / "out").glob(".*.training/*")):
        with contextlib.suppress(FileNotFoundError):
            modified = path.stat().st_mtime
            if path.suffix not in PLOTS or path.name.startswith(".") or sent.get(path.name) == modified:
                continue
            emit({"plot": path.name, "content": base64.b64encode(path.read_bytes()).decode()})
            sent[path.name] = modified
            changed = True
    return changed


def end(process: Any) -> None:
    """End a process of a pid file: SIGTERM, a grace period, SIGKILL."""
    for number, limit_s in ((signal.SIGTERM, STOP_GRACE_S), (signal.SIGKILL, STOP_GRACE_S)):
        if not alive(process):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process["pid"]), number)
        deadline = time.monotonic() + limit_s
        while alive(process) and time.monotonic() < deadline:
            time.sleep(0.05)


def stop(request: Request) -> dict[str, Any]:
    """End the run's processes."""
    folder = run_of(request)
    end(read_json(folder / "process"))
    end(read_json(folder / "supervisor"))
    return state(folder)


# The result


def fetch(request: Request) -> None:
    """Write the names, sizes and hashes of what the run made, then the files as a tar archive."""
    out = run_of(request) / "out"
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and not is_hidden(path.relative_to(out))]
    names = {str(path.relative_to(out)): path for path in files}
    emit({"files": [[name, path.stat().st_size, digest(path)] for name, path in names.items()]})
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for name, path in names.items():
            archive.add(path, arcname=name, recursive=False)
    sys.stdout.buffer.flush()


def is_hidden(path: Path) -> bool:
    """Whether a part of the relative path begins with a dot: checkpoints and staging folders."""
    return any(part.startswith(".") for part in path.parts)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(request: Request) -> dict[str, Any]:
    """Delete the run's folder. Its content stays in the store, for the next run."""
    folder = run_of(request)
    if alive(read_json(folder / "supervisor")):
        raise AgentError("running", "the run is still running")
    shutil.rmtree(folder, ignore_errors=True)
    return {"removed": not folder.exists()}


OPERATIONS: dict[str, Callable[[Request], dict[str, Any] | None]] = {
    "probe": probe,
    "missing": missing,
    "receive": receive,
    "prepare": prepare,
    "environment": environment,
    "versions": versions,
    "start": start,
    "status": status,
    "follow": follow,
    "stop": stop,
    "fetch": fetch,
    "remove": remove,
}

SOURCE = ""
"""This file's text, where the caller sent it."""


def serve(source: bytes) -> None:
    """Carry out the request on standard input."""
    global SOURCE
    SOURCE = source.decode()
    request = json.loads(sys.stdin.buffer.readline())
    try:
        result = OPERATIONS[request["operation"]](request)
    except AgentError as error:
        emit({"error": error.kind, "message": str(error)})
    except BrokenPipeError:
        # The caller is gone; nothing is left to say, at the interpreter's end neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        name = f" ({error.filename})" if error.filename else ""
        emit({"error": "disk-full" if full else "system", "message": f"{error.strerror}{name}"})
    except Exception as error:
        # A bug, or a Python that lacks something: another attempt would end the same.
        emit({"error": "internal", "message": f"{type(error).__name__}: {error}"})
    else:
        if result is not None:
            emit({"result": result})


if __name__ == "__main__" and sys.argv[1:2] == ["supervise"]:
    supervise(Path(sys.argv[2]))
