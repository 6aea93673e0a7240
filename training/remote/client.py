"""Calls the agent on the other machine, one process per call."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import IO, Any

from uncia.training.remote.errors import LinkBroken, RemoteError
from uncia.training.remote.transports.transport import Transport

__all__ = ["AgentClient", "AgentRefusal", "run_remote"]

_LOADER = 'import sys; b = sys.stdin.buffer; s = b.read(int(b.readline())); exec(compile(s, "agent", "exec")); serve(s)'
"""Reads the agent's source from standard input: its length in a line, then the bytes."""

_END_LIMIT_S = 10
"""Seconds that a client may take to end after the last line of its answer."""

_SILENCE_S = 60.0
"""Seconds without a sign of life after which a link is given up: the agent gives one every 5 seconds."""

Payload = Callable[[IO[bytes]], None]
"""Writes what follows the request."""


class AgentRefusal(RemoteError):
    """The agent carried the operation out and reports an error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class AgentClient:
    """The operations of `uncia.training.remote.agent`, over a transport, for one run."""

    def __init__(self, transport: Transport, python: str, root: str, run: str) -> None:
        self._transport = transport
        self._python = python
        self._about: dict[str, Any] = {"root": root, "run": run}

    def call(self, operation: str, payload: Payload | None = None, **request: Any) -> dict[str, Any]:
        """Carry out an operation and return its result. Raises `AgentRefusal`, `LinkBroken` and `RemoteError`."""
        result: dict[str, Any] = {}
        for event in self.stream(operation, payload, **request):
            result = event
        found: dict[str, Any] = result["result"]
        return found

    def stream(self, operation: str, payload: Payload | None = None, **request: Any) -> Iterator[dict[str, Any]]:
        """The events of an operation; the last one has the key `result`."""
        with self._open(operation, payload, request) as (process, output, failure):
            # Only while a run is followed: other operations are silent for as long as they take.
            watch = _Watch(process, _SILENCE_S) if operation == "follow" else None
            for line in output:
                if watch is not None:
                    watch.heard_at = time.monotonic()
                if (event := _parse(line)) is None:
                    continue
                if "error" in event:
                    raise AgentRefusal(str(event["error"]), str(event.get("message", "")))
                yield event
                if "result" in event:
                    return
            if watch is not None and watch.expired:
                raise LinkBroken(f"nothing was heard for {_SILENCE_S:g} seconds")
            raise failure("")

    def fetch(self, folder: Path, progress: Callable[[int, int], None]) -> dict[str, tuple[int, str]]:
        """Extract what the run made into a folder. Returns size in bytes and SHA-256 of each file, as the agent states.

        Only regular files with the stated names are extracted.
        """
        with self._open("fetch", None, {}) as (_, output, failure):
            first = next(filter(None, map(_parse, iter(output.readline, b""))), None)
            if first is None:
                raise failure("")
            if "error" in first:
                raise AgentRefusal(str(first["error"]), str(first.get("message", "")))
            stated = {str(name): (int(size), str(sha256)) for name, size, sha256 in first["files"]}
            try:
                with tarfile.open(fileobj=output, mode="r|") as archive:
                    for number, member in enumerate(archive, 1):
                        if member.name in stated and member.isfile():
                            _extract(archive, member, folder)
                        progress(number, len(stated))
            except (tarfile.TarError, EOFError) as error:
                raise failure(str(error)) from error
            return stated

    @contextmanager
    def _open(
        self, operation: str, payload: Payload | None, request: dict[str, Any]
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], Callable[[str], RemoteError]]]:
        """Start a call. Yields its process, its output and what makes the error for one that ended early."""
        line = json.dumps({**self._about, **request, "operation": operation}).encode() + b"\n"
        source = files("uncia.training.remote").joinpath("agent.py").read_bytes()
        command = self._transport.command([self._python, "-c", _LOADER])
        with tempfile.TemporaryFile() as stderr, _process(command, stderr) as process:
            assert process.stdin is not None and process.stdout is not None
            sender = _Sender(process.stdin, b"%d\n%s%s" % (len(source), source, line), payload)
            sender.start()

            def failure(text: str) -> RemoteError:
                status = process.wait()
                sender.join()
                if sender.error is not None:
                    return sender.error
                stderr.seek(0)
                return self._transport.explain(status, stderr.read().decode(errors="replace") or text)

            try:
                yield process, process.stdout, failure
            except AgentRefusal as refusal:
                # An archive that ends early because a file here cannot be read.
                sender.join()
                if sender.error is not None:
                    raise sender.error from refusal
                raise


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a regular file below the folder, where nothing but this writes. Raises `RemoteError` for another place."""
    # By hand: `filter="data"` is not in Python 3.11.2, that of Debian 12.
    path = PurePosixPath(member.name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise RemoteError(f"the package has a name that is refused: {member.name!r}")
    target = folder.joinpath(*path.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    assert source is not None  # it is a regular file
    with source, target.open("wb") as out:
        shutil.copyfileobj(source, out)


class _Watch(threading.Thread):
    """Kills a client from which nothing has come for too long: over a shared connection (ControlMaster), and with other
    clients than ssh, nothing else notices a dead link."""

    def __init__(self, process: subprocess.Popen[bytes], limit_s: float) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._limit_s = limit_s
        self.heard_at = time.monotonic()
        self.expired = False
        self.start()

    def run(self) -> None:
        while self._process.poll() is None:
            if time.monotonic() - self.heard_at > self._limit_s:
                self.expired = True
                self._process.kill()
                return
            time.sleep(1)


class _Sender(threading.Thread):
    """Writes the input of a call; the other side may answer, or end, before it has read all of it."""

    def __init__(self, stdin: IO[bytes], head: bytes, payload: Payload | None) -> None:
        super().__init__(daemon=True)
        self._stdin = stdin
        self._head = head
        self._payload = payload
        self.error: RemoteError | None = None

    def run(self) -> None:
        try:
            self._stdin.write(self._head)
            if self._payload is not None:
                self._payload(self._stdin)
        except RemoteError as error:
            self.error = error
        except (BrokenPipeError, ValueError):
            pass  # the call has ended; its answer says why
        finally:
            with suppress(BrokenPipeError, ValueError):
                self._stdin.close()


@contextmanager
def _process(command: Sequence[str], stderr: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, which Ctrl-C in the terminal does not reach; ended after the block."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    )
    try:
        yield process
        process.wait(_END_LIMIT_S)
    except subprocess.TimeoutExpired:
        pass  # what was asked for has arrived
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _parse(line: bytes) -> dict[str, Any] | None:
    """An event; None for anything else, such as what a login script prints."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def run_remote(transport: Transport, argv: Sequence[str]) -> str:
    """Run a short command over there and return its output. Raises what the transport explains."""
    with tempfile.TemporaryFile() as stderr, _process(transport.command(argv), stderr) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        output = io.TextIOWrapper(process.stdout, errors="replace").read()
        status = process.wait()
        if status != 0:
            stderr.seek(0)
            raise transport.explain(status, stderr.read().decode(errors="replace"))
        return output
