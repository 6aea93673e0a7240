"""Installs Triton from the pytriton wheel: its own Python environment and the folder of the python backend."""

import json
import os
import shutil
import sys
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.install_tools import build_directory, digest, install_system_package, is_complete, run
from uncia.infra.local.layout import parts_dir

_REQUIREMENTS = Path(__file__).with_name("triton-requirements.txt")

_VERSIONS = ("3.11", "3.12")
"""Python versions with both a backend stub in the wheel (3.8 to 3.13) and a build of numpy 1.26."""

_FACTS = (
    "import json, sys, sysconfig; get = sysconfig.get_config_var; print(json.dumps({"
    "'version': '%d.%d' % sys.version_info[:2], 'prefix': sys.base_prefix, "
    "'libdir': get('LIBDIR') or '', 'multiarch': get('MULTIARCH') or ''}))"
)


def complete() -> bool:
    """True when the environment and the Python library that its stub is linked with are installed."""
    libraries = list((parts_dir() / "triton" / "lib").glob("libpython*"))
    return is_complete("triton", _fingerprint()) and any(library.exists() for library in libraries)


def install() -> None:
    """Create the environment. Raises `StackError`."""
    facts = _find_python()
    version = facts["version"]
    with build_directory("triton", _fingerprint(), python=version) as folder:
        venv = folder / "venv"
        run([facts["executable"], "-m", "venv", "--without-pip", venv], "Triton's environment could not be created")
        pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--quiet"]
        run(
            [*pip, "--no-deps", "--only-binary=:all:", "--requirement", str(_REQUIREMENTS)],
            "pip could not install Triton's packages",
        )
        wheel = venv / "lib" / f"python{version}" / "site-packages" / "pytriton" / "tritonserver"
        backend = folder / "backends" / "python"
        shutil.copytree(wheel / "backends" / "python", backend, ignore=shutil.ignore_patterns("__pycache__"))
        stub = backend / "triton_python_backend_stub"
        shutil.copy2(wheel / "python_backend_stubs" / version / stub.name, stub)
        stub.chmod(0o755)
        library = folder / "lib" / f"libpython{version}.so.1.0"
        library.parent.mkdir()
        library.symlink_to(_libpython(facts))


def _find_python() -> dict[str, str]:
    """Facts of the Python for Triton: this one, or another on PATH when this one is too new. Raises `StackError`."""
    for candidate in (sys.executable, *(f"python{version}" for version in _VERSIONS)):
        try:
            facts: dict[str, str] = json.loads(run([candidate, "-c", _FACTS], f"{candidate} does not run"))
        except (StackError, ValueError):
            continue
        if facts["version"] in _VERSIONS:
            return {**facts, "executable": candidate}
    raise StackError(
        f"Triton's wheel serves models with Python {' or '.join(_VERSIONS)} only, and this is "
        f"{sys.version_info.major}.{sys.version_info.minor}: install one of them as well (Debian and Ubuntu: "
        "sudo apt-get install python3.12, or pyenv) so that it is on PATH, then run this again"
    )


def _libpython(facts: dict[str, str]) -> Path:
    """The shared Python library that the stub is linked with. On Debian it is a separate package."""
    name = f"libpython{facts['version']}.so.1.0"
    if (found := _find(name, facts)) is None:
        package = f"libpython{facts['version']}"
        install_system_package(
            package,
            otherwise=f"Triton needs {name}: install it (Debian and Ubuntu: sudo apt-get install {package}; "
            "pyenv: build the Python with PYTHON_CONFIGURE_OPTS=--enable-shared)",
        )
        found = _find(name, facts)
    if found is None:
        raise StackError(f"{name} was not found, even after its package was installed")
    return found


def _find(name: str, facts: dict[str, str]) -> Path | None:
    system = [Path("/usr/lib"), Path("/lib"), Path("/usr/local/lib")]
    folders = [Path(facts["libdir"]), Path(facts["prefix"]) / "lib", *system]
    if facts["multiarch"]:
        folders += [folder / facts["multiarch"] for folder in folders]
    folders += [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _fingerprint() -> str:
    return digest(_REQUIREMENTS.read_bytes(), *_VERSIONS)
