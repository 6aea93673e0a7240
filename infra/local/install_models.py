"""The model repository, made by `uncia models build`, anew whenever a recipe changed."""

import importlib.util
import json
import os
import sys
from pathlib import Path

from infra.local.installing import digest, run
from infra.local.layout import write_private
from uncia.settings import read_settings

_STAMP = "uncia-recipes.json"


def complete() -> bool:
    """A model is there, made by these recipes. A repository that somebody else put there is left as it is."""
    settings = read_settings()
    repository = settings.model_repository
    if not (repository / settings.model / "config.pbtxt").exists():
        return False
    try:
        stamp = json.loads((repository.parent / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return bool(stamp["made_from"] == _made_from())


def install() -> None:
    """Build. Raises `StackError` with the last lines of the build."""
    repository = read_settings().model_repository
    repository.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "uncia", "models", "build", "--repository", str(repository.absolute())]
    run(command, "the model repository could not be built", {"PYTHONUNBUFFERED": "1"})
    write_private(repository.parent / _STAMP, json.dumps({"made_from": _made_from()}) + "\n")


def _made_from() -> str:
    """All recipes, found without importing them: infra starts the others as processes."""
    spec = importlib.util.find_spec("triton_models")
    roots = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    files = sorted(file for root in roots for file in root.rglob("*") if file.is_file() and _counts(file))
    return digest(*(part for file in files for part in (file.name, file.read_bytes())))


def _counts(file: Path) -> bool:
    return os.sep + "__pycache__" not in str(file) and file.suffix != ".pyc"
