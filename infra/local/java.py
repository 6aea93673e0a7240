"""Finds a Java runtime for Kafka 4."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from uncia.errors import StackError

_MIN_VERSION = 17

INSTALL_HINT = (
    f"Kafka needs a Java runtime, version {_MIN_VERSION} or newer: install one "
    "(Debian and Ubuntu: sudo apt-get install openjdk-17-jre-headless), or set JAVA_HOME to one"
)


def find_java() -> Path:
    """Path of the `java` binary: from JAVA_HOME, PATH or /usr/lib/jvm, in this order. Raises `StackError`."""
    rejected: list[str] = []
    for candidate in _candidates():
        version = major_version(candidate)
        if version is not None and version >= _MIN_VERSION:
            return candidate
        rejected.append(f"{candidate} is {f'version {version}' if version else 'no working Java'}")
    raise StackError(f"{INSTALL_HINT}." + (f" Found only: {'; '.join(rejected)}." if rejected else ""))


def major_version(java: Path) -> int | None:
    """Major version from the runtime's `release` file, or else from `java -version`; None when it is no Java."""
    release = java.resolve().parent.parent / "release"
    try:
        text = release.read_text(encoding="utf-8", errors="replace")
    except OSError:
        try:
            text = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
        except (OSError, subprocess.SubprocessError):
            return None
    found = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(found.group(1)) if found else None


def _candidates() -> list[Path]:
    paths = []
    if home := os.environ.get("JAVA_HOME"):
        paths.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        paths.append(Path(on_path))
    paths.extend(sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True))
    return [path for path in paths if path.exists()]
