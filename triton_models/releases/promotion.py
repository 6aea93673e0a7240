"""Which version answers: promote, roll back, serve one beside, remove. Requests flow meanwhile, and none fails.

Triton reloads **all** versions of a model whose configuration changed, each in the background, and takes the new
ones when they are ready; requests in flight end where they began (server 2.51). So every change here is: say the
served versions in `config.pbtxt`, have Triton load the model, ask each new version its self-test, and only then
move the pointer. Rolling back changes no configuration: the version before is still loaded.
"""

import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path

from uncia.errors import DependencyDown, SettingsError
from uncia.serving.model_card import installed_card
from uncia.serving.model_versions import Standing, in_order, installed, read_standing, write_standing
from uncia.serving.triton_client import ModelControl
from uncia.triton_models.packages.validation import ModelRefused
from uncia.triton_models.repository import lock_repository, staging_folder, write_config

WORKERS_MOVE_S = 5.0
"""Within this time of a move nobody asks the version before the previous one any more: workers look twice a second,
and answer what they have in hand."""


def parse_version_name(text: str, repository: Path) -> tuple[str, str]:
    """Model and version of `model@version`. Raises `SettingsError` for what is not installed."""
    model, at, version = text.partition("@")
    if not at or not version:
        raise SettingsError(f"{text}: write MODEL@VERSION; `uncia models list` shows what there is")
    installed_card(repository, model, version)
    return model, version


def promote(control: ModelControl, repository: Path, model: str, version: str) -> Standing:
    """Make a version the one that answers; the live one becomes the previous one, and stays loaded.

    Raises `ModelRefused` when Triton does not respond, cannot load it, or the self-test fails there; the
    live version then stays.
    """
    with lock_repository(repository):
        standing = read_standing(repository / model)
        if version not in (standing.live, standing.previous):
            # The version before the previous one goes: nobody may be on the way from it any more.
            _let_workers_move(standing)
        beside = tuple(each for each in standing.beside if each != version)
        served = set(standing.served) if version == standing.live else {standing.live, version, *beside}
        _serve(control, repository, model, standing, served, beside, version)
        if version == standing.live:
            return standing
        moved = standing.model_copy(
            update={"live": version, "previous": standing.live, "beside": beside, "moved_at": datetime.now(UTC)}
        )
        write_standing(repository / model, moved)
    return moved


def roll_back(control: ModelControl, repository: Path, model: str) -> Standing:
    """Make the previous version live again; the one that was live becomes the previous one."""
    previous = read_standing(repository / model).previous
    if previous is None:
        raise SettingsError(f"no version of {model} was live before {read_standing(repository / model).live}")
    return promote(control, repository, model, previous)


def start_serving(control: ModelControl, repository: Path, model: str, version: str) -> Standing:
    """Have Triton serve a version beside the live one, and behind it. Raises as `promote` does."""
    with lock_repository(repository):
        standing = read_standing(repository / model)
        # The live one is served, and gives way to nobody.
        beside = tuple({*standing.beside, version} - {standing.live})
        _serve(control, repository, model, standing, {*standing.served, version}, beside, version)
        more = standing.model_copy(update={"beside": in_order(set(beside))})
        write_standing(repository / model, more)
        return more


def stop_serving(control: ModelControl, repository: Path, model: str, version: str) -> Standing:
    """Take a version away that was served beside. The live and the previous one stay in any case."""
    with lock_repository(repository):
        standing = read_standing(repository / model)
        if version not in standing.beside:
            return standing
        less = standing.model_copy(update={"beside": tuple(each for each in standing.beside if each != version)})
        write_standing(repository / model, less)
        write_config(repository, model)
        control.load(model)
        return less


def remove_version(control: ModelControl, repository: Path, model: str, version: str) -> None:
    """Remove a version: its folder, with its labels. Raises `ModelRefused` for one that is live or served beside."""
    with lock_repository(repository):
        folder = repository / model
        standing = read_standing(folder)
        if version == standing.live:
            raise ModelRefused(f"{model}@{version} is live: `uncia models promote` another version first")
        if version in standing.beside:
            raise ModelRefused(f"{model}@{version} is served beside as a shadow: `uncia models shadow stop` first")
        if version not in installed(folder):
            raise SettingsError(f"{model} has no version {version}")
        if version == standing.previous:
            _let_workers_move(standing)
            write_standing(folder, standing.model_copy(update={"previous": None}))
            write_config(repository, model)
            control.load(model)
        with staging_folder(repository, model) as grave:
            (folder / version).rename(grave / version)


def _serve(
    control: ModelControl,
    repository: Path,
    model: str,
    before: Standing,
    served: set[str],
    beside: tuple[str, ...],
    version: str,
) -> None:
    """Have Triton serve these versions, and ask one of them its self-test; where that fails, all is as before."""
    as_now = served <= set(before.served) and set(beside) == set(before.beside)
    if as_now and control.probe(model, version).healthy:
        return
    try:
        write_config(repository, model, served, beside)
        if as_now:
            # Its process died, or Triton lost it: a configuration that says the same makes Triton load nothing.
            control.revive(model, version)
        else:
            control.load(model)
        probe = control.probe(model, version)
        if not probe.healthy:
            raise DependencyDown(probe.detail)
    except BaseException as error:
        write_config(repository, model, before.served, before.beside)
        with contextlib.suppress(DependencyDown):
            control.load(model)
        if isinstance(error, DependencyDown):
            raise ModelRefused(f"{model}@{version} was not taken, and {before.live} stays live: {error}") from error
        raise


def _let_workers_move(standing: Standing) -> None:
    since = (datetime.now(UTC) - standing.moved_at).total_seconds()
    if standing.previous is not None and 0 <= since < WORKERS_MOVE_S:
        time.sleep(WORKERS_MOVE_S - since)
