"""The model repository, made by `uncia models build`, anew whenever a recipe changed."""

import importlib.util
import json
import os
import sys
from pathlib import Path

from uncia.infra.local.installing import digest, run
from uncia.infra.local.layout import write_private
from uncia.serving.model_versions import CONFIG_FILE, LIVE_FILE
from uncia.settings import read_settings

_STAMP = "uncia-recipes.json"
_KERNEL = (
    "imaging/frame_spec.py",
    "imaging/frames.py",
    "serving/labels.py",
    "serving/model_card.py",
    "serving/model_versions.py",
)


def complete() -> bool:
    """A model is there, made by these recipes. A repository that somebody else put there is left as it is."""
    settings = read_settings()
    repository = settings.model_repository
    if not all((repository / settings.model / name).exists() for name in (CONFIG_FILE, LIVE_FILE)):
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
    """All recipes and what they take from the kernel, found without importing: infra starts the others as processes."""
    files = sorted(file for root in _places("uncia.triton_models") for file in root.rglob("*") if _counts(file))
    files += [root / name for root in _places("uncia") for name in _KERNEL if (root / name).is_file()]
    return digest(*(part for file in files for part in (file.name, file.read_bytes())))


def _places(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _counts(file: Path) -> bool:
    return file.is_file() and os.sep + "__pycache__" not in str(file) and file.suffix != ".pyc"
