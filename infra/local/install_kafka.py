"""Installs Kafka's jars with Maven, and Java and Maven themselves where they are missing and may be installed."""

import contextlib
import shutil
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import build_directory, digest, install_system_package, is_complete, run
from uncia.infra.local.java import INSTALL_HINT, find_java

_POM = Path(__file__).with_name("pom.xml")

_MAVEN_HINT = "Maven is needed once, to fetch Kafka's jars: install it (Debian and Ubuntu: sudo apt-get install maven)"


def complete() -> bool:
    """True when the jars of the current pom.xml and a Java runtime are installed."""
    if not is_complete("kafka", _fingerprint()):
        return False
    with contextlib.suppress(StackError):
        find_java()
        return True
    return False


def install() -> None:
    """Fetch the jars and, where needed, install Java. Raises `StackError`."""
    try:
        find_java()
    except StackError:
        install_system_package(
            "openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless", otherwise=INSTALL_HINT
        )
    if not is_complete("kafka", _fingerprint()):
        _jars()


def _jars() -> None:
    if not shutil.which("mvn"):
        install_system_package("maven", otherwise=_MAVEN_HINT)
    java_home = find_java().resolve().parent.parent
    with build_directory("kafka", _fingerprint()) as folder:
        command = [
            "mvn",
            "--batch-mode",
            "--quiet",
            f"--file={_POM}",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={folder / 'libs'}",
            "-DincludeScope=runtime",
        ]
        run(
            command,
            "Maven could not fetch Kafka's jars (check its settings.xml and the network)",
            {"JAVA_HOME": str(java_home)},
        )
        if not any(folder.glob("libs/kafka_*.jar")):
            raise StackError("Maven succeeded but fetched no Kafka jar: check infra/local/pom.xml")


def _fingerprint() -> str:
    return digest(_POM.read_bytes())
