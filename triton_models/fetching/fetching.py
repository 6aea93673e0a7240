"""Fetch a published model: licence, download, checksum, conversion, package."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import UnciaError
from uncia.storage.durable import write_durably
from uncia.triton_models.fetching.catalogue import PublishedModel
from uncia.triton_models.fetching.download import DownloadFailed, Patience, Progress, RemoteFile, download

_PINS = "pins.json"


class LicenceNotAccepted(UnciaError):
    """The model's licence was not accepted; nothing was downloaded."""


@dataclass(frozen=True)
class Consent:
    """What the user agreed to."""

    licence: bool = False
    copyleft: bool = False
    """To licences that extend to what is made from the model, such as AGPL-3.0."""
    code: bool = False
    """To opening files that contain a program."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that is there, and is the published one."""

    path: Path
    sha256: str
    newly_pinned: bool
    """The publisher states no checksum, and this was the first download: later ones must be equal."""


def describe(entry: PublishedModel) -> str:
    """What a user must know before agreeing to download a model."""
    return (
        f"{entry.full_name}: {entry.architecture}\n"
        f"publisher: {entry.publisher}, {entry.page}\n"
        f"licence:   {entry.licence}\n"
        f"download:  about {entry.megabytes} MB"
    )


def check_licence(entry: PublishedModel, consent: Consent, ask: Callable[[], bool] | None = None) -> None:
    """Raises `LicenceNotAccepted` unless the user agreed, before or at the prompt. `ask` is None without a terminal."""
    if entry.strong_copyleft and not consent.copyleft:
        raise LicenceNotAccepted(
            f"{entry.full_name} is under {entry.licence}, whose terms extend to services that use it: choose a variant "
            "under MIT or Apache-2.0, or run the command again with --accept-agpl"
        )
    if consent.licence or (ask is not None and ask()):
        return
    raise LicenceNotAccepted(
        f"the licence of {entry.full_name} ({entry.licence}) was not accepted: read it at {entry.page}, then run the "
        "command again with --accept-licence"
    )


def fetch_file(
    entry: PublishedModel,
    cache: Path,
    *,
    file: Path | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> FetchedFile:
    """The entry's file, from the cache or its publisher; or `file`, which the user downloaded.

    Raises `DownloadFailed`.
    """
    pins = _read_pins(cache)
    checksums = {name: digest for name, digest in (("md5", entry.md5), ("sha256", entry.sha256)) if digest}
    pinned = not checksums and entry.full_name in pins
    if pinned:
        checksums = {"sha256": pins[entry.full_name]}
    target = cache / entry.file
    if file is not None:
        target = file
        if not file.is_file():
            raise DownloadFailed(f"there is no file {file}")
    digest = download(RemoteFile(entry.address, checksums), target, progress=progress, patience=patience)
    if checksums:
        return FetchedFile(target, digest, newly_pinned=False)
    _write_pins(cache, {**pins, entry.full_name: digest})
    return FetchedFile(target, digest, newly_pinned=True)


def make_package(entry: PublishedModel, fetched: FetchedFile, out: Path, consent: Consent) -> Path:
    """Convert a fetched file and write its package to `out`, which is returned."""
    # Imported here: onnx and torch take seconds, and are not needed to ask for a licence or to download.
    from uncia.triton_models.fetching.conversion import convert

    return convert(entry, fetched.path, out, trust_code=consent.code)


def _read_pins(cache: Path) -> Mapping[str, str]:
    path = cache / _PINS
    try:
        pins = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DownloadFailed(f"{path} cannot be read ({error}): delete it to pin the files anew") from error
    return {str(name): str(digest) for name, digest in pins.items()} if isinstance(pins, dict) else {}


def _write_pins(cache: Path, pins: Mapping[str, str]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    write_durably(cache / _PINS, json.dumps(dict(sorted(pins.items())), indent=1) + "\n")
