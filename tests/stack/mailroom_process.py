"""The mailroom as a process that knows its own settings only."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.waiting import SCALE

LIMIT_S = 60


def uncia(environment: dict[str, str], *arguments: str) -> Any:
    """Run a command with `--json`; returns what it prints."""
    line = [sys.executable, "-m", "uncia", *arguments, "--json"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=SCALE * LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextlib.contextmanager
def running_mailroom(environment: dict[str, str], folder: Path, servers: int) -> Iterator[None]:
    """`uncia mailroom run`, once so many of its servers listen; its log is in `folder`."""
    command = [sys.executable, "-m", "uncia", "mailroom", "run", "--json"]
    with (
        (folder / "mailroom.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as running,
    ):
        try:
            assert running.stdout is not None
            for _ in range(servers):
                assert json.loads(running.stdout.readline())["event"] == "listening"
            yield
        finally:
            running.terminate()
            running.communicate(timeout=SCALE * LIMIT_S)
