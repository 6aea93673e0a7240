"""Triton from the pytriton wheel: a Python environment of its own, and the python backend's folder."""

import json
import os
import shutil
import sys
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.installing import building, digest, is_complete, run, system_packages
from uncia.infra.local.layout import parts_dir

_REQUIREMENTS = Path(__file__).with_name("triton-requirements.txt")

VERSIONS = ("3.11", "3.12")
"""Pythons with both a stub in the wheel (3.8 to 3.13) and a build of numpy 1.26."""

_FACTS = (
    "import json, sys, sysconfig; get = sysconfig.get_config_var; print(json.dumps({"
    "'version': '%d.%d' % sys.version_info[:2], 'prefix': sys.base_prefix, "
    "'libdir': get('LIBDIR') or '', 'multiarch': get('MULTIARCH') or ''}))"
)


def complete() -> bool:
    """The environment is there, and so is the Python library that its stub was linked with."""
    libraries = list((parts_dir() / "triton" / "lib").glob("libpython*"))
    return is_complete("triton", _made_from()) and any(library.exists() for library in libraries)


def install() -> None:
    """Make the environment. Raises `StackError`."""
    facts = _python()
    version = facts["version"]
    with building("triton", _made_from(), python=version) as folder:
        venv = folder / "venv"
        run([facts["executable"], "-m", "venv", "--without-pip", venv], "Triton's environment could not be made")
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


def _python() -> dict[str, str]:
    """Facts of the Python that Triton gets: ours, or another on PATH where ours is too new. Raises `StackError`."""
    for candidate in (sys.executable, *(f"python{version}" for version in VERSIONS)):
        try:
            facts: dict[str, str] = json.loads(run([candidate, "-c", _FACTS], f"{candidate} does not run"))
        except (StackError, ValueError):
            continue
        if facts["version"] in VERSIONS:
            return {**facts, "executable": candidate}
    raise StackError(
        f"Triton's wheel serves models with Python {' or '.join(VERSIONS)} only, and this is "
        f"{sys.version_info.major}.{sys.version_info.minor}: install one of them beside it (Debian and Ubuntu: "
        "sudo apt-get install python3.12, or by pyenv) so that it is on PATH, then run this again"
    )


def _libpython(facts: dict[str, str]) -> Path:
    """The shared Python library that the stub is linked with. Debian keeps it in a package of its own."""
    name = f"libpython{facts['version']}.so.1.0"
    if (found := _find(name, facts)) is None:
        package = f"libpython{facts['version']}"
        system_packages(
            package,
            otherwise=f"Triton needs {name}: install it (Debian and Ubuntu: sudo apt-get install {package}; "
            "pyenv: build the Python with PYTHON_CONFIGURE_OPTS=--enable-shared)",
        )
        found = _find(name, facts)
    if found is None:
        raise StackError(f"{name} was not found, not even after installing its package")
    return found


def _find(name: str, facts: dict[str, str]) -> Path | None:
    system = [Path("/usr/lib"), Path("/lib"), Path("/usr/local/lib")]
    folders = [Path(facts["libdir"]), Path(facts["prefix"]) / "lib", *system]
    if facts["multiarch"]:
        folders += [folder / facts["multiarch"] for folder in folders]
    elsewhere = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    return next((folder / name for folder in (*folders, *elsewhere) if (folder / name).is_file()), None)


def _made_from() -> str:
    return digest(_REQUIREMENTS.read_bytes(), *VERSIONS)
