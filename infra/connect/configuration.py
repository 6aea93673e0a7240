"""The configuration of one client: files, and the commands that use them."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import SettingsError
from uncia.storage.durable import write_durably

__all__ = ["ClientConfiguration", "ClientFile", "authority_files", "shell_path", "write_files"]


@dataclass(frozen=True)
class ClientFile:
    """A file that a client reads."""

    name: str
    text: str
    secret: bool = True
    """True where it has a key or password in it."""


@dataclass(frozen=True)
class ClientConfiguration:
    """All that one client needs."""

    client: str
    """The name by which it is chosen, such as `rclone`."""
    files: tuple[ClientFile, ...]
    commands: tuple[str, ...] = ()
    """Lines for a shell; they name the files, and have no secret."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader."""


def authority_files(name: str, cafile: Path | None) -> tuple[ClientFile, ...]:
    """A copy of an authority's certificate, which is no secret; none without one.

    Raises `SettingsError` when it cannot be read.
    """
    if cafile is None:
        return ()
    try:
        return (ClientFile(name, cafile.read_text(encoding="ascii"), secret=False),)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the certificate of the authority in {cafile} cannot be read ({error})") from error


def shell_path(path: Path) -> str:
    """The path as a word of a shell, which no program takes for an option or looks for in its search path."""
    text = str(path)
    return shlex.quote(text if path.is_absolute() or text.startswith(("./", "../")) else f"./{text}")


def write_files(configurations: tuple[ClientConfiguration, ...], folder: Path) -> list[Path]:
    """Write the files of these clients into a folder, each readable by its owner alone. Returns their paths.

    A new folder is closed to other users; the permissions of one that exists do not change. A file that several
    clients share is written once. Raises `OSError`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {file.name: file for configuration in configurations for file in configuration.files}
    for file in files.values():
        path = folder / file.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, file.text, mode=0o600)
    return [folder / name for name in files]
