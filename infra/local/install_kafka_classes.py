"""Prepares Kafka's starts, in `.local/parts/kafka-classes`: its classes, parsed, and the first records of new brokers.

A broker with the archive of classes (Java's class data sharing) starts in two thirds of the time. Java leaves an
archive of other jars, of another Java or path unread, so that it can only be missing, never wrong. The records name the
features of this version of Kafka; with them, a new broker needs no format tool.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import build_directory, digest, is_complete, note, run
from uncia.infra.local.java import find_java
from uncia.infra.local.kafka import CLASSES_FILE, CLASSES_PART, FEATURES_FILE
from uncia.infra.local.layout import Layout, parts_dir


def complete() -> bool:
    """True when there is an archive of the installed jars and this Java."""
    try:
        return is_complete(CLASSES_PART, _fingerprint())
    except StackError:
        return False


def install() -> None:
    """Start a stack of Kafka alone, and archive the classes that it has loaded when it stops.

    Kafka runs without the archive, too: where none can be made, this is reported, and no error.
    """
    # Java does not write an archive while it uses another one.
    shutil.rmtree(parts_dir() / CLASSES_PART, ignore_errors=True)
    # A short path outside the clone: it is a stack of its own, and ends with this step.
    with tempfile.TemporaryDirectory(prefix="uncia-classes-") as folder:
        try:
            with build_directory(CLASSES_PART, _fingerprint()) as staging:
                _record(Path(folder), staging)
        except StackError as error:
            note(f"Kafka's classes were not archived, and it starts more slowly: {error}")


def _record(folder: Path, staging: Path) -> None:
    archive, stack = staging / CLASSES_FILE, folder / "stack"
    own = {name: value for name, value in os.environ.items() if not name.startswith("UNCIA_")}
    environment = {
        **own,
        "UNCIA_STACK_DIR": str(stack),
        "UNCIA_PARTS_DIR": str(parts_dir()),
        # The name may contain a blank; Java's own variable splits at blanks, except in quotes.
        "JDK_JAVA_OPTIONS": f'-XX:ArchiveClassesAtExit="{archive}"',
    }
    uncia = [sys.executable, "-m", "uncia"]
    try:
        run([*uncia, "up", "kafka", "--timeout", "60"], "Kafka did not start", environment)
    finally:
        run([*uncia, "down"], "Kafka did not stop", environment)
    if not archive.exists():
        raise StackError("Java wrote no archive")
    shutil.copyfile(Layout(stack, folder).data("kafka") / FEATURES_FILE, staging / FEATURES_FILE)


def _fingerprint() -> str:
    jars = sorted((jar.name, jar.stat().st_size) for jar in parts_dir().glob("kafka/libs/*.jar"))
    java = find_java().resolve()
    release = java.parent.parent / "release"
    return digest(
        "archive and features",
        str(parts_dir()),
        str(jars),
        str(java),
        release.read_bytes() if release.exists() else b"",
    )
