"""Kafka's jars by Maven; Java and Maven themselves where they are missing."""

import contextlib
import shutil
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.installing import building, digest, is_complete, run, system_packages
from uncia.infra.local.java import ADVICE, find_java

_POM = Path(__file__).with_name("pom.xml")

_MAVEN = "Maven is needed once, to fetch Kafka's jars: install it (Debian and Ubuntu: sudo apt-get install maven)"


def complete() -> bool:
    """The jars are there, those of this pom, and a Java to run them."""
    if not is_complete("kafka", _made_from()):
        return False
    with contextlib.suppress(StackError):
        find_java()
        return True
    return False


def install() -> None:
    """Fetch the jars. Raises `StackError`."""
    try:
        find_java()
    except StackError:
        system_packages("openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless", otherwise=ADVICE)
    if not is_complete("kafka", _made_from()):
        _jars()


def _jars() -> None:
    if not shutil.which("mvn"):
        system_packages("maven", otherwise=_MAVEN)
    java_home = find_java().resolve().parent.parent
    with building("kafka", _made_from()) as folder:
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
            "Maven could not fetch Kafka's jars (see its settings.xml, and the network)",
            {"JAVA_HOME": str(java_home)},
        )
        if not any(folder.glob("libs/kafka_*.jar")):
            raise StackError("Maven ended well and fetched no Kafka: look at infra/local/pom.xml")


def _made_from() -> str:
    return digest(_POM.read_bytes())
