"""A package becomes the next version of a model, whole or not at all; nobody is asked by it yet."""

import errno
import shutil
from pathlib import Path

from uncia.errors import SettingsError
from uncia.serving.model_card import ModelCard, installed_card
from uncia.serving.model_versions import (
    GRAPH_FILE,
    LIVE_FILE,
    first,
    installed,
    read_standing,
    write_standing,
)
from uncia.storage.durable import sync_folder, sync_tree
from uncia.triton_models.packages.validation import PAGE_FILE, ModelRefused, validate_package
from uncia.triton_models.repository import lock_repository, staging_folder, write_config, write_version

_NAME = "a model's name is small letters, digits and _, at most 60, a letter first"


def install(folder: Path, repository: Path, *, name: str = "", backend: str = "") -> ModelCard:
    """Check a package and make it the next version of `name` (else of its card's model); the card as it stands there.

    A name that the repository does not know is a new model with one version. Without `backend`, that of the model's
    live version. Raises `ModelRefused` with what does not fit or went wrong; the repository is then as it was.
    """
    package = validate_package(folder)
    model = validate_model_name(name or package.card.model)
    with lock_repository(repository):
        here = repository / model
        if here.exists() and not (here / LIVE_FILE).exists():
            raise ModelRefused(f"{here} is of an older layout: `uncia models build` makes it anew")
        standing = read_standing(here) if here.exists() else None
        number = 1 if standing is None else max(standing.newest, *map(int, installed(here))) + 1
        card = package.card.model_copy(
            update={"model": model, "versions": (str(number),), "backend": backend or _backend(repository, model)}
        )
        if standing is not None:
            _speaks_alike(card, installed_card(repository, model))
        try:
            with staging_folder(repository, model) as made:
                version = made / model / card.version if standing is None else made / card.version
                version.mkdir(parents=True)
                write_version(version, card)
                shutil.copyfile(package.folder / GRAPH_FILE, version / GRAPH_FILE)
                if package.page is not None:
                    shutil.copyfile(package.page, version / PAGE_FILE)
                sync_tree(made)
                if standing is None:
                    write_standing(made / model, first())
                    write_config(made, model)
                    (made / model).rename(here)
                    sync_folder(here.parent)
                else:
                    # Said first: a number that was given is not given again, whatever becomes of this.
                    write_standing(here, standing.model_copy(update={"newest": number}))
                    version.rename(here / card.version)
                    sync_folder(here)
        except OSError as error:
            full = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
            raise ModelRefused(f"{folder} could not be installed ({full}); what was there is untouched") from error
    return card


def validate_model_name(name: str) -> str:
    """The name, if a model may be called so."""
    fine = name.isascii() and name.replace("_", "a").isalnum() and name.islower() and name[0].isalpha()
    if not fine or len(name) > 60:
        raise SettingsError(f"{name!r} cannot name a model: {_NAME}")
    return name


def _backend(repository: Path, model: str) -> str:
    """As the model's live version has it; for a new model, as the repository's others have it."""
    for folder in (repository / model, *sorted(repository.glob(f"[!.]*/{LIVE_FILE}"))):
        known = folder if folder.is_dir() else folder.parent
        if (known / LIVE_FILE).exists():
            return installed_card(repository, known.name).backend
    return "python"


def _speaks_alike(card: ModelCard, live: ModelCard) -> None:
    """One configuration names the tensors of all versions."""
    ours, theirs = ((each.input, each.whole, each.windows, each.places) for each in (card, live))
    if ours != theirs:
        raise ModelRefused(f"its tensors are {', '.join(ours)}, those of {live.name} are {', '.join(theirs)}")
