"""Installs the other programs: a Python environment for each below the parts of `make setup`, and SynapseML's jars."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import build_directory, digest, install_system_package, is_complete, run
from uncia.infra.local.java import find_java
from uncia.infra.local.layout import parts_dir

_POM = Path(__file__).with_name("pom.xml")
_COMMON = ("onnxruntime==1.29.0", "numpy==2.4.6", "pillow==13.0.0")


@dataclass(frozen=True)
class Environment:
    """Packages that a program runs with, apart from those of this project."""

    name: str
    packages: tuple[str, ...]
    jars: bool = False

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return parts_dir() / self.name

    def ensure(self) -> None:
        """Install what is missing. Raises `StackError` with the cause."""
        made_from = digest(*self.packages, _POM.read_bytes() if self.jars else b"")
        if is_complete(self.name, made_from):
            return
        with build_directory(self.name, made_from) as folder:
            venv = folder / "venv"
            run([sys.executable, "-m", "venv", venv], "no environment could be made")
            pip = (venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            run((*pip, *self.packages), f"pip could not install {self.name}")
            if self.jars:
                _fetch_jars(folder / "jars")


def _fetch_jars(folder: Path) -> None:
    if not shutil.which("mvn"):
        install_system_package("maven", otherwise="Maven is needed to fetch SynapseML's jars: install it")
    command = ["mvn", "--batch-mode", "--quiet", f"--file={_POM}", "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    home = find_java().resolve().parent.parent
    run(command, "Maven could not fetch SynapseML's jars", {"JAVA_HOME": str(home)})
    if not any(folder.glob("synapseml-deep-learning_*.jar")):
        raise StackError("Maven succeeded but fetched no jar of SynapseML: check benchmarks/rivals/pom.xml")


SPARK = Environment(
    "rival-spark", ("pyspark==3.5.9", "synapseml==1.1.0", "pandas==2.3.3", "pyarrow==26.0.1", *_COMMON), jars=True
)
BYTEWAX = Environment("rival-bytewax", ("bytewax==0.21.1", "confluent-kafka==2.16.0", "boto3>=1.40", *_COMMON))
LOOP = Environment("rival-loop", _COMMON)
