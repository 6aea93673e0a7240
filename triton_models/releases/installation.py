"""Install a package as the next version of a model, atomically; it receives no requests yet."""

import shutil
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.cards import Card, read_installed
from uncia.serving.model_versions import (
    GRAPH_FILE,
    LIVE_FILE,
    initial_state,
    installed_versions,
    read_version_state,
    write_version_state,
)
from uncia.storage.durable import describe_write_error, sync_folder, sync_tree
from uncia.triton_models.packages.validation import ModelRefused, validate_package
from uncia.triton_models.packages.writing import PAGE_FILE
from uncia.triton_models.repository import exclusive_access, staging_folder, write_config, write_version

_NAME_RULE = "use lower-case letters, digits and _, at most 60, a letter first"


def install(folder: Path, repository: Path, *, name: str = "", backend: str = "") -> Card:
    """Check a package and install it as the next version of `name` (default: its card's model); returns its new card.

    An unknown name becomes a new model with one version. Without `backend` the version has that of the model's live
    version. Raises `ModelRefused` with the problem; the repository is then unchanged.
    """
    package = validate_package(folder)
    model = validate_model_name(name or package.card.model)
    with exclusive_access(repository):
        here = repository / model
        if here.exists() and not (here / LIVE_FILE).exists():
            raise ModelRefused(f"{here} has an outdated layout: run `uncia models build` to build it again")
        state = read_version_state(here) if here.exists() else None
        number = 1 if state is None else max(state.newest, *map(int, installed_versions(here))) + 1
        card = package.card.model_copy(
            update={"model": model, "versions": (str(number),), "backend": backend or _backend(repository, model)}
        )
        if state is not None:
            _check_tensor_names(card, read_installed(repository, model))
        try:
            with staging_folder(repository, model) as staging:
                version = staging / model / card.version if state is None else staging / card.version
                version.mkdir(parents=True)
                write_version(version, card)
                shutil.copyfile(package.folder / GRAPH_FILE, version / GRAPH_FILE)
                if package.page is not None:
                    shutil.copyfile(package.page, version / PAGE_FILE)
                sync_tree(staging)
                if state is None:
                    write_version_state(staging / model, initial_state())
                    write_config(staging, model)
                    (staging / model).rename(here)
                    sync_folder(here.parent)
                else:
                    # Written first: a number is never used twice, whatever happens afterwards.
                    write_version_state(here, state.model_copy(update={"newest": number}))
                    version.rename(here / card.version)
                    sync_folder(here)
        except OSError as error:
            problem = describe_write_error(error)
            raise ModelRefused(f"{folder} could not be installed ({problem}); the repository is unchanged") from error
    return card


def validate_model_name(name: str) -> str:
    """The name, if it is valid for a model. Raises `SettingsError`."""
    valid = name.isascii() and name.replace("_", "a").isalnum() and name.islower() and name[0].isalpha()
    if not valid or len(name) > 60:
        raise SettingsError(f"{name!r} is no valid model name: {_NAME_RULE}")
    return name


def _backend(repository: Path, model: str) -> str:
    """The backend of the model's live version; for a new model, that of the repository's other models."""
    for folder in (repository / model, *sorted(repository.glob(f"[!.]*/{LIVE_FILE}"))):
        existing = folder if folder.is_dir() else folder.parent
        if (existing / LIVE_FILE).exists():
            return read_installed(repository, existing.name).backend
    return "python"


def _check_tensor_names(card: Card, live: Card) -> None:
    """Raises `ModelRefused` where kind or names differ: one configuration has the tensors of all versions."""
    if card.kind != live.kind:
        raise ModelRefused(f"it is a {card.kind}, and {live.name} is a {live.kind}: give it another name with --name")
    new, existing = ([one.input, *(output.name for output in one.outputs)] for one in (card, live))
    if new != existing:
        raise ModelRefused(f"its tensors are {', '.join(new)}, those of {live.name} are {', '.join(existing)}")
