"""Builds the model repository with `uncia models build`, and rebuilds it whenever a recipe has changed."""

import importlib.util
import json
import os
import sys
from pathlib import Path

from uncia.infra.local import install_detector, install_person_vehicle
from uncia.infra.local.install_tools import digest, run
from uncia.infra.local.layout import write_private
from uncia.serving.model_versions import CONFIG_FILE, LIVE_FILE
from uncia.settings import read_settings
from uncia.triton_models.recipes import SHARED_MODULES, detector_weights

_STAMP = "uncia-recipes.json"


def complete() -> bool:
    """True when the repository holds the models, built from the current recipes.

    A repository without our stamp counts as complete: the user placed it there, and it must not be overwritten.
    """
    settings = read_settings()
    repository = settings.model_repository
    if not all((repository / settings.model / name).exists() for name in (CONFIG_FILE, LIVE_FILE)):
        return False
    if not (repository / detector_weights.NAME / LIVE_FILE).exists() and _stamp(repository).exists():
        return False
    try:
        stamp = json.loads(_stamp(repository).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return bool(stamp["made_from"] == _fingerprint())


def install() -> None:
    """Build the repository. Raises `StackError` with the last lines of the build's output."""
    repository = read_settings().model_repository
    repository.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "uncia", "models", "build", "--repository", str(repository.absolute())]
    environment = {
        "PYTHONUNBUFFERED": "1",
        "UNCIA_DETECTOR_WEIGHTS": str(install_detector.weights_file()),
        "UNCIA_PERSON_VEHICLE_WEIGHTS": str(install_person_vehicle.weights_folder()),
    }
    run(command, "the model repository could not be built", environment)
    write_private(_stamp(repository), json.dumps({"made_from": _fingerprint()}) + "\n")


def _stamp(repository: Path) -> Path:
    return repository.parent / _STAMP


def _fingerprint() -> str:
    """Digest of the recipes and of the shared modules they use, located without importing them (torch is slow)."""
    files = sorted(
        file for root in _package_dirs("uncia.triton_models") for file in root.rglob("*") if _is_source(file)
    )
    files += [root / name for root in _package_dirs("uncia") for name in SHARED_MODULES if (root / name).is_file()]
    # The detector is built again once the weights for persons, which are optional, can be had.
    options = f"persons {install_person_vehicle.complete()} precision {read_settings().detector_precision}"
    return digest(options, *(part for file in files for part in (file.name, file.read_bytes())))


def _package_dirs(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(location) for location in (spec.submodule_search_locations or ())] if spec else []


def _is_source(file: Path) -> bool:
    return file.is_file() and os.sep + "__pycache__" not in str(file) and file.suffix != ".pyc"
