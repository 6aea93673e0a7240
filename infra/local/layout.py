"""Where the embedded stack keeps things."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError
from uncia.infra.local.short_folder import is_ours_to_remove, make_short_folder
from uncia.storage.durable import write_durably


def parts_dir() -> Path:
    """Where installed parts live: Kafka's jars, Triton and its packages."""
    return Path(os.environ.get("UNCIA_PARTS_DIR", ".local/parts")).absolute()


@dataclass(frozen=True)
class Layout:
    """The folders of one stack.

    `folder` is the stack's own, wherever the user has put it. `short` is a private folder with a plain path that
    lives while the stack is up (`short_folder` says where): the control socket is there, and links to the real
    folders, so that a space or a percent sign in their paths reaches neither Java, nor supervisord, nor Triton.
    """

    folder: Path
    short: Path

    @classmethod
    def make(cls, folder: Path) -> "Layout":
        """Make the folders, for the owner alone, and a short one with its links."""
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        for name in ("data", "logs", "ready", "run", "tmp"):
            _private(folder / name)
        layout = cls(folder, make_short_folder(folder))
        layout.link("stack", folder)
        layout.link("parts", parts_dir())
        return layout

    def remove_short(self) -> None:
        """Take the short folder away. The links in it are removed, never followed."""
        if is_ours_to_remove(self.short, self.folder):
            shutil.rmtree(self.short, ignore_errors=True)

    @property
    def socket(self) -> Path:
        """supervisord's control socket."""
        return self.short / "control.sock"

    @property
    def run(self) -> Path:
        """Generated start scripts and configuration files."""
        return self.short / "stack" / "run"

    @property
    def tmp(self) -> Path:
        """The parts' own temporary directory: a cleaner of the machine's takes nothing away that they use."""
        return self.short / "stack" / "tmp"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.short / "stack" / "logs"

    @property
    def parts(self) -> Path:
        """The installed parts."""
        return self.short / "parts"

    def data(self, part: str) -> Path:
        """What a part keeps on disk."""
        return self.short / "stack" / "data" / part

    def ready_file(self, part: str) -> Path:
        """Touched by a worker once its partitions are assigned and its tables recovered."""
        return self.short / "stack" / "ready" / part

    def link(self, name: str, target: Path) -> Path:
        """A path without odd characters to `target`."""
        link, new = self.short / name, self.short / f".{name}.new"
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(target.absolute())
        new.replace(link)
        return link


def write_private(path: Path, text: str) -> None:
    """Write a file that only the owner reads, at once: a reader and a power cut see the old text or the new one."""
    write_durably(path, text, mode=0o600)


def claim(folder: Path) -> None:
    """Make the stack's folder, or take the one that a stack lives in. Raises `StackError` for anybody else's."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "lock").exists():
        raise StackError(f"{folder} holds other things: let UNCIA_STACK_DIR name a folder that is new or empty")
    _private(folder)


def _private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StackError(
            f"the stack's folder {folder} cannot be made ({error.strerror}): set UNCIA_STACK_DIR to one that can"
        ) from error
