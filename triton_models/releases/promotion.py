"""Change which version is live: promote, roll back, serve an additional one, remove. No request fails meanwhile.

Triton reloads **all** versions of a model whose configuration changed, each in the background, and switches to the new
instances when they are ready; requests in flight end where they began (server 2.51). So every change here writes the
served versions to `config.pbtxt`, has Triton load the model, runs the self-test of the new version, and only then moves
the pointer. Rolling back changes no configuration: the previous version is still loaded.
"""

import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path

from uncia.errors import DependencyDown, SettingsError
from uncia.serving.cards import read_installed
from uncia.serving.model_versions import (
    VersionState,
    installed_versions,
    read_version_state,
    sort_versions,
    write_version_state,
)
from uncia.serving.triton_client import ModelControl
from uncia.triton_models.packages.validation import ModelRefused
from uncia.triton_models.repository import exclusive_access, staging_folder, write_config

WORKERS_SWITCH_S = 5.0
"""This long after a move no worker uses the version before the previous one any more: workers check twice a second, and
finish the requests in flight."""


def parse_version_name(text: str, repository: Path) -> tuple[str, str]:
    """Model and version of `MODEL@VERSION`. Raises `SettingsError` for one that is not installed."""
    model, at, version = text.partition("@")
    if not at or not version:
        raise SettingsError(f"{text}: write MODEL@VERSION; `uncia models list` lists the installed ones")
    read_installed(repository, model, version)
    return model, version


def promote(control: ModelControl, repository: Path, model: str, version: str) -> VersionState:
    """Make a version live; the one that was live becomes the previous one and stays loaded.

    Raises `ModelRefused` when Triton does not respond, cannot load it, or the self-test fails there; the
    live version then stays.
    """
    with exclusive_access(repository):
        state = read_version_state(repository / model)
        if version not in (state.live, state.previous):
            # The version before the previous one is unloaded: no worker may still use it.
            _wait_for_workers(state)
        beside = tuple(other for other in state.beside if other != version)
        served = set(state.served) if version == state.live else {state.live, version, *beside}
        _serve(control, repository, model, state, served, beside, version)
        if version == state.live:
            return state
        moved = state.model_copy(
            update={"live": version, "previous": state.live, "beside": beside, "moved_at": datetime.now(UTC)}
        )
        write_version_state(repository / model, moved)
    return moved


def roll_back(control: ModelControl, repository: Path, model: str) -> VersionState:
    """Make the previous version live again; the one that was live becomes the previous one."""
    previous = read_version_state(repository / model).previous
    if previous is None:
        raise SettingsError(
            f"there is no previous version of {model} before {read_version_state(repository / model).live}"
        )
    return promote(control, repository, model, previous)


def start_serving(control: ModelControl, repository: Path, model: str, version: str) -> VersionState:
    """Have Triton serve a version in addition to the live one, at lower priority. Raises as `promote` does."""
    with exclusive_access(repository):
        state = read_version_state(repository / model)
        # The live version is served in any case, and at full priority.
        beside = tuple({*state.beside, version} - {state.live})
        _serve(control, repository, model, state, {*state.served, version}, beside, version)
        more = state.model_copy(update={"beside": sort_versions(set(beside))})
        write_version_state(repository / model, more)
        return more


def stop_serving(control: ModelControl, repository: Path, model: str, version: str) -> VersionState:
    """Stop serving an additional version. The live and the previous one stay in any case."""
    with exclusive_access(repository):
        state = read_version_state(repository / model)
        if version not in state.beside:
            return state
        less = state.model_copy(update={"beside": tuple(other for other in state.beside if other != version)})
        write_version_state(repository / model, less)
        write_config(repository, model)
        control.load(model)
        return less


def remove_version(control: ModelControl, repository: Path, model: str, version: str) -> None:
    """Remove a version: its folder, with its labels. Raises `ModelRefused` for one that is live or still served."""
    with exclusive_access(repository):
        folder = repository / model
        state = read_version_state(folder)
        if version == state.live:
            raise ModelRefused(
                f"{model}@{version} is live: make another version live with `uncia models promote` first"
            )
        if version in state.beside:
            raise ModelRefused(f"{model}@{version} is served as a shadow: run `uncia models shadow stop` first")
        if version not in installed_versions(folder):
            raise SettingsError(f"{model} has no version {version}")
        if version == state.previous:
            _wait_for_workers(state)
            write_version_state(folder, state.model_copy(update={"previous": None}))
            write_config(repository, model)
            control.load(model)
        with staging_folder(repository, model) as staging:
            (folder / version).rename(staging / version)


def _serve(
    control: ModelControl,
    repository: Path,
    model: str,
    before: VersionState,
    served: set[str],
    beside: tuple[str, ...],
    version: str,
) -> None:
    """Have Triton serve these versions, and run the self-test of `version`; restores the configuration on failure."""
    unchanged = served <= set(before.served) and set(beside) == set(before.beside)
    if unchanged and control.probe(model, version).healthy:
        return
    try:
        write_config(repository, model, served, beside)
        if unchanged:
            # Its process died, or Triton lost it: Triton loads nothing for an unchanged configuration.
            control.reload_version(model, version)
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
            raise ModelRefused(f"{model}@{version} was not promoted, and {before.live} stays live: {error}") from error
        raise


def _wait_for_workers(state: VersionState) -> None:
    since = (datetime.now(UTC) - state.moved_at).total_seconds()
    if state.previous is not None and 0 <= since < WORKERS_SWITCH_S:
        time.sleep(WORKERS_SWITCH_S - since)
