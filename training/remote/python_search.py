"""Finds a Python on the other machine that can run the training. Pure, but for the script that runs over there."""

from dataclasses import dataclass

from uncia.training.remote.errors import LinkBroken, RemoteError

__all__ = ["SUPPORTED", "FoundPython", "choose_python", "search_command"]

SUPPORTED = ("3.11", "3.12", "3.13")

_MARK = "uncia-python"
_SCRIPT = f"""
for candidate in "$@"; do
  case $candidate in "~/"*) candidate=$HOME/${{candidate#"~/"}} ;; esac
  path=$(command -v "$candidate" 2>/dev/null) || continue
  version=$("$path" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
  case $path in /*) ;; *) path=$PWD/$path ;; esac
  echo "{_MARK} $version $path"
done
echo "{_MARK} end"
"""
_CANDIDATES = ("python3.12", "python3.11", "python3.13", "python3", "python")


@dataclass(frozen=True)
class FoundPython:
    """An interpreter over there."""

    version: str
    path: str


def search_command(environment: str | None) -> list[str]:
    """The command that lists the interpreters: of an existing environment, or those on the path."""
    candidates = [f"{environment}/bin/python"] if environment else _CANDIDATES
    # `sh -c` takes the next argument as the script's name.
    return ["sh", "-c", _SCRIPT, "sh", *candidates]


def choose_python(output: str, environment: str | None, target: str) -> FoundPython:
    """The first supported interpreter of the listing. Raises `RemoteError`, which names what was found."""
    lines = [line.split(" ", 2) for line in output.splitlines() if line.startswith(f"{_MARK} ")]
    if ["uncia-python", "end"] not in lines:
        raise LinkBroken(f"{target} did not answer the question for Python")
    found = [FoundPython(version, path) for _, version, path in (line for line in lines if len(line) == 3)]
    for python in found:
        if ".".join(python.version.split(".")[:2]) in SUPPORTED:
            return python
    needed = f"training needs Python {', '.join(SUPPORTED[:-1])} or {SUPPORTED[-1]}"
    if environment:
        if not found:
            raise RemoteError(f"--environment {environment}: on {target} there is no bin/python in it that starts")
        raise RemoteError(f"--environment {environment} has Python {found[0].version}, and {needed}")
    if not found:
        raise RemoteError(f"{target} has no Python: {needed} (Debian: sudo apt-get install python3 python3-venv)")
    names = ", ".join(sorted({f"{python.version} ({python.path})" for python in found}))
    raise RemoteError(f"{target} has Python {names}, and {needed}: install one of them, or name an --environment")
