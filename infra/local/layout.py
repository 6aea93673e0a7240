"""The folders and files of the embedded stack."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.runtime_dir import create_runtime_dir, is_removable
from uncia.storage.durable import write_durably


def parts_dir() -> Path:
    """Folder of the installed parts: Kafka's jars, Triton and its packages. UNCIA_PARTS_DIR overrides it."""
    return Path(os.environ.get("UNCIA_PARTS_DIR", ".local/parts")).absolute()


@dataclass(frozen=True)
class Layout:
    """The folders of one stack.

    `folder` is the stack's own folder, at any path that the user chose. `runtime_dir` is a private folder with a short,
    plain path that exists while the stack is up (see `runtime_dir.py`). It holds supervisord's control socket, and
    links to the real folders: a space or a percent sign in their paths would break Java's class path, supervisord's
    configuration and Triton's stub, so parts only ever see paths through these links.
    """

    folder: Path
    runtime_dir: Path

    @classmethod
    def make(cls, folder: Path) -> "Layout":
        """Create the folders with mode 0700, and the runtime directory with its links."""
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        for name in ("data", "logs", "ready", "run", "tmp"):
            private_folder(folder / name)
        layout = cls(folder, create_runtime_dir(folder))
        layout.link("stack", folder)
        layout.link("parts", parts_dir())
        return layout

    def remove_runtime_dir(self) -> None:
        """Delete the runtime directory. Links in it are removed, never followed."""
        if is_removable(self.runtime_dir, self.folder):
            shutil.rmtree(self.runtime_dir, ignore_errors=True)

    @property
    def socket(self) -> Path:
        """supervisord's control socket."""
        return self.runtime_dir / "control.sock"

    @property
    def run(self) -> Path:
        """Generated start scripts and configuration files."""
        return self.runtime_dir / "stack" / "run"

    @property
    def keys(self) -> Path:
        """Keys and certificates."""
        return self.runtime_dir / "stack" / "keys"

    @property
    def tmp(self) -> Path:
        """The parts' temporary directory, out of reach of programs that clean the system's."""
        return self.runtime_dir / "stack" / "tmp"

    @property
    def logs(self) -> Path:
        """Log files, one per part."""
        return self.runtime_dir / "stack" / "logs"

    @property
    def parts(self) -> Path:
        """The installed parts."""
        return self.runtime_dir / "parts"

    def data(self, part: str) -> Path:
        """Data directory of a part."""
        return self.runtime_dir / "stack" / "data" / part

    def ready_file(self, part: str) -> Path:
        """File that a worker creates once its partitions are assigned and its tables are recovered."""
        return self.runtime_dir / "stack" / "ready" / part

    def link(self, name: str, target: Path) -> Path:
        """Link `target` into the runtime directory, replacing an older link atomically. Returns the plain path."""
        link, new = self.runtime_dir / name, self.runtime_dir / f".{name}.new"
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(target.absolute())
        new.replace(link)
        return link


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600 atomically: a reader, and a power cut, see either the old text or the new one."""
    write_durably(path, text, mode=0o600)


def replace_in_files(folder: Path, replaced: Mapping[str, str]) -> None:
    """Replace secrets in the files with which parts start, and keep all else: what `uncia up` was given."""
    for path in folder.iterdir():
        before = after = path.read_text(encoding="utf-8")
        for old, new in replaced.items():
            # A key of an earlier version may lack a secret.
            after = after.replace(old, new) if old else after
        if after != before:
            write_private(path, after)


def claim(folder: Path) -> None:
    """Create the stack's folder, or reuse that of an existing stack.

    Raises `StackError` for a folder with other contents: its permissions must not change and `down` must not touch it.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "lock").exists():
        raise StackError(f"{folder} contains other files: set UNCIA_STACK_DIR to a new or empty folder")
    private_folder(folder)


def private_folder(folder: Path) -> None:
    """Create a folder, or keep it, with mode 0700. Raises `StackError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StackError(
            f"the stack's folder {folder} cannot be created ({error.strerror}): set UNCIA_STACK_DIR to a writable path"
        ) from error
