"""Finding a Java runtime that Kafka 4 can run on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from uncia.errors import StackError

LEAST = 17

ADVICE = (
    f"Kafka needs a Java runtime, version {LEAST} or newer: install one "
    "(Debian and Ubuntu: sudo apt-get install openjdk-17-jre-headless), or point JAVA_HOME at one"
)


def find_java() -> Path:
    """The `java` to use: JAVA_HOME's, the one on PATH, or any that the system has. Raises `StackError`."""
    seen: list[str] = []
    for candidate in _candidates():
        version = java_version(candidate)
        if version is not None and version >= LEAST:
            return candidate
        seen.append(f"{candidate} is {f'version {version}' if version else 'no working Java'}")
    raise StackError(f"{ADVICE}." + (f" Found only: {'; '.join(seen)}." if seen else ""))


def java_version(java: Path) -> int | None:
    """Major version, read from the runtime's `release` file, or asked where there is none; None when it is no Java."""
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
    places = []
    if home := os.environ.get("JAVA_HOME"):
        places.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        places.append(Path(on_path))
    places.extend(sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True))
    return [place for place in places if place.exists()]
